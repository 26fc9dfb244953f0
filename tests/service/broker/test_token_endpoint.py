# SPDX-License-Identifier: Apache-2.0
"""What is sent to a token endpoint, and what its answers mean."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from service.applications.tables import ClientAuthentication
from service.broker.providers import PROVIDERS, UNKNOWN
from service.broker.registrations import Registration
from service.broker.token_endpoint import LONGEST_LIFETIME, Granted, Lost, Refused, Unavailable, refresh, retry_after
from service.clock import DAY, SECOND
from service.outgoing import Outgoing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from service.broker.token_endpoint import Outcome


def registration(slug: str = "example", **members: Any) -> Registration:
    """Returns a client of ours with an odd id and secret."""
    provider = PROVIDERS.get(slug, UNKNOWN)
    defaults: dict[str, Any] = {
        "slug": slug,
        "provider": provider,
        "authorize_uri": "",
        "token_uri": "",
        "revocation_uri": "",
        "scope": "",
        "client_id": "id of:ours",
        "client_secret": "s%e+c:r é",
        "authentication": ClientAuthentication.BASIC,
        "rotates": True,
        "lifetime": 0,
    }
    return Registration(**{**defaults, **members})


@dataclass
class Endpoint:
    """A token endpoint that answers what a test wants, and notes what it was sent."""

    outgoing: Outgoing
    url: str = ""
    answer: web.Response = field(default_factory=web.Response)
    headers: dict[str, str] = field(default_factory=dict)
    form: dict[str, list[str]] = field(default_factory=dict)

    async def serve(self, request: web.Request) -> web.Response:
        self.headers = dict(request.headers)
        self.form = parse_qs((await request.read()).decode(), keep_blank_values=True)
        return self.answer

    async def ask(self, client: Registration | None = None, scope: str = "") -> Outcome:
        return await refresh(self.outgoing, client or registration(), self.url, "the token", scope, seconds=5)

    async def means(self, status: int, body: object, headers: dict[str, str] | None = None, slug: str = "") -> Outcome:
        """Returns what an answer means; a body that is no text is made JSON."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.answer = web.Response(status=status, text=text, headers=headers)
        return await self.ask(registration(slug))


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    outgoing = Outgoing(allow_http=True, allow_private=True)
    endpoint = Endpoint(outgoing)
    app = web.Application()
    app.router.add_post("/token", endpoint.serve)
    async with TestServer(app) as server:
        endpoint.url = str(server.make_url("/token"))
        yield endpoint
    await outgoing.close()


GOOD = {"access_token": "a", "token_type": "bearer", "expires_in": 3600, "refresh_token": "r", "scope": "x y"}


async def test_a_refresh_is_asked_for_as_in_the_rfc(endpoint: Endpoint) -> None:
    await endpoint.ask()
    assert endpoint.form == {"grant_type": ["refresh_token"], "refresh_token": ["the token"]}
    assert endpoint.headers["Accept"] == "application/json"
    assert endpoint.headers["Content-Type"] == "application/x-www-form-urlencoded"


async def test_a_narrower_scope_is_asked_for(endpoint: Endpoint) -> None:
    await endpoint.ask(scope="x")
    assert endpoint.form["scope"] == ["x"]


async def test_basic_credentials_are_form_encoded_first(endpoint: Endpoint) -> None:
    await endpoint.ask()
    scheme, _, credentials = endpoint.headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(credentials)) == ("Basic", b"id+of%3Aours:s%25e%2Bc%3Ar+%C3%A9")
    assert "client_id" not in endpoint.form


async def test_posted_credentials_are_in_the_form_alone(endpoint: Endpoint) -> None:
    await endpoint.ask(registration(authentication=ClientAuthentication.POST))
    assert (endpoint.form["client_id"], endpoint.form["client_secret"]) == (["id of:ours"], ["s%e+c:r é"])
    assert "Authorization" not in endpoint.headers


async def test_a_public_client_says_who_it_is(endpoint: Endpoint) -> None:
    await endpoint.ask(registration(authentication=ClientAuthentication.NONE))
    assert (endpoint.form["client_id"], "client_secret" in endpoint.form) == (["id of:ours"], False)
    assert "Authorization" not in endpoint.headers


async def test_an_answer_as_in_the_rfc(endpoint: Endpoint) -> None:
    assert await endpoint.means(200, GOOD) == Granted("a", "r", "Bearer", 3600 * SECOND, "x y")


