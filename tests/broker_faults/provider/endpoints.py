# SPDX-License-Identifier: Apache-2.0
"""The provider's endpoints as clients see them: authorization, token, revocation, and a resource to try a token on."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus

from aiohttp import web
from yarl import URL

from tests.broker_faults.provider.faults import Answer, Fault
from tests.broker_faults.provider.grants import OAuthError
from tests.broker_faults.provider.requests import Arrival

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.broker_faults.provider.grants import Client, Registry, Tokens
    from tests.broker_faults.provider.requests import Record, Requests

PADDING = "x" * (10 * 1024 * 1024)

SECRETS = ("client_secret", "refresh_token", "code")
"""Members of a form that nobody but the token endpoint may see."""


class Presented(NamedTuple):
    """How a request authenticates its client."""

    client_id: str
    secret: str
    method: str


def presented(request: web.Request, form: Mapping[str, str]) -> Presented:
    """Returns the client credentials of a request (RFC 6749 section 2.3.1), which may use one method only."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        secret = form.get("client_secret", "")
        return Presented(form.get("client_id", ""), secret, "client_secret_post" if secret else "none")
    if "client_secret" in form:
        raise OAuthError("invalid_request", "more than one way of authentication")
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        raise OAuthError("invalid_client", "no credentials of Basic authentication", 401) from None
    return Presented(unquote_plus(client_id), unquote_plus(secret), "client_secret_basic")


