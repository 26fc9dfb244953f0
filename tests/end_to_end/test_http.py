# SPDX-License-Identifier: Apache-2.0
"""What every route of every dialect answers alike: to strangers, to wrong methods and paths, to long bodies, to HEAD."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from aiohttp.test_utils import TestClient, TestServer, unused_port
from msgspec import UNSET
from sqlalchemy import select

from gateway.app import create_app
from gateway.dialects import DIALECTS
from service.audit.tables import AuditEventRow
from service.storage.tables import table_of
from tests.rest import ADMIN, ADMIN_BASIC, APPLICATIONS, CUSTOM_PROFILES, PROFILES, custom_body, profile_body
from tests.running import basic

if TYPE_CHECKING:
    from tests.rest import Answer, Rest

ROUTES = [(dialect, route) for dialect in DIALECTS for route in dialect.routes]
READ = [(dialect, route) for dialect, route in ROUTES if route.method == "GET" and route.reply is not None]
OWNED = [(dialect, route) for dialect, route in ROUTES if not route.anonymous]
"""Routes that a caller is needed for. What the others answer is their dialects' matter."""
of_each_owned_route = pytest.mark.parametrize(
    ("dialect", "route"), OWNED, ids=[f"{route.method} {route.path}" for _, route in OWNED]
)
NEW_ID = re.compile(r"[0-9a-f]{32}")
BODIES: dict[str, Any] = {PROFILES: profile_body(1), CUSTOM_PROFILES: custom_body()}


def concrete(path: str) -> str:
    return re.sub(r"{[^}]*}", "1", path)


# --- Strangers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [PROFILES, CUSTOM_PROFILES])
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Basic YWRtaW4=",
        "Bearer",
        "Bearer  ",
        "Bearer nonsense",
        "Digest username=admin",
        "Token abc",
        basic("admin", "wrong"),
        basic("nobody", "wrong"),
        basic("admin", ""),
        basic("", ""),
        basic("admin\x00", "x"),
        "Basic /////w==",
        "Basic " + "QUFB" * 1900,
        "Bearer " + "a" * 7000,
        "Bearer ünïcode",
    ],
)
async def test_who_is_nobody_is_challenged(rest_over: Rest, path: str, authorization: str | None) -> None:
    answer = await rest_over.get(path, by=authorization)

    challenge = answer.headers["WWW-Authenticate"]
    if path == PROFILES:
        assert (answer.status, answer.code, challenge) == (401, 222200401, 'Basic realm="almoner", charset="UTF-8"')
    else:
        assert (answer.status, answer.json(), challenge) == (401, {"message": "Unauthorized"}, 'Bearer realm="almoner"')


async def test_the_longest_headers_together_are_not_more_than_goes_to_the_service(rest_over: Rest) -> None:
    long = "a" * 8_000

    answer = await rest_over.get(
        CUSTOM_PROFILES, by=f"Bearer {long}", headers=[("traceparent", long), ("tracestate", long)]
    )

    assert answer.status == 401


@of_each_owned_route
async def test_a_stranger_learns_nothing_but_that(rest: Rest, dialect: Any, route: Any) -> None:
    answer = await rest.send(route.method, concrete(route.path) + "?page=x&user=", by=None, data=b"{")

    assert answer.status == 401
    assert "WWW-Authenticate" in answer.headers


@pytest.mark.parametrize(
    "authorization", [ADMIN, ADMIN_BASIC, ADMIN.replace("Bearer", "bearer"), ADMIN_BASIC.upper()[:5] + ADMIN_BASIC[5:]]
)
@pytest.mark.parametrize("path", [PROFILES, CUSTOM_PROFILES])
async def test_both_schemes_serve_both_dialects_in_any_case(rest_over: Rest, path: str, authorization: str) -> None:
    assert (await rest_over.get(path, by=authorization)).status == 200


