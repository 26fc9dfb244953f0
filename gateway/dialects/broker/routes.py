# SPDX-License-Identifier: Apache-2.0
"""The table of the routes to tokens."""

from __future__ import annotations

from http import HTTPStatus

from gateway.dialects.broker import consents, tokens
from gateway.dialects.broker.bodies import AccessToken, AccessTokenWish, Authorization, AuthorizationWish, ById
from gateway.routing import Route

ROUTES = (
    Route(
        "POST",
        "/v1/profiles/{id}:accessToken",
        tokens.get_access_token,
        "Get an access token of a profile that is good for a while",
        "almoner.v1.ProfileService/GetAccessToken",
        reply=AccessToken,
        path_parameters=ById,
        body=AccessTokenWish,
        body_required=False,
        resource="PROFILE_NOT_FOUND",
        refusals=(HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE),
    ),
    Route(
        "POST",
        "/v1/profiles/{id}:authorize",
        consents.start_authorization,
        "Begin to get the tokens of a profile by consent",
        "almoner.v1.ProfileService/StartAuthorization; RFC 6749 section 4.1; RFC 7636",
        reply=Authorization,
        path_parameters=ById,
        body=AuthorizationWish,
        body_required=False,
        resource="PROFILE_NOT_FOUND",
    ),
)
