# SPDX-License-Identifier: Apache-2.0
"""Where providers send the browsers of those who have consented (RFC 6749 section 4.1.2): a page that says what came of it."""

from __future__ import annotations

from http import HTTPStatus

from gateway import pages
from gateway.dialects.broker.callback.bodies import AuthorizationAnswer
from gateway.dialects.broker.callback.errors import ERRORS
from gateway.dialects.broker.callback.handlers import complete_authorization
from gateway.routing import Dialect, Route

CALLBACK_PAGE = Dialect(
    name="callback",
    title="Almoner, answers of authorization endpoints",
    prefixes=("/v1/oauth",),
    routes=(
        Route(
            "GET",
            "/v1/oauth/callback",
            complete_authorization,
            "Take the answer of a provider's authorization endpoint",
            "RFC 6749 section 4.1.2; RFC 9207; almoner.v1.ProfileService/CompleteAuthorization",
            reply=str,
            query=AuthorizationAnswer,
            anonymous=True,
            refusals=(
                HTTPStatus.UNAUTHORIZED,
                HTTPStatus.CONFLICT,
                HTTPStatus.TOO_MANY_REQUESTS,
                HTTPStatus.BAD_GATEWAY,
                HTTPStatus.SERVICE_UNAVAILABLE,
            ),
        ),
    ),
    errors=ERRORS,
    members={"state": "state", "code": "code", "error": "error", "issuer": "iss"},
    content_type="text/html; charset=utf-8",
    encode=str.encode,
    # The address of the page has the code and the state in it: nobody else is told it.
    headers=pages.headers(form_action="'none'", referrer_policy="no-referrer"),
)
