# SPDX-License-Identifier: Apache-2.0
"""Failures of the activation page: in words for people, as a page."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from gateway.dialects.venafi.activation import pages
from gateway.routing import ErrorForm, Refusal, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

CHALLENGE = 'Bearer realm="almoner"'
"""Of a scheme that makes no browser ask for a password: the page does that."""


class Wording(NamedTuple):
    """Status and text of a failure."""

    status: HTTPStatus
    text: str


_NOT_YOURS = "You may not use this application, or not for all that it asks for."

CORRECTABLE: Mapping[str, Wording] = MappingProxyType(
    {
        "CREDENTIALS_INVALID": Wording(
            HTTPStatus.UNAUTHORIZED, "User name and password do not fit, or may not sign in."
        ),
        "DEVICE_CODE_EXPIRED": Wording(
            HTTPStatus.BAD_REQUEST, "The code is unknown, has expired or was used already. Start again on the device."
        ),
        "INVALID_FIELD": Wording(HTTPStatus.BAD_REQUEST, "The code is none."),
        "GRANT_REFUSED": Wording(HTTPStatus.FORBIDDEN, _NOT_YOURS),
        "SCOPE_REFUSED": Wording(HTTPStatus.FORBIDDEN, _NOT_YOURS),
        "TOO_MANY_ATTEMPTS": Wording(HTTPStatus.TOO_MANY_REQUESTS, "Too many attempts. Wait a moment and try again."),
    }
)
"""Failures that show the form again, by reason."""


def render(refused: Refused) -> Refusal:
    """Words any other failure as a page."""
    failure = refused.failure
    return Refusal(failure.status, pages.failed(failure.message))


ERRORS = ErrorForm(
    body=str,
    render=render,
    challenge=CHALLENGE,
    content_type="text/html; charset=utf-8",
    encode=str.encode,
)
