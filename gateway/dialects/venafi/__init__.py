# SPDX-License-Identifier: Apache-2.0
"""Venafi Trust Protection Platform, the OAuth family of its WebSDK: /vedsdk.

Its token server and the page where devices are let in are dialects of their own, `vedauth` and `activation`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from gateway.dialects.venafi import applications, configuration, grants, jwt_mappings, roles, rules
from gateway.dialects.venafi.errors import API_KEY_DEPRECATED, ERRORS
from gateway.dialects.venafi.routes import ROUTES
from gateway.failures import Failure
from gateway.routing import Dialect, authorization_header

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

API_KEY = "X-Venafi-Api-Key"


def credentials(headers: CIMultiDictProxy[str]) -> str | None:
    """Returns the Authorization header.

    Raises:
        Failure: there is none, but an API key, as clients had before there were tokens.
    """
    authorization = authorization_header(headers)
    if authorization is None and API_KEY in headers:
        raise Failure(HTTPStatus.UNAUTHORIZED, API_KEY_DEPRECATED, "API keys are deprecated")
    return authorization


VENAFI = Dialect(
    name="venafi",
    title="Venafi Trust Protection Platform",
    prefixes=("/vedsdk",),
    routes=ROUTES,
    errors=ERRORS,
    members={
        **applications.MEMBERS,
        **rules.MEMBERS,
        **grants.MEMBERS,
        **roles.MEMBERS,
        **configuration.MEMBERS,
        **jwt_mappings.MEMBERS,
        "etag": "If-Match",
        "page_size": "Count",
        "skip": "Start",
    },
    security={
        "venafi": {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token with the scope admin, or an API token.",
        }
    },
    credentials=credentials,
    ignores_case=True,
)
