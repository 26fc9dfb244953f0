# SPDX-License-Identifier: Apache-2.0
"""The page where a user lets a device in, or refuses it (RFC 8628 section 3.3): sign in, see who asks, decide.

Who has signed in is remembered nowhere: the password is asked for twice instead.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import hdrs
from grpc import aio

from almoner.v1.token_service_pb2 import DecideDeviceAuthorizationRequest, GetDeviceAuthorizationRequest
from gateway.call import Call, Reply, StatusLine
from gateway.dialects.venafi import scopes
from gateway.dialects.venafi.activation import pages
from gateway.dialects.venafi.activation.errors import CHALLENGE, CORRECTABLE, Wording
from gateway.dialects.venafi.activation.form_tokens import form_token, require_own_form
from gateway.dialects.venafi.activation.pages import Asked, Filled
from gateway.dialects.venafi.logins import username_of
from gateway.endpoint import AUTHORIZATION
from gateway.failures import Failure, from_rpc
from gateway.pages import told

if TYPE_CHECKING:
    from gateway.dialects.venafi.activation.bodies import ActivationBody, ByCode

CallT = TypeVar("CallT", bound=Call[Any, Any, Any])

INCOMPLETE = Wording(HTTPStatus.BAD_REQUEST, "Fill in code, user name and password.")
ALLOWED = ("The device is allowed", "It has access in a few seconds. You may close this page.")
REFUSED = ("The device is refused", "It gets no access. You may close this page.")


async def show(call: Call[None, None, None]) -> Reply:
    """Asks for everything."""
    return _enter(call)


async def show_code(call: Call[ByCode, None, None]) -> Reply:
    """Asks for user name and password, the code being known."""
    return _enter(call, user_code=call.path.user_code)


async def submit(call: Call[None, None, ActivationBody]) -> Reply:
    """Shows what a device asks for, or decides about it, as the user whose password came along."""
    require_own_form(call.request, call.body.form_token)
    if not (call.body.user_code.strip() and call.body.username and call.body.password):
        return _again(call, INCOMPLETE)
    try:
        return await _answer(_as_user(call))
    except (Failure, aio.AioRpcError) as error:
        failure = error if isinstance(error, Failure) else from_rpc(error, {})
        wording = CORRECTABLE.get(failure.reason)
        if wording is None:
            raise
        return _again(call, wording, failure.retry_after)


async def _answer(call: Call[None, None, ActivationBody]) -> Reply:
    if call.body.decision not in {"allow", "refuse"}:
        return await _look(call)
    approve = call.body.decision == "allow"
    message = DecideDeviceAuthorizationRequest(user_code=call.body.user_code, approve=approve)
    await call.send(call.services.tokens.DecideDeviceAuthorization, message)
    return Reply(told(*(ALLOWED if approve else REFUSED)))


async def _look(call: Call[None, None, ActivationBody]) -> Reply:
    body = call.body
    message = GetDeviceAuthorizationRequest(user_code=body.user_code)
    device = await call.send(call.services.tokens.GetDeviceAuthorization, message)
    asked = Asked(device.application_id, device.application_name, scopes.text_of(device.scopes))
    return Reply(pages.decide(Filled(body.form_token, body.user_code, body.username), asked))


def _as_user(call: CallT) -> CallT:
    """Returns the same request by the user who signs in with it (RFC 7617).

    Raises:
        Failure: there is no such user name.
    """
    username = username_of(call.body.username)
    if ":" in username:
        raise Failure(HTTPStatus.UNAUTHORIZED, "CREDENTIALS_INVALID", "no user name has a colon")
    try:
        credentials = base64.b64encode(f"{username}:{call.body.password}".encode()).decode()
    except UnicodeEncodeError:
        raise Failure(HTTPStatus.UNAUTHORIZED, "CREDENTIALS_INVALID", "not Unicode") from None
    return replace(call, metadata=((AUTHORIZATION, f"Basic {credentials}"), *call.metadata))


def _enter(call: Call[Any, None, Any], user_code: str = "") -> Reply:
    token = form_token(call.request)
    return Reply(pages.enter(Filled(token.text, user_code)), headers=token.headers)


def _again(call: Call[None, None, ActivationBody], wording: Wording, retry_after: int | None = None) -> Reply:
    filled = Filled(call.body.form_token, call.body.user_code, call.body.username)
    headers: dict[str, str] = {}
    if wording.status == HTTPStatus.UNAUTHORIZED:
        headers[hdrs.WWW_AUTHENTICATE] = CHALLENGE
    if retry_after is not None:
        headers[hdrs.RETRY_AFTER] = str(retry_after)
    return Reply(pages.enter(filled, wording.text), status_line=StatusLine(wording.status), headers=headers)
