# SPDX-License-Identifier: Apache-2.0
"""Pages for people, as HTML without any script. Whatever is put into one is escaped here."""

from __future__ import annotations

import base64
import hashlib
import html
from importlib.resources import files
from string import Template


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def template(package: str, name: str) -> Template:
    """Returns a template that lies in a package, `NAME.html`."""
    return Template(files(package).joinpath(f"{name}.html").read_text().rstrip("\n"))


def filled(source: Template, **values: str) -> Html:
    """Returns a template with its variables filled in."""
    return Html(
        source.substitute(
            {name: value if isinstance(value, Html) else html.escape(value) for name, value in values.items()}
        )
    )


_PAGE, _ALERT, _TOLD = (template(__name__, name) for name in ("page", "alert", "told"))
_STYLE = Html(files(__name__).joinpath("style.css").read_text())
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def page(title: str, content: Html, alert: str = "") -> str:
    """Returns a whole page; `alert` says what went wrong."""
    return filled(
        _PAGE, title=title, style=_STYLE, alert=filled(_ALERT, text=alert) if alert else Html(), content=content
    )


def told(title: str, text: str) -> str:
    """Returns a page that ends it."""
    return page(title, filled(_TOLD, text=text))


def headers(*, form_action: str, referrer_policy: str) -> dict[str, str]:
    """Returns what a browser may do with a page: show it, alone, and send its forms where they may go."""
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {form_action}; "
            "frame-ancestors 'none'; base-uri 'none'"
        ),
        "Referrer-Policy": referrer_policy,
        "X-Content-Type-Options": "nosniff",
    }
