# SPDX-License-Identifier: Apache-2.0
"""One request to a token endpoint, and what its answer means (RFC 6749 sections 4.1.3, 5 and 6)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias
from urllib.parse import quote_plus, urlencode

import msgspec

from service.applications.tables import ClientAuthentication
from service.clock import DAY, SECOND
from service.outgoing import NotSentError, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.broker.registrations import Registration
    from service.outgoing import Answer, Outgoing

MOST_BYTES: Final = 64 * 1024
"""Of an answer."""

LONGEST_WAIT: Final = DAY
"""Microseconds that a Retry-After may ask for at the most."""

LONGEST_LIFETIME: Final = 10 * 365 * DAY

_LONGEST_TOKEN: Final = 16_384
"""Characters, as of tokens that are set by hand."""

_LONGEST_WORD: Final = 64
_OAUTH_STATUSES: Final = frozenset({200, 400, 401, 403})
_NOT_NOW: Final = frozenset({408, 425, 429, 503})
_TRY_LATER: Final = frozenset({"temporarily_unavailable", "slow_down"})


@dataclass(frozen=True, slots=True, repr=False)
class Granted:
    """The provider has given tokens.

    Attributes:
        access_token: The access token.
        refresh_token: The refresh token; empty: the one that was shown stays.
        token_type: How the access token is presented.
        lifetime: Microseconds until it ends; None: the provider does not say.
        scope: Its scope; None: the provider does not say, so that it is what was asked for.
    """

    access_token: str
    refresh_token: str
    token_type: str
    lifetime: int | None
    scope: str | None

    def __repr__(self) -> str:
        return "Granted(***)"


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider has refused, and will again. `error` is its word for why."""

    error: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The provider has not acted on the request, and may do so another time.

    Attributes:
        error: A word for it.
        retry_after: Microseconds after which it wants to be asked again; 0: it does not say.
    """

    error: str
    retry_after: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no answer that could be understood: nobody here knows whether the provider has acted on the request.

    Attributes:
        error: A word for it.
        refresh_token: What of the answer could be understood, if a refresh token could: it has acted then.
    """

    error: str
    refresh_token: str = field(default="", repr=False)


class Client(Protocol):
    """Our client, as far as it shows who it is."""

    @property
    def client_id(self) -> str:
        """Our client id."""

    @property
    def client_secret(self) -> str:
        """Our client secret; empty: we have none."""

    @property
    def authentication(self) -> ClientAuthentication:
        """How we show who we are."""


Outcome: TypeAlias = Granted | Refused | Unavailable | Lost


async def refresh(
    outgoing: Outgoing, registration: Registration, token_uri: str, refresh_token: str, scope: str, *, seconds: float
) -> Outcome:
    """Asks for an access token by a refresh token (RFC 6749 section 6).

    Args:
        outgoing: Makes the request.
        registration: Our client.
        token_uri: The token endpoint.
        refresh_token: The refresh token.
        scope: A narrower scope than that of the grant; empty: all of it.
        seconds: How long the provider may take.
    """
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token} | ({"scope": scope} if scope else {})
    return await ask(outgoing, registration, token_uri, form, seconds=seconds)


async def ask(
    outgoing: Outgoing, registration: Registration, token_uri: str, form: Mapping[str, str], *, seconds: float
) -> Outcome:
    """Makes a request of the token endpoint, as our client, and says what the answer means."""
    headers, body = authenticated(registration, form)
    try:
        answer = await outgoing.post(token_uri, body, headers, most=MOST_BYTES, seconds=seconds)
    except NotSentError:
        return Unavailable("unreachable")
    except UnansweredError:
        return Lost("unanswered")
    return _meaning(answer, registration)


