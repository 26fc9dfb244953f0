# SPDX-License-Identifier: Apache-2.0
"""Forms are taken only from pages of our own: what a form says must be what the browser's cookie says (double submit).

A page of another site can send a form here, but neither read the cookie nor set it, and SameSite keeps the browser from
sending it along. Nothing is kept on the server, so any process may answer.
"""

from __future__ import annotations

import hmac
import re
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import hdrs
from yarl import URL

from gateway.dialects.venafi.activation.places import SITE
from gateway.endpoint import SEC_FETCH_SITE
from gateway.failures import Failure

if TYPE_CHECKING:
    from aiohttp import web

COOKIE: Final = "almoner-activation"

_FORM = re.compile(r"[A-Za-z0-9_-]{22}")


class FormToken(NamedTuple):
    """What the next form carries, and the headers that make the browser remember it."""

    text: str
    headers: dict[str, str]


def form_token(request: web.Request) -> FormToken:
    """Returns the browser's token; a new one where it has none."""
    known = _known(request)
    if known:
        return FormToken(known, {})
    text = secrets.token_urlsafe(16)
    secure = "; Secure" if request.secure else ""
    cookie = f"{COOKIE}={text}; Path={SITE}; HttpOnly; SameSite=Strict{secure}"
    return FormToken(text, {hdrs.SET_COOKIE: cookie})


def require_own_form(request: web.Request, sent: str) -> None:
    """Refuses a form that did not come from a page of this server.

    Raises:
        Failure: it came from another site, or its token is not the browser's.
    """
    origin = request.headers.get(hdrs.ORIGIN)
    # Where the browser says Sec-Fetch-Site, the endpoint has looked at it already.
    if origin is not None and SEC_FETCH_SITE not in request.headers and not _is_own(origin, request):
        raise Failure(HTTPStatus.FORBIDDEN, "CROSS_ORIGIN", "forms of pages of another origin are refused")
    known = _known(request)
    if not known or not hmac.compare_digest(known.encode(), sent.encode("utf-8", "surrogatepass")):
        raise Failure(HTTPStatus.FORBIDDEN, "FORM_EXPIRED", "this form is out of date, or your browser refuses cookies")


def _known(request: web.Request) -> str:
    text = request.cookies.get(COOKIE, "")
    return text if _FORM.fullmatch(text) else ""


def _is_own(origin: str, request: web.Request) -> bool:
    """Whether the origin is this server's, by its name; a proxy that ends TLS changes the scheme."""
    try:
        return URL(origin).authority.lower() == request.host.lower()
    except ValueError:
        return False
