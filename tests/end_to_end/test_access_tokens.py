# SPDX-License-Identifier: Apache-2.0
"""Access tokens over REST: from a profile that was stored in HDP's dialect to a token that a provider admits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from msgspec import UNSET

from almoner.v1 import directory_pb2 as pb
from tests.broker_faults.provider import faults
from tests.conftest import TRANSPORTS
from tests.rest import Rest, gateway_over
from tests.running import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.broker_faults.provider.process import ClientAtProvider, Provider
    from tests.databases import SqliteTemplate

HDP_USER = 2


@pytest.fixture(scope="module", params=TRANSPORTS)
async def house(
    request: pytest.FixtureRequest, sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Rest]:
    """The gateway, of a service that may call providers on this machine."""
    settings: dict[str, Any] = {"outgoing_allow_http": True, "outgoing_allow_private": True, "provider_timeout": 2}
    directory, over_grpc = tmp_path_factory.mktemp("tokens"), request.param == "over_grpc"
    async with (
        running(sqlite_template, directory, over_grpc=over_grpc, **settings) as almoner,
        gateway_over(almoner) as rest,
    ):
        yield rest


@pytest.fixture
async def client(provider: Provider) -> ClientAtProvider:
    return await provider.client()


async def stored(rest: Rest, client: ClientAtProvider, **members: Any) -> str:
    """Stores a profile with the refresh token of a new grant, and returns the path of its access tokens."""
    application = await rest.application(
        clientId=client.registered.id,
        clientSecret=client.registered.secret,
        tokenURI=f"{client.endpoints}/token",
    )
    tokens = await client.grant()
    profile = await rest.profile(application, **{"refreshToken": tokens.refresh_token, **members})
    # Google, whose data store it is, wants its clients' secrets in the form.
    await client.change(authentication="client_secret_post")
    return f"/v1/profiles/{profile}:accessToken"


async def test_a_profile_of_hdp_gets_a_live_token(house: Rest, client: ClientAtProvider) -> None:
    answer = await house.post(await stored(house, client))
    token = answer.json()
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert (token["token_type"], token["refreshed"], token["scope"]) == ("Bearer", True, "read write")
    expires = datetime.fromisoformat(token["expire_time"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < expires <= timedelta(hours=1)
    assert await client.provider.admits(token["access_token"])
    assert "refresh_token" not in token


async def test_the_same_token_again_until_more_is_wanted(house: Rest, client: ClientAtProvider) -> None:
    path = await stored(house, client)
    first = (await house.post(path)).json()
    again = (await house.post(path, {"minimum_validity": 3000})).json()
    other = (await house.post(path, {"minimum_validity": 7200})).json()
    assert (again["access_token"], again["refreshed"]) == (first["access_token"], False)
    assert other["access_token"] != first["access_token"]


async def test_a_token_that_may_do_less(house: Rest, client: ClientAtProvider) -> None:
    answer = await house.post(await stored(house, client), {"scope": "read"})
    assert (answer.status, answer.json()["scope"]) == (200, "read")


async def test_hdp_shows_the_tokens_that_came(house: Rest, client: ClientAtProvider) -> None:
    path = await stored(house, client)
    token = (await house.post(path)).json()["access_token"]
    number = path.removeprefix("/v1/profiles/").partition(":")[0]
    shown = (await house.get(f"/api/mgmt/oauthprofiles/{number}")).json()
    assert shown["accessToken"] == token


async def test_a_client_of_hdp_that_was_late_does_not_put_a_spent_token_back(
    house: Rest, client: ClientAtProvider
) -> None:
    path = await stored(house, client)
    number = path.removeprefix("/v1/profiles/").partition(":")[0]
    before = (await house.get(f"/api/mgmt/oauthprofiles/{number}")).json()
    await house.post(path)
    written = await house.put(f"/api/mgmt/oauthprofiles/{number}", {**before, "name": "Renamed"})
    assert written.status == 200
    assert (await house.post(path, {"minimum_validity": 7200})).status == 200
    assert (await client.report()).reuses == 0


class Problem(NamedTuple):
    """What becomes of a fault of the provider."""

    fault: faults.Fault
    status: int
    reason: str
    retry_after: str = ""


PROBLEMS = {
    "invalid_grant": Problem(faults.INVALID_GRANT, 409, "CONSENT_NEEDED"),
    "invalid_client": Problem(faults.INVALID_CLIENT, 409, "PROVIDER_REFUSED"),
    "unavailable": Problem(faults.UNAVAILABLE_FOR_A_WHILE, 503, "PROVIDER_UNAVAILABLE", "1800"),
    "malformed": Problem(faults.MALFORMED, 503, "PROVIDER_UNAVAILABLE"),
}


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
async def test_what_goes_wrong_is_told_as_a_problem(house: Rest, client: ClientAtProvider, problem: Problem) -> None:
    path = await stored(house, client)
    await client.meets(problem.fault)
    answer = await house.post(path)
    assert (answer.status, answer.json()["reason"]) == (problem.status, problem.reason)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem.retry_after in ("", answer.headers.get("Retry-After"))


@pytest.mark.parametrize(
    ("body", "member"),
    [
        ({"minimum_validity": -1}, "minimum_validity"),
        ({"minimum_validity": 1e10}, "minimum_validity"),
        ({"minimum_validity": "60"}, "minimum_validity"),
        ({"minimum_validity": None}, "minimum_validity"),
        ({"minimum_validity": 315_360_001}, "minimum_validity"),
        ({"scope": 5}, "scope"),
        ({"scope": "a\nb"}, "scope"),
        ({"scope": "x" * 4097}, "scope"),
        ([], ""),
        ("x", ""),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_bad_bodies_name_the_member(house: Rest, client: ClientAtProvider, body: object, member: str) -> None:
    path = await stored(house, client)
    answer = await house.post(path, body)
    assert (answer.status, [each["member"] for each in answer.json().get("errors", [])][:1]) == (400, [member])
    assert (await client.report()).requests == []


@pytest.mark.parametrize("data", [b"{", b"\xff", b'{"scope": "' + b"[" * 5_000, b"x" * 2 * 1024 * 1024])
async def test_broken_bodies(house: Rest, client: ClientAtProvider, data: bytes) -> None:
    answer = await house.send("POST", await stored(house, client), data=data)
    assert answer.status == (413 if len(data) > 1_048_576 else 400)
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("number", ["0", "-1", "x", "99999999999999999999", "1%00", "%", "4711"])
async def test_ids_that_name_nothing(house: Rest, number: str) -> None:
    answer = await house.post(f"/v1/profiles/{number}:accessToken")
    assert answer.status == 404


@pytest.mark.parametrize(("by", "status"), [(None, 401), ("Bearer none", 401)])
async def test_nobody_gets_one_without_credentials(
    house: Rest, client: ClientAtProvider, by: str | None, status: int
) -> None:
    answer = await house.send("POST", await stored(house, client), by=by)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")


async def test_other_peoples_profiles_do_not_exist(house: Rest, client: ClientAtProvider) -> None:
    path = await stored(house, client)
    stranger = await house.member(await house.tenant(), roles=(HDP_USER,))
    assert (await house.post(path, by=stranger)).json()["reason"] == "PROFILE_NOT_FOUND"
    powerless = await house.member(None, pb.PERMISSION_PROFILES_GET, pb.PERMISSION_PROFILES_ALL)
    assert (await house.post(path, by=powerless)).status == 403


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "", 405), ("POST", "x", 404), ("PUT", "", 405)])
async def test_other_methods_and_paths(
    house: Rest, client: ClientAtProvider, method: str, path: str, status: int
) -> None:
    answer = await house.send(method, await stored(house, client) + path, json=UNSET)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
