# SPDX-License-Identifier: Apache-2.0
"""The table of the token server's routes. All are anonymous: what they are given is the credential."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gateway.dialects.venafi.bodies import Nothing
from gateway.dialects.venafi.vedauth import authorize, tokens
from gateway.dialects.venafi.vedauth.bodies import (
    DeviceStarted,
    GrantBody,
    Issued,
    JwtGrantBody,
    PasswordGrantBody,
    ScopedBody,
    TokenBody,
    Verified,
)
from gateway.routing import Route

if TYPE_CHECKING:
    from gateway.routing import Handler

AUTHORIZE = "/vedauth/authorize"
REVOKE = "/vedauth/revoke/token"
SOURCE = "Venafi contract section 7"

_POSTED = (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_GOTTEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE)


def _post(name: str, handler: Handler, summary: str, body: Any, reply: Any = Issued) -> Route:
    return Route(
        "POST",
        f"{AUTHORIZE}/{name}",
        handler,
        summary,
        SOURCE,
        reply=reply,
        body=body,
        form=True,
        anonymous=True,
        refusals=_POSTED,
    )


ROUTES = (
    _post("oauth", authorize.by_password, "Get tokens by user name and password", PasswordGrantBody),
    _post("certificate", authorize.by_certificate, "Get tokens by TLS client certificate", GrantBody),
    _post("jwt", authorize.by_jwt, "Get tokens by the token of another issuer", JwtGrantBody),
    _post("integrated", authorize.by_integrated, "Refused: get tokens by Windows login", GrantBody),
    _post("device", authorize.start_device, "Get the codes of a device", ScopedBody, DeviceStarted),
    _post("token", authorize.by_token, "Get tokens by refresh token or device code", TokenBody),
    Route(
        "GET",
        f"{AUTHORIZE}/verify",
        tokens.verify,
        "Say what an access token is good for",
        SOURCE,
        reply=Verified,
        anonymous=True,
        refusals=_GOTTEN,
    ),
    Route(
        "GET",
        REVOKE,
        tokens.revoke,
        "Revoke the grant of a token",
        SOURCE,
        reply=Nothing,
        also=HTTPStatus.ACCEPTED,
        anonymous=True,
        refusals=_GOTTEN,
    ),
    Route(
        "GET",
        f"{AUTHORIZE}/isAuthServer",
        tokens.is_auth_server,
        "Say that this is a token server",
        SOURCE,
        reply=Nothing,
        status=HTTPStatus.ACCEPTED,
        anonymous=True,
    ),
)