# --- Paths and methods ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/api/mgmt", "error"),
        ("/api/mgmt/unknown", "error"),
        (f"{PROFILES}/", "error"),
        (f"{PROFILES}/1/unknown", "error"),
        (f"{PROFILES}/1/stats/", "error"),
        ("/api/admin/unknown", "error"),
        ("/API/MGMT/oauthprofiles", "title"),
        (f"{CUSTOM_PROFILES}/", "message"),
        (f"{CUSTOM_PROFILES}/1/assign", "message"),
        ("/api/managed_users/1/custom_oauth_profiles", "message"),
        ("/api/users", "message"),
        ("/api/recipes", "title"),
        ("/metrics", "title"),
        ("/unknown", "title"),
    ],
)
async def test_an_unknown_path_is_not_found_in_the_form_of_its_dialect(rest: Rest, path: str, shape: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = await rest.send(method, path)
        assert (answer.status, next(iter(answer.json()))) == (404, shape)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (PROFILES, "GET, HEAD, POST"),
        (f"{PROFILES}/1", "DELETE, GET, HEAD, PUT"),
        (f"{PROFILES}/1/stats", "GET, HEAD"),
        (f"{APPLICATIONS}/1", "DELETE, GET, HEAD, PUT"),
        ("/api/admin/permissions", "GET, HEAD"),
        (CUSTOM_PROFILES, "GET, HEAD, POST"),
        (f"{CUSTOM_PROFILES}/1", "DELETE, GET, HEAD, PUT"),
        ("/api/managed_users/1/custom_oauth_profiles/1/assign", "POST"),
        ("/api/managed_users/1/custom_oauth_profiles/1/unassign", "DELETE"),
        ("/api/connections/1", "DELETE, PUT"),
        ("/healthz", "GET, HEAD"),
    ],
)
async def test_another_method_is_refused_and_told_the_right_ones(rest: Rest, path: str, allowed: str) -> None:
    for method in {"PATCH", "OPTIONS", "PUT", "POST", "GET", "DELETE", "TRACE"} - set(allowed.split(", ")):
        answer = await rest.send(method, path)
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)
        assert answer.json()


@pytest.mark.parametrize(("dialect", "route"), READ, ids=[route.path for _, route in READ])
async def test_head_answers_like_get_without_a_body(rest: Rest, dialect: Any, route: Any) -> None:
    path = concrete(route.path)
    get, head = await rest.get(path), await rest.send("HEAD", path)

    assert (head.status, head.content) == (get.status, b"")
    for each in ("Date", "X-Request-Id", "x-correlation-id", "Set-Cookie"):
        for answer in (get, head):
            answer.headers.popall(each, None)
    assert head.headers == get.headers
    assert "Content-Length" in head.headers


# --- Bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "body"), [(PROFILES, profile_body(1)), (CUSTOM_PROFILES, custom_body())])
async def test_a_body_of_two_mebibytes_is_too_large(rest: Rest, path: str, body: dict[str, Any]) -> None:
    answer = await rest.post(path, {**body, "description": "x" * 2 * 1024 * 1024})

    assert answer.status == 413
    assert answer.json()


async def test_a_body_of_unknown_length_is_bounded_too(rest: Rest) -> None:
    async def endless() -> Any:
        for _ in range(64):
            yield b"x" * 65_536

    url = rest.client.make_url(PROFILES)
    async with rest.client.session.post(url, data=endless(), headers={"Authorization": ADMIN}) as response:
        assert response.status == 413


async def test_answers_with_secrets_are_not_to_be_kept(rest_over: Rest) -> None:
    number = await rest_over.profile(await rest_over.application())

    assert (await rest_over.get(f"{PROFILES}/{number}")).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", [PROFILES, CUSTOM_PROFILES])
async def test_pages_of_other_origins_cannot_write(rest: Rest, path: str) -> None:
    body = BODIES[path]
    answers = [await rest.post(path, body, headers=[("Sec-Fetch-Site", site)]) for site in ("cross-site", "same-site")]

    assert [answer.status for answer in answers] == [403, 403]


# --- Request ids ------------------------------------------------------------------------------------------------------


