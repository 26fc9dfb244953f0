# SPDX-License-Identifier: Apache-2.0
"""Failures of the callback: in words for people, as a page, which shows nothing that came with the request."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway import pages
from gateway.pages import Html
from gateway.routing import ErrorForm, Refusal, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

CHALLENGE: Final = 'Bearer realm="almoner"'
"""Of a scheme that makes no browser ask for a password: nobody has to log in here."""


class Wording(NamedTuple):
    """Status and text of a failure."""

    status: HTTPStatus
    text: str


_AGAIN: Final = "Go back to where you came from, and start again."

WORDINGS: Final[Mapping[str, Wording]] = MappingProxyType(
    {
        "AUTHORIZATION_STATE_INVALID": Wording(
            HTTPStatus.BAD_REQUEST, f"This address is too old, was used already or is not for you. {_AGAIN}"
        ),
        "AUTHORIZATION_REFUSED": Wording(HTTPStatus.CONFLICT, "Access was not allowed, so nothing was connected."),
        "PROVIDER_REFUSED": Wording(HTTPStatus.BAD_GATEWAY, f"The provider did not give access. {_AGAIN}"),
        "PROVIDER_UNAVAILABLE": Wording(HTTPStatus.BAD_GATEWAY, f"The provider did not answer. {_AGAIN}"),
        "INVALID_FIELD": Wording(HTTPStatus.BAD_REQUEST, f"This is not the whole answer of the provider. {_AGAIN}"),
        "INVALID_PARAMETER": Wording(HTTPStatus.BAD_REQUEST, f"This is no answer of a provider. {_AGAIN}"),
    }
)
"""Failures that come of the answer, by reason."""


def render(refused: Refused) -> Refusal:
    """Words a failure as a page."""
    failure = refused.failure
    status, text = WORDINGS.get(failure.reason, Wording(failure.status, failure.message))
    return Refusal(status, pages.page("That did not work", Html(), text))


ERRORS = ErrorForm(
    body=str,
    render=render,
    challenge=CHALLENGE,
    content_type="text/html; charset=utf-8",
    encode=str.encode,
)
