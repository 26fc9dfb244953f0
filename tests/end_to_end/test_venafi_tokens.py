# SPDX-License-Identifier: Apache-2.0
"""Venafi's token server, from the request to the database (contract section 7)."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.rest import ADMIN, ADMIN_BASIC
from tests.vedauth import (
    AUTHORIZE,
    DEVICE_CODE,
    REVOKE,
    VERIFY,
    allow,
    ask,
    ask_by_form,
    bearer,
    log_in,
    person,
    public_client,
    register,
)

if TYPE_CHECKING:
    from tests.rest import Answer, Rest

TOKEN = re.compile(r"[A-Za-z0-9+/]{22}==")
DAY = 86_400
MALFORMED = "The request is missing a required parameter or is otherwise malformed"
REFRESH_FAILED = "Grant has been revoked, has expired, or the refresh token is invalid"
TOKEN_FAILED = "The access token provided is expired, revoked, malformed, or invalid for other reasons"
NOT_ALLOWED = "Failed to issue grant: User is not authorized for the requested scope"


async def phrase(rest: Rest, method: str, path: str, **options: Any) -> tuple[int, str, bytes]:
    """Returns status, reason phrase and body of an answer."""
    async with rest.client.session.request(method, rest.client.make_url(path), **options) as response:
        return response.status, response.reason or "", await response.read()


def refused(answer: Answer) -> tuple[int, str]:
    """Returns status and error of a refusal, which must be worded."""
    body = answer.json()
    assert body.keys() == {"error", "error_description"}
    assert body["error_description"]
    return answer.status, body["error"]


# --- authorize/oauth --------------------------------------------------------------------------------------------------


async def test_a_login_answers_as_documented(rest_over: Rest) -> None:
    who = await person(rest_over)
    before = int(time.time())

    answer = await ask(rest_over, "oauth", who.asking("ssh;certificate:manage"))

    body = answer.json()
    assert answer.status == 200
    assert list(body) == [
        "access_token",
        "expires",
        "expires_in",
        "identity",
        "refresh_token",
        "refresh_until",
        "scope",
        "token_type",
    ]
    assert TOKEN.fullmatch(body["access_token"])
    assert TOKEN.fullmatch(body["refresh_token"])
    assert body["expires_in"] == 90 * DAY
    assert before + 90 * DAY <= body["expires"] <= time.time() + 90 * DAY + 1
    assert before + 365 * DAY <= body["refresh_until"] <= time.time() + 365 * DAY + 1
    assert body["identity"].startswith("local:{")
    assert body["scope"] == "certificate:manage;ssh"
    assert body["token_type"] == "Bearer"


async def test_a_form_is_as_good_as_json(rest_over: Rest) -> None:
    who = await person(rest_over)

    answer = await ask_by_form(rest_over, "oauth", who.asking())

    assert answer.status == 200
    assert answer.json()["scope"] == "certificate:manage"


@pytest.mark.parametrize(
    "path",
    ["/vedauth/Authorize/OAuth", "/VEDAUTH/AUTHORIZE/OAUTH", "//vedauth/authorize/oauth", "/vedauth//authorize//oauth"],
)
async def test_paths_are_found_in_any_case_and_with_doubled_slashes(rest: Rest, path: str) -> None:
    who = await person(rest)

    assert (await rest.post(path, who.asking(), by=None)).status == 200


async def test_a_wrong_method_in_another_spelling_is_one_all_the_same(rest: Rest) -> None:
    answer = await rest.get("/vedauth/Authorize/OAuth", by=None)

    assert refused(answer) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"


async def test_a_path_that_there_is_not_is_told_in_the_same_form(rest: Rest) -> None:
    assert refused(await rest.post("/vedauth/authorize/magic", {}, by=None)) == (404, "not_found")


@pytest.mark.parametrize(
    "authorization", ["Bearer AAAAAAAAAAAAAAAAAAAAAA==", "Basic bm9ib2R5Ondyb25n", "nonsense", "Bearer \u00e9"]
)
@pytest.mark.parametrize("name", ["oauth", "token"])
async def test_a_stale_authorization_header_is_ignored(rest_over: Rest, name: str, authorization: str) -> None:
    who = await person(rest_over)
    bodies = {
        "oauth": who.asking(),
        "token": {"client_id": who.client_id, "refresh_token": (await log_in(rest_over, who))["refresh_token"]},
    }

    assert (await ask(rest_over, name, bodies[name], by=authorization)).status == 200


@pytest.mark.parametrize("prefix", ["", "local:", "LOCAL:"])
async def test_user_names_may_name_their_provider(rest: Rest, prefix: str) -> None:
    who = await person(rest)

    assert (await ask(rest, "oauth", who.asking(username=prefix + who.username))).status == 200


@pytest.mark.parametrize(("state", "echoed"), [("xyz", "xyz"), ("<é>", "<é>"), ("", None), (None, None)])
async def test_state_comes_back_where_it_was_given(rest: Rest, state: str | None, echoed: str | None) -> None:
    who = await person(rest)

    answer = await rest.post(f"{AUTHORIZE}/oauth", {**who.asking(), "state": state}, by=None)

    assert answer.json().get("state") == echoed


async def test_scopes_are_read_in_any_order_and_case_and_read_is_implied(rest: Rest) -> None:
    who = await person(rest)

    tokens = await log_in(rest, who, "SSH;certificate:read,MANAGE;any")

    assert tokens["scope"] == "certificate:manage;ssh"


async def test_a_grant_that_is_not_renewable_has_no_refresh_token(rest_over: Rest) -> None:
    who = await person(rest_over, renewable=False)

    tokens = await log_in(rest_over, who)

    assert tokens.keys() == {"access_token", "expires", "expires_in", "identity", "scope", "token_type"}


async def test_a_confidential_client_needs_its_secret(rest_over: Rest) -> None:
    who = await person(rest_over)
    client_id = await register(rest_over, public_client("confidential"), secret="s3cret of the client")
    await allow(rest_over, client_id, who.id)

    with_secret = await ask(rest_over, "oauth", who.asking(client_id=client_id, client_secret="s3cret of the client"))
    with_another = await ask(rest_over, "oauth", who.asking(client_id=client_id, client_secret="another"))
    without = await ask(rest_over, "oauth", who.asking(client_id=client_id))

    assert with_secret.status == 200
    assert refused(with_another) == refused(without) == (400, "invalid_client")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"password": "wrong"}, "invalid_grant"),
        ({"username": "nobody here"}, "invalid_grant"),
        ({"username": "other:person"}, "invalid_grant"),
        ({"client_id": "nothing"}, "invalid_client"),
        ({"client_id": "ALMONER"}, "invalid_client"),
        ({"scope": "certificate:"}, "invalid_scope"),
        ({"scope": ":manage"}, "invalid_scope"),
        ({"scope": "certificate;;ssh"}, "invalid_scope"),
        ({"scope": "certificate manage é"}, "invalid_scope"),
        ({"scope": "read"}, "invalid_scope"),
        ({"scope": ""}, "invalid_request"),
        ({"scope": None}, "invalid_request"),
        ({"client_id": None}, "invalid_request"),
        ({"client_id": ""}, "invalid_request"),
        ({"client_id": "x" * 129}, "invalid_request"),
        ({"client_id": 7}, "invalid_request"),
        ({"username": None}, "invalid_request"),
        ({"username": ""}, "invalid_request"),
        ({"username": "local:"}, "invalid_request"),
        ({"password": None}, "invalid_request"),
        ({"password": ""}, "invalid_request"),
        ({"password": ["p"]}, "invalid_request"),
        ({"state": {"a": 1}}, "invalid_request"),
    ],
    ids=str,
)
async def test_what_is_wrong_with_a_login_is_said_in_oauths_words(
    rest_over: Rest, change: dict[str, Any], error: str
) -> None:
    who = await person(rest_over)

    assert refused(await ask(rest_over, "oauth", who.asking(**change))) == (400, error)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b'"client_id"', b"\xff\xfe", b'{"CLIENT_ID":"a","Username":"b"}', b"[" * 5000],
    ids=["nothing", "cut off", "a list", "null", "a string", "no UTF-8", "another case", "too deep"],
)
async def test_a_body_that_is_none_is_malformed(rest: Rest, data: bytes) -> None:
    answer = await rest.post(f"{AUTHORIZE}/oauth", data=data, by=None)

    assert refused(answer) == (400, "invalid_request")
    assert answer.json()["error_description"].startswith(MALFORMED)


@pytest.mark.parametrize("body", ["client_id=a&client_id=b", "client_id", "%zz=%ff", "client_id=%ff&scope=a"])
async def test_a_form_that_is_none_is_malformed(rest: Rest, body: str) -> None:
    headers = [("Content-Type", "application/x-www-form-urlencoded")]

    answer = await rest.post(f"{AUTHORIZE}/oauth", data=body.encode(), by=None, headers=headers)

    assert refused(answer) == (400, "invalid_request")


async def test_the_member_at_fault_is_named(rest: Rest) -> None:
    who = await person(rest)

    answer = await ask(rest, "oauth", who.asking(username=None))

    assert answer.json()["error_description"] == f"{MALFORMED}: username: is required"


@pytest.mark.parametrize("scope", ["certificate:delete", "admin", "certificate;security"])
async def test_a_scope_that_is_not_allowed_is_refused_in_the_status_line(rest_over: Rest, scope: str) -> None:
    who = await person(rest_over)

    answer = await phrase(rest_over, "POST", f"{AUTHORIZE}/oauth", json=who.asking(scope))

    assert answer == (403, NOT_ALLOWED, b"")


async def test_a_user_without_a_rule_is_refused_in_the_status_line(rest_over: Rest) -> None:
    who, other = await person(rest_over), await person(rest_over)

    answer = await phrase(rest_over, "POST", f"{AUTHORIZE}/oauth", json=who.asking(client_id=other.client_id))

    assert answer == (403, NOT_ALLOWED, b"")


async def test_a_way_that_the_client_does_not_have_is_refused(rest_over: Rest) -> None:
    who = await person(rest_over, grant_types=[5])

    assert refused(await ask(rest_over, "oauth", who.asking())) == (400, "unauthorized_client")


async def test_a_page_of_another_site_cannot_log_in(rest: Rest) -> None:
    who = await person(rest)

    answer = await ask(rest, "oauth", who.asking(), headers=[("Sec-Fetch-Site", "cross-site")])

    assert (answer.status, answer.content) == (403, b"")


# --- authorize/token --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asking", [ask, ask_by_form])
@pytest.mark.parametrize("grant_type", [{}, {"grant_type": "refresh_token"}])
async def test_a_refresh_token_is_changed_for_new_tokens(
    rest_over: Rest, asking: Any, grant_type: dict[str, str]
) -> None:
    who = await person(rest_over)
    first = await log_in(rest_over, who)
    body = {"client_id": who.client_id, "refresh_token": first["refresh_token"], **grant_type}

    answer = await asking(rest_over, "token", body)

    second = answer.json()
    assert answer.status == 200
    assert second.keys() == first.keys()
    assert {second["access_token"], second["refresh_token"]}.isdisjoint(first.values())
    assert (second["scope"], second["identity"]) == (first["scope"], first["identity"])
    assert second["refresh_until"] == first["refresh_until"]
    assert (await rest_over.get(VERIFY, by=bearer(second))).status == 200
    assert refused(await rest_over.get(VERIFY, by=bearer(first))) == (401, "invalid_token")


async def test_a_refresh_token_that_is_used_again_revokes_its_grant(rest_over: Rest) -> None:
    who = await person(rest_over)
    body = {"client_id": who.client_id, "refresh_token": (await log_in(rest_over, who))["refresh_token"]}
    renewed = (await ask(rest_over, "token", body)).json()

    status, reason, content = await phrase(rest_over, "POST", f"{AUTHORIZE}/token", json=body)

    assert (status, reason) == (400, REFRESH_FAILED)
    assert b"its grant is revoked now" in content
    assert refused(await rest_over.get(VERIFY, by=bearer(renewed))) == (401, "invalid_token")
    again = {"client_id": who.client_id, "refresh_token": renewed["refresh_token"]}
    assert refused(await ask(rest_over, "token", again)) == (400, "invalid_grant")


@pytest.mark.parametrize("token", ["AAAAAAAAAAAAAAAAAAAAAA==", "nonsense", "\u00e9"])
async def test_a_refresh_token_that_is_none_is_refused_in_the_vendors_words(rest_over: Rest, token: str) -> None:
    who = await person(rest_over)
    body = {"client_id": who.client_id, "refresh_token": token}

    status, reason, content = await phrase(rest_over, "POST", f"{AUTHORIZE}/token", json=body)

    assert (status, reason) == (400, REFRESH_FAILED)
    assert content == f'{{"error":"invalid_grant","error_description":"{REFRESH_FAILED}"}}'.encode()


async def test_another_client_cannot_use_a_refresh_token(rest_over: Rest) -> None:
    who, other = await person(rest_over), await person(rest_over)
    tokens = await log_in(rest_over, who)

    stolen = await ask(rest_over, "token", {"client_id": other.client_id, "refresh_token": tokens["refresh_token"]})
    own = await ask(rest_over, "token", {"client_id": who.client_id, "refresh_token": tokens["refresh_token"]})

    assert refused(stolen) == (400, "invalid_grant")
    assert stolen.json()["error_description"].startswith("The client_id value being requested with the refresh token")
    assert own.status == 200


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"refresh_token": "a"}, "invalid_request"),
        ({"client_id": "almoner"}, "invalid_request"),
        ({"client_id": "almoner", "refresh_token": ""}, "invalid_request"),
        ({"client_id": "almoner", "refresh_token": None}, "invalid_request"),
        ({"client_id": "almoner", "refresh_token": 7}, "invalid_request"),
        ({"client_id": "almoner", "refresh_token": "x" * 1025}, "invalid_request"),
        ({"client_id": "almoner", "grant_type": DEVICE_CODE}, "invalid_request"),
        ({"client_id": "almoner", "grant_type": DEVICE_CODE, "device_code": ""}, "invalid_request"),
        ({"client_id": "almoner", "grant_type": DEVICE_CODE, "device_code": "none"}, "expired_token"),
        ({"client_id": "almoner", "grant_type": "password", "refresh_token": "a"}, "unsupported_grant_type"),
        ({"client_id": "nothing", "refresh_token": "a"}, "invalid_client"),
    ],
    ids=str,
)
async def test_what_is_wrong_with_a_token_request_is_said(rest_over: Rest, body: dict[str, Any], error: str) -> None:
    assert refused(await rest_over.post(f"{AUTHORIZE}/token", body, by=None)) == (400, error)


# --- The other ways ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "member", "error"),
    [
        ("jwt", {"jwt": "a.b.c"}, "invalid_grant"),
        ("jwt", {"jwt": ""}, "invalid_request"),
        ("jwt", {}, "invalid_request"),
        ("certificate", {}, "invalid_request"),
        ("integrated", {}, "unsupported_grant_type"),
        ("integrated", {"scope": None}, "invalid_request"),
    ],
)
@pytest.mark.parametrize("asking", [ask, ask_by_form])
async def test_the_other_ways_say_why_not(
    rest_over: Rest, asking: Any, name: str, member: dict[str, Any], error: str
) -> None:
    body = {"client_id": "almoner", "scope": "admin", **member}

    answer = await asking(rest_over, name, {key: value for key, value in body.items() if value is not None})

    assert refused(answer) == (400, error)


async def test_no_connection_without_tls_has_a_client_certificate(rest: Rest) -> None:
    answer = await ask(rest, "certificate", {"client_id": "almoner", "scope": "admin"})

    assert "has no client certificate" in answer.json()["error_description"]


# --- verify, revoke, isAuthServer -------------------------------------------------------------------------------------


async def test_verify_says_what_a_token_is_good_for(rest_over: Rest) -> None:
    who = await person(rest_over)
    tokens = await log_in(rest_over, who, "certificate:manage;ssh")

    answer = await rest_over.get(VERIFY, by=bearer(tokens))

    body = answer.json()
    assert answer.status == 200
    assert list(body) == [
        "access_issued_on",
        "access_issued_on_ISO8601",
        "access_issued_on_unix_time",
        "application",
        "expires",
        "expires_ISO8601",
        "expires_unix_time",
        "grant_issued_on",
        "grant_issued_on_ISO8601",
        "grant_issued_on_unix_time",
        "identity",
        "scope",
        "valid_for",
    ]
    assert body["application"] == who.client_id
    assert body["identity"] == tokens["identity"]
    assert body["scope"] == "certificate:manage;ssh"
    assert body["expires_unix_time"] == tokens["refresh_until"]
    assert body["valid_for"] == 365 * DAY
    for name in ("access_issued_on", "expires", "grant_issued_on"):
        milliseconds = int(body[name].removeprefix("/Date(").removesuffix(")/"))
        assert body[f"{name}_ISO8601"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(milliseconds // 1000))
        assert body[f"{name}_unix_time"] == (milliseconds + 500) // 1000


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Bearer AAAAAAAAAAAAAAAAAAAAAA==",
        f"Bearer {'A' * 7000}",
        "Bearer \u00e9",
        ADMIN,
        ADMIN_BASIC,
    ],
)
async def test_verify_takes_nothing_but_an_access_token(rest_over: Rest, authorization: str | None) -> None:
    answer = await rest_over.get(VERIFY, by=authorization)

    assert refused(answer) == (401, "invalid_token")
    assert answer.json()["error_description"] == TOKEN_FAILED
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_a_refresh_token_is_no_access_token(rest_over: Rest) -> None:
    tokens = await log_in(rest_over, await person(rest_over))

    answer = await rest_over.get(VERIFY, by=f"Bearer {tokens['refresh_token']}")

    assert refused(answer) == (401, "invalid_token")


async def test_revoking_ends_both_tokens_and_says_whose(rest_over: Rest) -> None:
    who = await person(rest_over)
    tokens = await log_in(rest_over, who)
    headers = {"Authorization": bearer(tokens)}

    answer = await phrase(rest_over, "GET", REVOKE, headers=headers)

    told = f"Grant for identity {tokens['identity']} with scope certificate:manage has been revoked"
    assert answer == (200, told, b"{}")
    assert refused(await rest_over.get(VERIFY, by=bearer(tokens))) == (401, "invalid_token")
    assert refused(await rest_over.get(REVOKE, by=bearer(tokens))) == (401, "invalid_token")
    body = {"client_id": who.client_id, "refresh_token": tokens["refresh_token"]}
    assert refused(await ask(rest_over, "token", body)) == (400, "invalid_grant")


@pytest.mark.parametrize("headers", [{}, {"Authorization": ADMIN_BASIC}], ids=["none", "Basic"])
async def test_revoking_without_a_token_revokes_nothing(rest_over: Rest, headers: dict[str, str]) -> None:
    assert await phrase(rest_over, "GET", REVOKE, headers=headers) == (202, "[token] not found", b"{}")


async def test_it_says_that_it_is_a_token_server(rest_over: Rest) -> None:
    status, reason, _ = await phrase(rest_over, "GET", "/vedauth/Authorize/IsAuthServer")

    assert status == 202
    assert "Venafi Authentication Server" in reason


async def test_verify_has_the_vendors_reason_phrase(rest_over: Rest) -> None:
    headers = {"Authorization": bearer(await log_in(rest_over, await person(rest_over)))}

    status, reason, _ = await phrase(rest_over, "GET", VERIFY, headers=headers)

    assert (status, reason) == (200, "Token is valid")
