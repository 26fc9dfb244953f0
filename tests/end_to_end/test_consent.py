# SPDX-License-Identifier: Apache-2.0
"""Tokens by consent over REST: from the request to the page that the browser ends at."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import pytest

from tests.broker_faults.provider import faults
from tests.rest import gateway_over
from tests.running import running
from tests.service.consent.counterpart import Counterpart, consent_to, open_counterpart
from tests.service.profiles.desk import Profile, open_desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.broker_faults.provider.process import Provider
    from tests.databases import SqliteTemplate
    from tests.rest import Answer, Rest

OUTGOING: Any = {"outgoing_allow_http": True, "outgoing_allow_private": True}
XSS = "<script>alert(1)</script>\"'&"
CALLBACK = "/v1/oauth/callback"


@pytest.fixture(scope="module")
async def house(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rest]:
    """The gateway of a service that may call the provider of the suite."""
    directory = tmp_path_factory.mktemp("consent")
    async with running(sqlite_template, directory, **OUTGOING) as service, gateway_over(service) as gateway:
        yield gateway


@pytest.fixture
async def both(house: Rest, provider: Provider) -> Counterpart:
    """A profile of a new organization, and our client at the provider."""
    return await open_counterpart(await open_desk(house.almoner), provider)


def credentials(both: Counterpart) -> str:
    return both.desk.chief.by[0][1]


async def start(house: Rest, both: Counterpart, **body: str) -> Any:
    answer = await house.post(f"/v1/profiles/{both.profile.id}:authorize", body, by=credentials(both))
    assert answer.status == 200, answer
    return answer.json()


async def arrive(house: Rest, query: dict[str, str], by: str | None = None) -> Answer:
    """Comes to the callback as a browser does: it shows nobody's credentials."""
    return await house.get(f"{CALLBACK}?{urlencode(query)}", by=by)


async def consent(house: Rest, both: Counterpart) -> dict[str, str]:
    """Returns what the provider sends the browser back with."""
    started = await start(house, both)
    return await consent_to(both.client.provider, started["authorization_uri"])


def text_of(answer: Answer) -> str:
    """Returns what a page says, which must be one."""
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return answer.content.decode()


async def test_a_browser_that_consents_connects_the_profile(house: Rest, both: Counterpart) -> None:
    answer = await arrive(house, await consent(house, both))
    assert answer.status == 200
    assert "Grant has access now. You may close this page." in text_of(answer)
    path = f"/v1/profiles/{both.profile.id}:accessToken"
    token = await house.post(path, {}, by=credentials(both))
    assert await both.client.provider.admits(token.json()["access_token"])


async def test_a_request_says_where_to_go_and_until_when(house: Rest, both: Counterpart) -> None:
    started = await start(house, both, scope="read", redirect_uri="https://app.example/done")
    assert started.keys() == {"authorization_uri", "state", "expire_time"}
    assert f"state={started['state']}" in started["authorization_uri"]
    assert "scope=read&" in started["authorization_uri"]
    assert "redirect_uri=https%3A%2F%2Fapp.example%2Fdone" in started["authorization_uri"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", started["expire_time"])


async def test_the_provider_sends_browsers_to_where_the_gateway_says_it_is(house: Rest, both: Counterpart) -> None:
    started = await start(house, both)
    issuer = house.almoner.settings.token_issuer
    assert f"redirect_uri={quote(issuer + CALLBACK, safe='')}" in started["authorization_uri"]


async def test_the_page_is_for_nobody_elses_eyes(house: Rest, both: Counterpart) -> None:
    for answer in (await arrive(house, await consent(house, both)), await arrive(house, {"state": "x", "code": "y"})):
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "<script" not in text_of(answer)


async def test_an_answer_is_good_once(house: Rest, both: Counterpart) -> None:
    query = await consent(house, both)
    answers = await asyncio.gather(*(arrive(house, query) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 400, 400, 400]
    assert len((await both.client.report()).requests) == 1


async def test_who_is_logged_in_as_somebody_else_is_refused(house: Rest, both: Counterpart) -> None:
    query = await consent(house, both)
    other = await house.member()
    answer = await arrive(house, query, other.authorization)
    assert answer.status == 400
    assert "is not for you" in text_of(answer)
    assert (await arrive(house, query, credentials(both))).status == 200


async def test_who_does_not_consent_is_told_that_nothing_has_happened(house: Rest, both: Counterpart) -> None:
    started = await start(house, both)
    query = {"state": started["state"], "error": "access_denied", "error_description": XSS}
    answer = await arrive(house, query)
    assert answer.status == 409
    assert "Access was not allowed, so nothing was connected." in text_of(answer)


@pytest.mark.parametrize(
    ("fault", "said"), [(faults.INVALID_GRANT, "did not give access"), (faults.LOST, "did not answer")]
)
async def test_a_provider_that_gives_no_tokens_is_told_of(
    house: Rest, both: Counterpart, fault: faults.Fault, said: str
) -> None:
    query = await consent(house, both)
    await both.client.meets(fault)
    answer = await arrive(house, query)
    assert answer.status == 502
    assert said in text_of(answer)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?code=c",
        "?state=s",
        "?state=&code=c",
        f"?state={'s' * 513}&code=c",
        f"?state={quote(XSS)}&code={quote(XSS)}&error={quote(XSS)}&iss={quote(XSS)}",
        f"?state=s&error={quote(XSS)}&error_description={quote(XSS)}",
        "?state=s&state=s&code=c",
        "?state=s%00&code=c",
        "?state=%ff&code=c",
        f"?state=s&code={'c' * 5000}",
        "?state=s&code=c%0d%0aSet-Cookie:%20a=b",
    ],
)
async def test_what_is_no_answer_of_a_provider_is_refused_and_not_repeated(house: Rest, query: str) -> None:
    answer = await house.get(CALLBACK + query, by=None)
    assert answer.status == 400
    page = text_of(answer)
    assert "That did not work" in page
    assert "alert(1)" not in page
    assert "Set-Cookie" not in answer.headers