def ids_of(answer: Answer, path: str) -> set[str]:
    names = ["X-Request-Id"] if path == PROFILES else ["X-Request-Id", "x-correlation-id"]
    return {answer.headers[name] for name in names}


@pytest.mark.parametrize("path", [PROFILES, CUSTOM_PROFILES])
@pytest.mark.parametrize("suffix", ["", "/999999", "?user=%00&page=0", "/1/unknown"])
async def test_the_request_id_comes_back_with_every_answer(rest: Rest, path: str, suffix: str) -> None:
    for authorization in (ADMIN, None):
        answer = await rest.get(path + suffix, by=authorization, headers=[("X-Request-Id", "a-B_9.z")])
        assert ids_of(answer, path) == {"a-B_9.z"}


@pytest.mark.parametrize("path", [PROFILES, CUSTOM_PROFILES])
@pytest.mark.parametrize("given", [None, "", "a b", "<script>", "x" * 129, "ä"])
async def test_without_a_usable_one_it_is_made(rest: Rest, path: str, given: str | None) -> None:
    headers = [("X-Request-Id", given)] if given is not None else []
    (made,) = ids_of(await rest.get(path, headers=headers), path)

    assert NEW_ID.fullmatch(made)


async def test_the_audit_trail_has_it(rest_over: Rest) -> None:
    application = await rest_over.application()
    answer = await rest_over.post(PROFILES, profile_body(application), headers=[("X-Request-Id", "traced-1")])

    events = table_of(AuditEventRow)
    statement = select(events.c.request_id).where(events.c.resource == f"profiles/{answer.json()['id']}")
    assert await rest_over.almoner.service.store.read(lambda tx: tx.execute(statement).scalars().all()) == ["traced-1"]


# --- No service -------------------------------------------------------------------------------------------------------


FIRST_MEMBER = {"workato": "message", "cpn": "statusCode", "csp": "statusCode", "broker": "title"}
"""With which member a failure of a dialect begins, where it is not with `error`."""


@of_each_owned_route
async def test_without_a_service_every_route_says_so(dialect: Any, route: Any) -> None:
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{unused_port()}")
    async with TestClient(TestServer(create_app(channel))) as client:
        headers = {"Authorization": ADMIN}
        async with client.session.request(
            route.method, client.make_url(concrete(route.path)), headers=headers, data=b"{}"
        ) as response:
            body = await response.json()
        alive = await client.get("/healthz")

    await channel.close()
    assert response.status == 503
    assert response.headers["Retry-After"] == "1"
    assert "127.0.0.1" not in str(body)
    assert next(iter(body)) == FIRST_MEMBER.get(dialect.name, "error")
    assert alive.status == 200


async def test_a_body_is_read_as_json_whatever_its_type_says(rest_over: Rest) -> None:
    application = await rest_over.application()
    for content_type in ("application/json; charset=utf-8", "text/plain", "application/octet-stream"):
        answer = await rest_over.post(
            PROFILES, profile_body(application), headers=[("Content-Type", content_type)], data=None
        )
        assert answer.status == 201


async def test_null_is_as_good_as_leaving_an_optional_member_out(rest_over: Rest) -> None:
    application = await rest_over.application()

    answer = await rest_over.post(PROFILES, profile_body(application, description=None, accessToken=None))

    assert (answer.json()["description"], answer.json()["accessToken"]) == ("", "")


async def test_unknown_members_are_tolerated(rest_over: Rest) -> None:
    application = await rest_over.application()

    assert (await rest_over.post(PROFILES, profile_body(application, unknown={"a": [1]}))).status == 201


async def test_the_integer_17_may_be_written_17_point_0(rest_over: Rest) -> None:
    application = await rest_over.application()

    answer = await rest_over.post(PROFILES, profile_body(application, oauthAppId=float(application)))

    assert answer.json()["oauthAppId"] == application
    assert (await rest_over.send("GET", PROFILES, json=UNSET)).status == 200
