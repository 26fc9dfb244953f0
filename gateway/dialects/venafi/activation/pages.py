# SPDX-License-Identifier: Apache-2.0
"""The activation page as HTML. It has no script, and whatever is put into it is escaped here."""

from __future__ import annotations

import base64
import hashlib
import html
from importlib.resources import files
from string import Template
from typing import NamedTuple

from gateway.dialects.venafi.activation.places import ACTIVATION

_SOURCES = files("gateway.dialects.venafi.activation")


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def _template(name: str) -> Template:
    return Template(_SOURCES.joinpath(f"{name}.html").read_text().rstrip("\n"))


_PAGE, _ALERT, _ENTER, _DECIDE, _TOLD, _FAILED = map(_template, ("page", "alert", "enter", "decide", "told", "failed"))
_STYLE = Html(_SOURCES.joinpath("style.css").read_text())
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    # Not no-referrer: with it browsers say `Origin: null` when they send the form, which anybody's page can.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""What a browser may do with the pages: show them, alone, and send their forms here."""


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
    return _page("Activate a device", _fill(_ENTER, action=ACTIVATION, **filled._asdict()), alert)


def decide(filled: Filled, asked: Asked) -> str:
    """Returns the page that says who wants what, and asks whether they may."""
    content = _fill(_DECIDE, action=ACTIVATION, **filled._asdict(), **asked._asdict())
    return _page("Allow this device?", content)


def told(title: str, text: str) -> str:
    """Returns a page that ends it."""
    return _page(title, _fill(_TOLD, text=text))


def failed(text: str) -> str:
    """Returns the page of a failure."""
    return _page("That did not work", _fill(_FAILED, action=ACTIVATION), text)


def _page(title: str, content: Html, alert: str = "") -> str:
    return _fill(
        _PAGE, title=title, style=_STYLE, alert=_fill(_ALERT, text=alert) if alert else Html(), content=content
    )


def _fill(template: Template, **values: str) -> Html:
    return Html(
        template.substitute(
            {name: value if isinstance(value, Html) else html.escape(value) for name, value in values.items()}
        )
    )