async def test_a_name_that_is_html_is_shown_as_a_text(house: Rest, both: Counterpart) -> None:
    await both.desk.update(Profile(id=both.profile.id, name=XSS), "name")
    page = text_of(await arrive(house, await consent(house, both)))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


async def test_other_members_that_providers_send_do_no_harm(house: Rest, both: Counterpart) -> None:
    query = await consent(house, both)
    assert (await arrive(house, {**query, "scope": "read", "session_state": "x", "authuser": "0"})).status == 200


async def test_a_method_that_is_not_there_is_refused_as_a_page(house: Rest) -> None:
    answer = await house.post(CALLBACK, {})
    assert answer.status == 405
    assert "That did not work" in text_of(answer)


async def test_neither_code_nor_state_is_logged(
    house: Rest, both: Counterpart, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    query = await consent(house, both)
    await both.client.meets(faults.INVALID_GRANT)
    for _ in range(2):
        await arrive(house, query)
    await arrive(house, {**query, "iss": "https://evil.example"})
    logged = caplog.text + "".join(capfd.readouterr())
    assert query["state"] not in logged
    assert query["code"] not in logged


class TestBeginning:
    async def test_without_credentials_nothing_begins(self, house: Rest, both: Counterpart) -> None:
        answer = await house.post(f"/v1/profiles/{both.profile.id}:authorize", {}, by=None)
        assert answer.status == 401
        assert answer.json()["reason"] == "CREDENTIALS_MISSING"

    async def test_nobody_elses_profile_is_there(self, house: Rest, both: Counterpart) -> None:
        other = await open_desk(house.almoner)
        answer = await house.post(f"/v1/profiles/{both.profile.id}:authorize", {}, by=other.chief.by[0][1])
        assert answer.status == 404
        assert answer.json()["reason"] == "PROFILE_NOT_FOUND"

    async def test_a_provider_that_nothing_is_known_of_is_a_conflict(self, house: Rest, both: Counterpart) -> None:
        profile = await house.custom_profile(provider="nobody")
        answer = await house.post(f"/v1/profiles/{profile}:authorize")
        assert answer.status == 409
        assert answer.json()["reason"] == "PROVIDER_UNKNOWN"

    @pytest.mark.parametrize(
        ("body", "member"),
        [
            ({"redirect_uri": "javascript:alert(1)"}, "redirect_uri"),
            ({"redirect_uri": "https://a.example/#x"}, "redirect_uri"),
            ({"redirect_uri": 5}, "redirect_uri"),
            ({"scope": "a\nb"}, "scope"),
            ({"scope": "a" * 4097}, "scope"),
        ],
    )
    async def test_what_makes_no_sense_is_refused_by_its_name(
        self, house: Rest, both: Counterpart, body: dict[str, Any], member: str
    ) -> None:
        path = f"/v1/profiles/{both.profile.id}:authorize"
        answer = await house.post(path, body, by=credentials(both))
        assert answer.status == 400
        assert [error["member"] for error in answer.json()["errors"]] == [member]
        assert not await both.waiting()

    async def test_an_empty_body_will_do(self, house: Rest, both: Counterpart) -> None:
        answer = await house.post(f"/v1/profiles/{both.profile.id}:authorize", by=credentials(both))
        assert answer.status == 200
        assert urlsplit(answer.json()["authorization_uri"]).hostname == "127.0.0.1"


async def test_a_dialect_that_deletes_a_profile_revokes_its_grant(house: Rest, both: Counterpart) -> None:
    await both.connect()
    access_token = await both.access_token()
    answer = await house.delete(f"/api/custom_oauth_profiles/{both.profile.id}", by=credentials(both))
    assert answer.status == 200
    assert not await both.client.provider.admits(access_token)
