# SPDX-License-Identifier: Apache-2.0
"""The table of the routes to tokens."""

from __future__ import annotations

from http import HTTPStatus

from gateway.dialects.broker import tokens
from gateway.dialects.broker.bodies import AccessToken, AccessTokenWish, ById
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
)
