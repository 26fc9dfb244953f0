# SPDX-License-Identifier: Apache-2.0
"""The activation page as HTML."""

from __future__ import annotations

from typing import NamedTuple

from gateway import pages
from gateway.dialects.venafi.activation.places import ACTIVATION

_PACKAGE = "gateway.dialects.venafi.activation"
_ENTER, _DECIDE, _FAILED = (pages.template(_PACKAGE, name) for name in ("enter", "decide", "failed"))

# Not no-referrer: with it browsers say `Origin: null` when they send the form, which anybody's page can.
HEADERS = pages.headers(form_action="'self'", referrer_policy="same-origin")


class Asked(NamedTuple):
    """What an application wants in a user's name."""

    application_id: str
    application_name: str
    scopes: str


class Filled(NamedTuple):
    """What the fields of the next form hold already."""

    form_token: str
    user_code: str = ""
    username: str = ""


def enter(filled: Filled, alert: str = "") -> str:
    """Returns the page that asks for code, user name and password."""
    content = pages.filled(_ENTER, action=ACTIVATION, **filled._asdict())
    return pages.page("Activate a device", content, alert)


def decide(filled: Filled, asked: Asked) -> str:
    """Returns the page that says who wants what, and asks whether they may."""
    content = pages.filled(_DECIDE, action=ACTIVATION, **filled._asdict(), **asked._asdict())
    return pages.page("Allow this device?", content)


def failed(text: str) -> str:
    """Returns the page of a failure."""
    return pages.page("That did not work", pages.filled(_FAILED, action=ACTIVATION), text)
