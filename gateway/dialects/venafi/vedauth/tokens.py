# SPDX-License-Identifier: Apache-2.0
"""What can be done with an access token in hand: have it verified, have its grant revoked (contract section 7)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs

from almoner.v1.token_service_pb2 import RevokeTokenRequest, VerifyTokenRequest
from gateway.call import Call, Reply, StatusLine
from gateway.dialects.venafi import scopes
from gateway.dialects.venafi.bodies import Nothing
from gateway.dialects.venafi.identities import prefixed_universal
from gateway.dialects.venafi.moments import moment_of
from gateway.dialects.venafi.vedauth.bodies import Verified
from gateway.endpoint import is_metadata
from gateway.failures import Failure

if TYPE_CHECKING:
    from almoner.v1.grant_pb2 import Grant

OpenCall = Call[None, None, None]

LONGEST_TOKEN: Final = 8192

VALID = StatusLine(HTTPStatus.OK, "Token is valid")
NO_TOKEN = StatusLine(HTTPStatus.ACCEPTED, "[token] not found")
AUTH_SERVER = StatusLine(HTTPStatus.ACCEPTED, "Venafi Authentication Server")
"""What the vendor's clients recognize a token server by."""


async def verify(call: OpenCall) -> Reply:
    """Says what the access token of the request is good for."""
    token = _bearer_token(call)
    if token is None:
        raise Failure(HTTPStatus.UNAUTHORIZED, "CREDENTIALS_MISSING", "the request carries no access token")
    response = await call.send(call.services.tokens.VerifyToken, VerifyTokenRequest(access_token=token))
    return Reply(_verified(response.grant), status_line=VALID)


async def revoke(call: OpenCall) -> Reply:
    """Revokes the grant of the token of the request, refresh token and all."""
    token = _bearer_token(call)
    if token is None:
        return Reply(Nothing(), status_line=NO_TOKEN)
    grant = (await call.send(call.services.tokens.RevokeToken, RevokeTokenRequest(token=token))).grant
    identity, scope = prefixed_universal(grant.user_id), scopes.text_of(grant.scopes)
    phrase = f"Grant for identity {identity} with scope {scope} has been revoked"
    return Reply(Nothing(), status_line=StatusLine(HTTPStatus.OK, phrase))


async def is_auth_server(_call: OpenCall) -> Reply:
    """Says that this is a token server."""
    return Reply(Nothing(), status_line=AUTH_SERVER)


def _bearer_token(call: OpenCall) -> str | None:
    """Returns the token of the Authorization header (RFC 6750 section 2.1); None: there is none of that scheme.

    Raises:
        Failure: it can be no token.
    """
    scheme, _, token = call.request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not token:
        return None
    if len(token) > LONGEST_TOKEN or not is_metadata(token):
        raise Failure(HTTPStatus.UNAUTHORIZED, "CREDENTIALS_INVALID", "the access token is malformed")
    return token


def _verified(grant: Grant) -> Verified:
    access_issued = moment_of(grant.access_token_issue_time)
    expires = moment_of(grant.expire_time)
    issued = moment_of(grant.issue_time)
    return Verified(
        access_issued_on=access_issued.date,
        access_issued_on_ISO8601=access_issued.iso8601,
        access_issued_on_unix_time=access_issued.unix_time,
        application=grant.application_id,
        expires=expires.date,
        expires_ISO8601=expires.iso8601,
        expires_unix_time=expires.unix_time,
        grant_issued_on=issued.date,
        grant_issued_on_ISO8601=issued.iso8601,
        grant_issued_on_unix_time=issued.unix_time,
        identity=prefixed_universal(grant.user_id),
        scope=scopes.text_of(grant.scopes),
        valid_for=expires.unix_time - issued.unix_time,
    )