def authenticated(client: Client, form: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    """Returns header fields and body of a request that shows who we are (RFC 6749 section 2.3.1)."""
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    client_id, secret = client.client_id, client.client_secret
    if client.authentication is ClientAuthentication.BASIC:
        credentials = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(credentials).decode()
        return headers, urlencode(form).encode()
    own = {"client_id": client_id}
    if client.authentication is ClientAuthentication.POST:
        own["client_secret"] = secret
    return headers, urlencode({**form, **own}).encode()


def _meaning(answer: Answer, registration: Registration) -> Outcome:
    status = answer.status
    members = _members(answer.body) if status in _OAUTH_STATUSES else None
    error = _error(members, registration) if members is not None else ""
    if error in _TRY_LATER or status in _NOT_NOW:
        return Unavailable(error or f"http_{status}", retry_after(answer.headers))
    if error == "server_error":
        return Lost(error)
    if error:
        return Refused(error)
    if status == 200:
        return _granted(members or {}) or Lost("malformed", _refresh_token(members or {}) or "")
    # An endpoint that fails may have failed before or after it has spent the refresh token. What else is no answer of
    # OAuth, a redirect for example, comes from something in front of it.
    return Lost(f"http_{status}") if status >= 500 else Unavailable(f"http_{status}")


def _members(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _error(members: Mapping[str, Any], registration: Registration) -> str:
    """Returns the error that an answer names, in the words of RFC 6749 where the provider has others; empty: none."""
    for name in ("error", "status"):
        word = members.get(name)
        if isinstance(word, str) and (name == "error" or word in registration.provider.means):
            return registration.provider.means.get(word, plain(word)) or "unnamed"
    return ""


def error_of(answer: Answer) -> str:
    """Returns the error that an answer of any endpoint names (RFC 6749 section 5.2); empty: none."""
    word = (_members(answer.body) or {}).get("error")
    return plain(word) if isinstance(word, str) else ""


def plain(word: str) -> str:
    """Returns what can stand in a log and in the audit trail of a word that a stranger has sent."""
    return "".join(
        letter for letter in word[:_LONGEST_WORD] if letter.isascii() and (letter.isalnum() or letter in "_-.")
    )


def _granted(members: Mapping[str, Any]) -> Granted | None:
    access_token, refresh_token = members.get("access_token"), _refresh_token(members)
    scope, token_type = members.get("scope"), members.get("token_type") or "Bearer"
    if not (_is_token(access_token) and access_token and refresh_token is not None and _is_token(token_type)):
        return None
    stated = scope if isinstance(scope, str) and _is_token(scope) else None
    # RFC 6749 section 5.1: the type is compared without regard to case.
    kind = "Bearer" if token_type.lower() == "bearer" else token_type
    return Granted(access_token, refresh_token, kind, _lifetime(members.get("expires_in")), stated)


def _refresh_token(members: Mapping[str, Any]) -> str | None:
    """Returns the refresh token of an answer, empty where there is none; None: there is something else in its place."""
    found = members.get("refresh_token") or ""
    return found if _is_token(found) else None


def _is_token(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_TOKEN and value.isprintable()


def _lifetime(stated: object) -> int | None:
    """Returns `expires_in` as microseconds; some providers write it as a text."""
    try:
        seconds = float(stated) if isinstance(stated, int | float | str) and not isinstance(stated, bool) else 0.0
    except ValueError:
        return None
    # Neither infinity nor what is no number passes.
    return min(int(seconds * SECOND), LONGEST_LIFETIME) if 0 < seconds < LONGEST_LIFETIME else None


def retry_after(headers: Mapping[str, str]) -> int:
    """Returns the microseconds of a Retry-After (RFC 9110 section 10.2.3), 0 where there is none that makes sense.

    A date is compared with the Date of the same answer: whether our own clock agrees does not matter then.
    """
    stated = headers.get("Retry-After", "").strip()
    if stated.isascii() and stated.isdecimal():
        return min(int(stated[:12]) * SECOND, LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(stated) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return 0
    return max(0, min(int(wait.total_seconds()) * SECOND, LONGEST_WAIT))
