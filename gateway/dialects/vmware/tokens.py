# SPDX-License-Identifier: Apache-2.0
"""Getting access tokens: by client credentials and by API token (contract section 5), in the words of CPN and of CSP."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Final

from msgspec import UNSET

from almoner.v1.token_service_pb2 import (
    ExchangeApiTokenRequest,
    ExchangeApiTokenResponse,
    IssueClientTokenRequest,
    IssueClientTokenResponse,
)
from gateway.call import Call, Reply
from gateway.decoding import INVALID_BODY, LONGEST_ECHO
from gateway.dialects.vmware.credentials import client_of
from gateway.dialects.vmware.errors import UNSUPPORTED_GRANT_TYPE
from gateway.dialects.vmware.token_bodies import (
    AccessTokenDto,
    ApiTokenForm,
    ApiTokenQuery,
    AuthenticationTokens,
    GrantForm,
    RefreshBody,
    TokenForm,
    TokenQuery,
)
from gateway.failures import REQUIRED, Failure, Violation, invalid, not_found

CLIENT_CREDENTIALS: Final = "client_credentials"
REFRESH_TOKEN: Final = "refresh_token"  # noqa: S105 - a grant type

ORGANIZATION_NOT_FOUND: Final = "ORGANIZATION_NOT_FOUND"

MEMBERS: Final = {
    "organization_id": "orgId",
    "lifetime": "accessTokenValiditySeconds",
    "scopes": "scope",
    "api_token": "api_token",
}

_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


async def cpn_by_client(call: Call[None, TokenQuery, TokenForm]) -> Reply:
    """Issues a token to a client application, for an organization."""
    _require_grant_type(call.body.grant_type, CLIENT_CREDENTIALS)
    message = IssueClientTokenRequest(organization_id=_organization(call.query.org_id))
    seconds = call.query.access_token_validity_seconds
    if seconds is not UNSET:
        message.lifetime.seconds = seconds
    issued = await _issued(call, message)
    return Reply(AuthenticationTokens(issued.access_token))


async def cpn_by_api_token(call: Call[None, None, RefreshBody]) -> Reply:
    """Changes an API token for an access token of its user."""
    api_token = call.body.refresh_token
    exchanged = await _exchanged(call, api_token)
    return Reply(AuthenticationTokens(exchanged.access_token, refresh_token=api_token))


async def csp_by_api_token(call: Call[None, ApiTokenQuery, ApiTokenForm]) -> Reply:
    """Changes an API token for an access token of its user."""
    given = {call.body.api_token, call.body.refresh_token, call.query.refresh_token} - {""}
    if not given:
        raise invalid(INVALID_BODY, Violation("api_token", REQUIRED))
    if len(given) > 1:
        raise invalid(INVALID_BODY, Violation("api_token", "differs from refresh_token, its other name"))
    return await _csp_exchange(call, given.pop())


async def csp_by_grant(call: Call[None, None, GrantForm]) -> Reply:
    """Issues a token to a client application, or changes an API token for one, as the grant type says."""
    form = call.body
    _require_grant_type(form.grant_type, CLIENT_CREDENTIALS, REFRESH_TOKEN)
    organization = _organization(form.org_id) if form.org_id else ""
    if form.grant_type == CLIENT_CREDENTIALS:
        message = IssueClientTokenRequest(organization_id=organization, scopes=form.scope.split())
        return _dto(await _issued(call, message))
    if not form.refresh_token:
        raise invalid(INVALID_BODY, Violation("refresh_token", REQUIRED))
    return await _csp_exchange(call, form.refresh_token, organization)


async def _csp_exchange(call: Call[None, Any, Any], api_token: str, organization: str = "") -> Reply:
    return _dto(await _exchanged(call, api_token, organization), refresh_token=api_token)


async def _issued(call: Call[None, Any, Any], message: IssueClientTokenRequest) -> IssueClientTokenResponse:
    message.client_id, message.client_secret = client_of(call)
    return await call.send(call.services.tokens.IssueClientToken, message)


async def _exchanged(call: Call[None, Any, Any], api_token: str, organization: str = "") -> ExchangeApiTokenResponse:
    message = ExchangeApiTokenRequest(api_token=api_token, organization_id=organization)
    return await call.send(call.services.tokens.ExchangeApiToken, message)


def _dto(issued: IssueClientTokenResponse | ExchangeApiTokenResponse, *, refresh_token: str | None = None) -> Reply:
    body = AccessTokenDto(
        access_token=issued.access_token,
        expires_in=issued.lifetime.seconds,
        scope=" ".join(issued.scopes),
        refresh_token=refresh_token,
    )
    return Reply(body)


def _organization(org_id: str) -> str:
    """Returns the id of an organization.

    Raises:
        Failure: ORGANIZATION_NOT_FOUND, of an id that no organization has.
    """
    if _GUID.fullmatch(org_id) is None:
        raise not_found(ORGANIZATION_NOT_FOUND, org_id[:LONGEST_ECHO])
    return org_id.lower()


def _require_grant_type(given: str, *offered: str) -> None:
    if given not in offered:
        raise Failure(HTTPStatus.BAD_REQUEST, UNSUPPORTED_GRANT_TYPE, f"expected {' or '.join(offered)}")