class Endpoints:
    """Their handlers."""

    def __init__(self, registry: Registry, requests: Requests) -> None:
        """`registry` is what they know, `requests` what tests script and see."""
        self._registry = registry
        self._requests = requests

    def routes(self) -> list[web.AbstractRouteDef]:
        """Returns where they are. A realm is only a name: what is counted by endpoint is counted for one client alone."""
        return [
            web.get("/realms/{realm}/authorize", self.authorize),
            web.post("/realms/{realm}/token", self.token),
            web.post("/realms/{realm}/revoke", self.revoke),
            web.get("/resource", self.resource),
            web.route("*", "/elsewhere/{client_id}", self.elsewhere),
        ]

    async def authorize(self, request: web.Request) -> web.Response:
        """The authorization endpoint: whoever comes here consents."""
        asked = request.query
        client = self._registry.clients.get(asked.get("client_id", ""))
        redirect_uri = asked.get("redirect_uri", "")
        if client is None or not redirect_uri:
            raise web.HTTPBadRequest(text="no client of that id, or no redirect_uri")
        reply = {"state": asked["state"]} if "state" in asked else {}
        if asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
            reply |= {"error": "invalid_request", "error_description": "only codes, and PKCE with S256"}
        else:
            scope = frozenset(asked.get("scope", "").split())
            reply["code"] = self._registry.authorize(client, scope, redirect_uri, asked["code_challenge"])
        raise web.HTTPFound(URL(redirect_uri).update_query(reply))

    async def token(self, request: web.Request) -> web.StreamResponse:
        """The token endpoint, which answers as the test has scripted."""
        form = await _form(request)
        client_id, grant_type = _names(request, form)
        brought = self._registry.refresh_tokens.get(form.get("refresh_token", ""))
        record, fault = await self._requests.begin(client_id, grant_type, brought.generation if brought else 0)
        if fault.held:
            await self._requests.hold(record)
        status, body = self._done(request, form, record) if fault.processed else (fault.status, _error(fault))
        if fault.answer_held:
            await self._requests.hold(record)
        try:
            return await self._answer(request, fault, status, body, client_id)
        finally:
            record.answered = True
            await self._requests.changed()

    async def revoke(self, request: web.Request) -> web.Response:
        """The revocation endpoint (RFC 7009)."""
        form = await _form(request)
        client_id, _ = _names(request, form)
        record, fault = await self._requests.begin(client_id, "revocation", 0)
        if fault.held:
            await self._requests.hold(record)
        try:
            if not fault.processed:
                return _failed(fault)
            self._registry.revoke(self._authenticated(request, form), form.get("token", ""))
            record.processed = True
            return web.Response()
        except OAuthError as error:
            return web.json_response({"error": error.code}, status=error.status)
        finally:
            record.answered = True
            await self._requests.changed()

    async def resource(self, request: web.Request) -> web.Response:
        """Something that an access token opens."""
        admitted = self._registry.admits(request.headers.get("Authorization", "").removeprefix("Bearer "))
        return web.Response(status=200 if admitted else 401)

    async def elsewhere(self, request: web.Request) -> web.Response:
        """Where redirects lead, and where nobody may bring a secret."""
        form = await request.post() if request.can_read_body else {}
        secret = "Authorization" in request.headers or any(name in form or name in request.query for name in SECRETS)
        await self._requests.arrived_elsewhere(request.match_info["client_id"], Arrival(request.method, secret))
        return web.json_response({"access_token": "at-elsewhere", "token_type": "Bearer"})

    def _done(self, request: web.Request, form: Mapping[str, str], record: Record) -> tuple[int, dict[str, Any]]:
        """Does what a request asks for, and returns the ordinary answer."""
        try:
            tokens = self._issued(self._authenticated(request, form), form)
        except OAuthError as error:
            record.error = error.code
            return error.status, {"error": error.code, "error_description": error.description}
        record.processed = True
        return 200, _body(tokens)

    def _authenticated(self, request: web.Request, form: Mapping[str, str]) -> Client:
        credentials = presented(request, form)
        client = self._registry.clients.get(credentials.client_id)
        if client is None or (client.secret, client.authentication) != (credentials.secret, credentials.method):
            raise OAuthError("invalid_client", "no such client, or not its secret or its way of authentication", 401)
        return client

    def _issued(self, client: Client, form: Mapping[str, str]) -> Tokens:
        try:
            match form["grant_type"]:
                case "authorization_code":
                    return self._registry.exchange(client, form["code"], form["redirect_uri"], form["code_verifier"])
                case "refresh_token":
                    scope = frozenset(form["scope"].split()) if "scope" in form else None
                    return self._registry.refresh(client, form["refresh_token"], scope)
                case _:
                    raise OAuthError("unsupported_grant_type", "authorization_code and refresh_token")
        except KeyError as error:
            raise OAuthError("invalid_request", f"{error.args[0]} is missing") from None

    async def _answer(
        self, request: web.Request, fault: Fault, status: int, body: dict[str, Any], client_id: str
    ) -> web.StreamResponse:
        match fault.answer:
            case Answer.ORDINARY:
                headers = {"WWW-Authenticate": "Basic"} if status == 401 else {}
                return web.json_response(body, status=status, headers={**headers, "Cache-Control": "no-store"})
            case Answer.NONE:
                return _closed(request)
            case Answer.CUT:
                return await _cut(request, json.dumps(body).encode())
            case Answer.HANGING:
                await asyncio.Event().wait()
                return _closed(request)
            case Answer.MALFORMED:
                return web.Response(text=json.dumps(body)[:-1], content_type="application/json")
            case Answer.WRONG_TYPE:
                return web.Response(text=json.dumps(body), content_type="text/html")
            case Answer.OVERSIZED:
                return web.json_response({"padding": PADDING, **body})
            case Answer.WITHOUT_ACCESS_TOKEN:
                return web.json_response({name: value for name, value in body.items() if name != "access_token"})
            case Answer.WITHOUT_REFRESH_TOKEN:
                return web.json_response({name: value for name, value in body.items() if name != "refresh_token"})
            case Answer.ERROR_WITH_200:
                return web.json_response({"ok": False, **_error(fault)})
            case Answer.ERROR:
                return _failed(fault)
            case Answer.REDIRECT:
                # Another origin than the one that clients know.
                location = request.url.with_host("localhost").with_path(f"/elsewhere/{client_id}")
                return web.Response(status=fault.status, headers={"Location": str(location)})


async def _form(request: web.Request) -> dict[str, str]:
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


def _names(request: web.Request, form: Mapping[str, str]) -> tuple[str, str]:
    """Returns the client that a request says it is of, and its grant type; whether that is so is seen later."""
    try:
        return presented(request, form).client_id, form.get("grant_type", "")
    except OAuthError:
        return "", form.get("grant_type", "")


def _body(tokens: Tokens) -> dict[str, Any]:
    body: dict[str, Any] = {
        "access_token": tokens.access_token,
        "token_type": "Bearer",
        "scope": " ".join(sorted(tokens.scope)),
    }
    if tokens.expires_in is not None:
        body["expires_in"] = tokens.expires_in
    if tokens.refresh_token is not None:
        body["refresh_token"] = tokens.refresh_token
    return body


def _error(fault: Fault) -> dict[str, Any]:
    return {"error": fault.error} if fault.error else {}


def _failed(fault: Fault) -> web.Response:
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    return web.json_response(_error(fault), status=fault.status, headers=headers)


def _closed(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _cut(request: web.Request, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
