# SPDX-License-Identifier: Apache-2.0
"""Getting tokens: by password, certificate, JWT, refresh token and device code (contract section 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from msgspec import UNSET

from almoner.v1.token_service_pb2 import (
    IssuedTokens,
    IssueTokenRequest,
    PasswordCredential,
    RefreshTokenRequest,
    StartDeviceAuthorizationRequest,
)
from gateway.call import Call, Reply
from gateway.decoding import INVALID_BODY
from gateway.dialects.venafi import scopes
from gateway.dialects.venafi.activation.places import ACTIVATION, activation_of
from gateway.dialects.venafi.identities import prefixed_universal
from gateway.dialects.venafi.logins import username_of
from gateway.dialects.venafi.moments import moment_of
from gateway.dialects.venafi.vedauth.bodies import (
    DeviceStarted,
    GrantBody,
    Issued,
    JwtGrantBody,
    PasswordGrantBody,
    ScopedBody,
    TokenBody,
)
from gateway.dialects.venafi.vedauth.errors import UNSUPPORTED_GRANT_TYPE
from gateway.failures import REQUIRED, Violation, invalid

if TYPE_CHECKING:
    from aiohttp import web

REFRESH_TOKEN: Final = "refresh_token"  # noqa: S105 - a grant type
DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"

MEMBERS = {
    "client_id": "client_id",
    "client_secret": "client_secret",
    "scopes": "scope",
    "password.username": "username",
    "password.password": "password",
    "jwt": "jwt",
    "certificate": "",
    "refresh_token": "refresh_token",
    "device_code": "device_code",
}


async def by_password(call: Call[None, None, PasswordGrantBody]) -> Reply:
    """Issues tokens to whoever has the user's password."""
    credential = PasswordCredential(username=username_of(call.body.username), password=call.body.password)
    return await _issue(call, IssueTokenRequest(password=credential))


async def by_certificate(call: Call[None, None, GrantBody]) -> Reply:
    """Issues tokens to whoever has proven a client certificate to the TLS listener of this very process."""
    certificate = _peer_certificate(call.request)
    if not certificate:
        problem = "the connection has no client certificate that was verified: one is needed, over TLS"
        raise invalid(INVALID_BODY, Violation("", problem))
    return await _issue(call, IssueTokenRequest(certificate=certificate))


async def by_jwt(call: Call[None, None, JwtGrantBody]) -> Reply:
    """Issues tokens to whoever has a JWT that a mapping takes."""
    return await _issue(call, IssueTokenRequest(jwt=call.body.jwt))


async def by_integrated(_call: Call[None, None, GrantBody]) -> Reply:
    """Refuses: there is no Windows domain that could vouch for anybody."""
    raise invalid(UNSUPPORTED_GRANT_TYPE, Violation("", "Windows integrated authentication is not offered here"))


async def by_token(call: Call[None, None, TokenBody]) -> Reply:
    """Changes a refresh token, or a device code whose user has let the device in, for tokens."""
    match call.body.grant_type or REFRESH_TOKEN:
        case "refresh_token":
            return await _refresh(call)
        case "urn:ietf:params:oauth:grant-type:device_code":
            return await _by_device_code(call)
        case _:
            choice = Violation("grant_type", f"is neither {REFRESH_TOKEN} nor {DEVICE_CODE}")
            raise invalid(UNSUPPORTED_GRANT_TYPE, choice)


async def start_device(call: Call[None, None, ScopedBody]) -> Reply:
    """Makes the codes of a device."""
    message = StartDeviceAuthorizationRequest(
        client_id=call.body.client_id,
        client_secret=call.body.client_secret or "",
        scopes=_scopes(call.body.scope),
    )
    started = await call.send(call.services.tokens.StartDeviceAuthorization, message)
    origin = f"{call.request.scheme}://{call.request.host}"
    body = DeviceStarted(
        device_code=started.device_code,
        expires=moment_of(started.expire_time).unix_time,
        expires_in=started.lifetime.seconds,
        interval=started.interval.seconds,
        user_code=started.user_code,
        verification_uri=origin + ACTIVATION,
        verification_uri_complete=origin + activation_of(started.user_code),
    )
    return Reply(body)


async def _refresh(call: Call[None, None, TokenBody]) -> Reply:
    message = RefreshTokenRequest(
        client_id=call.body.client_id,
        client_secret=call.body.client_secret or "",
        refresh_token=call.body.refresh_token or _missing("refresh_token"),
    )
    return _issued((await call.send(call.services.tokens.RefreshToken, message)).tokens)


async def _by_device_code(call: Call[None, None, TokenBody]) -> Reply:
    message = IssueTokenRequest(
        client_id=call.body.client_id,
        client_secret=call.body.client_secret or "",
        device_code=call.body.device_code or _missing("device_code"),
    )
    return _issued((await call.send(call.services.tokens.IssueToken, message)).tokens)


async def _issue(call: Call[None, None, Any], message: IssueTokenRequest) -> Reply:
    body: GrantBody = call.body
    message.client_id = body.client_id
    message.client_secret = body.client_secret or ""
    message.scopes.extend(_scopes(body.scope))
    return _issued((await call.send(call.services.tokens.IssueToken, message)).tokens, body.state or "")


def _issued(tokens: IssuedTokens, state: str = "") -> Reply:
    grant = tokens.grant
    body = Issued(
        access_token=tokens.access_token,
        expires=moment_of(grant.access_token_expire_time).unix_time,
        expires_in=tokens.access_token_lifetime.seconds,
        identity=prefixed_universal(grant.user_id),
        scope=scopes.text_of(grant.scopes),
        state=state or UNSET,
    )
    if tokens.refresh_token:
        body.refresh_token = tokens.refresh_token
        body.refresh_until = moment_of(grant.expire_time).unix_time
    return Reply(body)


def _scopes(text: str) -> list[str]:
    tokens = scopes.read("scope", text)
    if not tokens:
        raise invalid(scopes.INVALID_SCOPE, Violation("scope", "names no scope"))
    return tokens


def _missing(member: str) -> NoReturn:
    raise invalid(INVALID_BODY, Violation(member, REQUIRED))


def _peer_certificate(request: web.Request) -> bytes:
    """Returns the DER of the client certificate that TLS has verified; nothing where there is none."""
    ssl_object = request.transport and request.transport.get_extra_info("ssl_object")
    return (ssl_object and ssl_object.getpeercert(binary_form=True)) or b""
