# SPDX-License-Identifier: Apache-2.0
"""The page where users let devices in (contract section 7), under the vendor's path and in no vendor's likeness."""

from __future__ import annotations

from http import HTTPStatus

from gateway.dialects.venafi.activation import handlers
from gateway.dialects.venafi.activation.bodies import ActivationBody, ByCode
from gateway.dialects.venafi.activation.errors import ERRORS
from gateway.dialects.venafi.activation.pages import HEADERS
from gateway.dialects.venafi.activation.places import ACTIVATION, SITE
from gateway.dialects.venafi.logins import no_credentials
from gateway.routing import Dialect, Route

SOURCE = "Venafi contract section 7; RFC 8628 section 3.3"

ROUTES = (
    Route("GET", ACTIVATION, handlers.show, "Show the activation page", SOURCE, reply=str, anonymous=True),
    Route(
        "GET",
        f"{ACTIVATION}/{{user_code}}",
        handlers.show_code,
        "Show the activation page with a code filled in",
        SOURCE,
        reply=str,
        path_parameters=ByCode,
        anonymous=True,
    ),
    Route(
        "POST",
        ACTIVATION,
        handlers.submit,
        "Show what a device asks for, allow it or refuse it",
        SOURCE,
        reply=str,
        body=ActivationBody,
        body_required=False,
        form=True,
        anonymous=True,
        refusals=(
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
            HTTPStatus.TOO_MANY_REQUESTS,
            HTTPStatus.SERVICE_UNAVAILABLE,
        ),
    ),
)


ACTIVATION_PAGE = Dialect(
    name="activation",
    title="Device activation page",
    prefixes=(SITE,),
    routes=ROUTES,
    errors=ERRORS,
    credentials=no_credentials,
    content_type="text/html; charset=utf-8",
    encode=str.encode,
    headers=HEADERS,
    ignores_case=True,
)
