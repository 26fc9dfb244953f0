# SPDX-License-Identifier: Apache-2.0
"""The tables of the token routes. All are anonymous: what they are given is the credential."""

from __future__ import annotations

from http import HTTPStatus

from gateway.dialects.vmware import tokens
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
from gateway.routing import Route

CPN = "/cphub/api/auth"
CSP = "/csp/gateway/am/api"

_ALWAYS = (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_OF_CLIENTS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, *_ALWAYS)

CPN_TOKEN_ROUTES = (
    Route(
        "POST",
        f"{CPN}/v2/authn/authorize",
        tokens.cpn_by_client,
        "Get an access token for a client application in an organization",
        "VMware contract sections 1 and 2",
        reply=AuthenticationTokens,
        query=TokenQuery,
        body=TokenForm,
        body_required=False,
        form=True,
        resource="MEMBERSHIP_NOT_FOUND",
        anonymous=True,
        refusals=_OF_CLIENTS,
    ),
    Route(
        "POST",
        f"{CPN}/v1/authn/accesstoken",
        tokens.cpn_by_api_token,
        "Get an access token for an API token",
        "VMware contract section 1",
        reply=AuthenticationTokens,
        body=RefreshBody,
        anonymous=True,
        refusals=_ALWAYS,
    ),
)


def _grant(path: str) -> Route:
    return Route(
        "POST",
        CSP + path,
        tokens.csp_by_grant,
        "Get an access token by client credentials or API token",
        "VMware contract section 5",
        reply=AccessTokenDto,
        body=GrantForm,
        form=True,
        resource="MEMBERSHIP_NOT_FOUND",
        anonymous=True,
        refusals=_OF_CLIENTS,
    )


CSP_TOKEN_ROUTES = (
    Route(
        "POST",
        f"{CSP}/auth/api-tokens/authorize",
        tokens.csp_by_api_token,
        "Get an access token for an API token",
        "VMware contract section 5",
        reply=AccessTokenDto,
        query=ApiTokenQuery,
        body=ApiTokenForm,
        body_required=False,
        form=True,
        anonymous=True,
        refusals=_ALWAYS,
    ),
    _grant("/auth/authorize"),
    _grant("/auth/token"),
)