@pytest.mark.parametrize(
    ("stated", "lifetime"),
    [
        (60, 60 * SECOND),
        ("60", 60 * SECOND),
        (60.5, 60_500_000),
        (1e12, LONGEST_LIFETIME),
        (0, None),
        (-5, None),
        (None, None),
        (True, None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ([], None),
    ],
    ids=repr,
)
async def test_the_lifetime_of_a_token(endpoint: Endpoint, stated: object, lifetime: int | None) -> None:
    granted = await endpoint.means(200, {**GOOD, "expires_in": stated})
    assert isinstance(granted, Granted)
    assert granted.lifetime == lifetime


@pytest.mark.parametrize("absent", ["refresh_token", "scope", "token_type", "expires_in"])
async def test_what_an_answer_may_leave_out(endpoint: Endpoint, absent: str) -> None:
    granted = await endpoint.means(200, {name: value for name, value in GOOD.items() if name != absent})
    assert isinstance(granted, Granted)
    assert (granted.access_token, granted.token_type) == ("a", "Bearer")


NOT_UNDERSTOOD: Mapping[str, object] = {
    "empty": "",
    "no_json": "no JSON",
    "null": "null",
    "list": "[]",
    "text": '"a"',
    "deep": "[" * 100_000,
    "without_members": {},
    "empty_token": {**GOOD, "access_token": ""},
    "number": {**GOOD, "access_token": 5},
    "line_break": {**GOOD, "access_token": "a\nb"},
    "endless_token": {**GOOD, "access_token": "a" * 20_000},
    "listed_refresh_token": {**GOOD, "refresh_token": ["r"]},
    "nul": {**GOOD, "refresh_token": "r\x00"},
}


@pytest.mark.parametrize("body", NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD)
async def test_an_answer_that_is_not_understood_is_lost(endpoint: Endpoint, body: object) -> None:
    assert isinstance(await endpoint.means(200, body), Lost)


async def test_a_refresh_token_is_worth_keeping_without_an_access_token(endpoint: Endpoint) -> None:
    assert await endpoint.means(200, {"refresh_token": "r"}) == Lost("malformed", "r")


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, {"error": "invalid_grant"}, Refused("invalid_grant")),
        (401, {"error": "invalid_client"}, Refused("invalid_client")),
        (403, {"error": "access_denied"}, Refused("access_denied")),
        (200, {"error": "invalid_grant"}, Refused("invalid_grant")),
        (400, "no JSON", Unavailable("http_400")),
        (401, "", Unavailable("http_401")),
        (404, "", Unavailable("http_404")),
        (302, "", Unavailable("http_302")),
        (400, {"error": "temporarily_unavailable"}, Unavailable("temporarily_unavailable")),
        (400, {"error": "server_error"}, Lost("server_error")),
        (408, "", Unavailable("http_408")),
        (429, {"error": "invalid_grant"}, Unavailable("http_429")),
        (503, "", Unavailable("http_503")),
        (500, {"error": "invalid_grant"}, Lost("http_500")),
        (502, "", Lost("http_502")),
        (504, "", Lost("http_504")),
        (400, {"error": "<b>\n" + "x" * 100}, Refused("b" + "x" * 60)),
        (400, {"error": "<>"}, Refused("unnamed")),
        (400, {"error": 5}, Unavailable("http_400")),
    ],
)
async def test_what_an_answer_means(endpoint: Endpoint, status: int, body: object, outcome: Outcome) -> None:
    assert await endpoint.means(status, body) == outcome


@pytest.mark.parametrize(
    ("slug", "status", "body", "outcome"),
    [
        ("slack", 200, {"ok": False, "error": "invalid_refresh_token"}, Refused("invalid_grant")),
        ("slack", 200, {"ok": False, "error": "internal_error"}, Lost("server_error")),
        ("github", 200, {"error": "bad_refresh_token"}, Refused("invalid_grant")),
        ("hubspot", 400, {"status": "BAD_REFRESH_TOKEN", "message": "no"}, Refused("invalid_grant")),
        ("microsoft", 400, {"error": "interaction_required"}, Refused("invalid_grant")),
    ],
)
async def test_the_words_of_providers(endpoint: Endpoint, slug: str, status: int, body: object, outcome: Any) -> None:
    assert await endpoint.means(status, body, slug=slug) == outcome


async def test_a_wait_that_is_asked_for(endpoint: Endpoint) -> None:
    assert await endpoint.means(429, "", {"Retry-After": "90"}) == Unavailable("http_429", 90 * SECOND)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "5"}, 5 * SECOND),
        ({"Retry-After": "99999999999999999999"}, DAY),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "soon"}, 0),
        ({}, 0),
        ({"Retry-After": "Sun, 06 Nov 1994 08:50:37 GMT", "Date": "Sun, 06 Nov 1994 08:49:37 GMT"}, 60 * SECOND),
        ({"Retry-After": "Sun, 06 Nov 1994 08:48:37 GMT", "Date": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0),
        ({"Retry-After": "Sun, 06 Nov 1994 08:50:37 GMT"}, 0),
    ],
)
def test_how_long_a_wait_is(headers: dict[str, str], wait: int) -> None:
    assert retry_after(headers) == wait


async def test_an_endpoint_that_is_not_there_was_not_asked(endpoint: Endpoint) -> None:
    endpoint.url = "http://127.0.0.1:1/token"
    assert await endpoint.ask() == Unavailable("unreachable")


def test_nothing_of_a_grant_is_shown() -> None:
    assert repr(Granted("secret", "secret", "Bearer", None, None)) == "Granted(***)"
    assert "secret" not in repr(Lost("malformed", "secret"))
    assert "s%e" not in repr(registration())
