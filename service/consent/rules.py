# SPDX-License-Identifier: Apache-2.0
"""The authorization-code flow with PKCE (RFC 6749 section 4.1, RFC 7636): beginning, the answer, and what comes of it.

The state is what binds an answer to whoever began: 256 bits that are good once. An answer ends it, in a transaction that
is committed before the code is sent anywhere, so that of two answers with one state one is exchanged.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from service.access.permissions import Permission
from service.audit import rules as audit
from service.broker import consents, registrations
from service.broker.registrations import require
from service.broker.token_endpoint import Granted, Lost, Refused, Unavailable, plain
from service.clock import MINUTE
from service.consent import queries
from service.consent.authorization_request import Parameters, authorization_uri
from service.consent.requesters import Requester, caller_again, requester_of
from service.crypto.keyring import Where
from service.errors import (
    ConsentLost,
    FailedPrecondition,
    InvalidField,
    NotFound,
    PermissionDenied,
    ProviderRefused,
    Reason,
    Violation,
)
from service.profiles import rules as profiles
from service.profiles.rules import Which

if TYPE_CHECKING:
    from service.access.caller import Caller
    from service.broker.registrations import Registration
    from service.broker.token_endpoint import Outcome
    from service.crypto.keyring import Keyring
    from service.errors import DomainError
    from service.storage.store import Tx
    from service.work import AnonymousWork, Work

LIFETIME: Final = 10 * MINUTE
"""How long a state waits for its answer."""

STATE_DIGEST: Final = "authorization-state"
"""Purpose of the digest that a state is found by."""

_BYTES: Final = 32
_PORTS: Final = {"https": 443, "http": 80}


class Wanted(NamedTuple):
    """What to ask the provider for.

    Attributes:
        scope: The scope; empty: that of the application.
        redirect_uri: Where the provider sends the answer.
    """

    scope: str
    redirect_uri: str


class Started(NamedTuple):
    """Where to send the one who consents, and until when the answer is good (epoch microseconds)."""

    authorization_uri: str
    state: str
    expires: int

    def __repr__(self) -> str:
        return f"Started(expires={self.expires})"


class CodeAnswer(NamedTuple):
    """What the provider has sent to the redirect URI (RFC 6749 section 4.1.2, RFC 9207). Empty members were not sent."""

    state: str
    code: str
    error: str
    issuer: str

    def __repr__(self) -> str:
        return "CodeAnswer(***)"


@dataclass(frozen=True, slots=True, repr=False)
class Taken:
    """An authorization whose state is spent, so that its code can be exchanged.

    Attributes:
        profile_id: Id of the profile that is to have the tokens.
        requester: Who began it.
        registration: Our client at the provider.
        token_uri: The token endpoint.
        redirect_uri: The redirect URI of the request.
        scope: The scope of the request.
        code_verifier: What PKCE wants to know of whoever exchanges the code.
    """

    profile_id: int
    requester: Requester
    registration: Registration
    token_uri: str
    redirect_uri: str
    scope: str
    code_verifier: str

    def __repr__(self) -> str:
        return f"Taken(profile_id={self.profile_id})"


class Completed(NamedTuple):
    """The profile that has tokens now."""

    profile_id: int
    profile_name: str


class _Reached(NamedTuple):
    """A profile, in a unit of work of whoever may change it."""

    work: Work
    id: int
    name: str
    organization: int


def start(work: Work, profile_id: int, wanted: Wanted, now: int) -> Started:
    """Makes an authorization request for a profile. `now` is the time that all processes agree on.

    Raises:
        PermissionDenied: PROFILES_UPDATE is missing.
        NotFound: there is no such profile for the caller.
        InvalidField: the redirect URI has a fragment (RFC 6749 section 3.1.2).
        FailedPrecondition: nothing is known of the provider's endpoints.
    """
    profile = _reach(work, profile_id)
    if "#" in wanted.redirect_uri:
        raise InvalidField(Violation("redirect_uri", "must have no fragment"))
    registration = _registration(profile)
    authorize_uri = require(registration.authorize_uri, registration, "authorization")
    require(registration.token_uri, registration, "token")
    scope = wanted.scope or registration.scope
    state, code_verifier = secrets.token_urlsafe(_BYTES), secrets.token_urlsafe(_BYTES)
    state_digest = _digest(work.keyring, state)
    expires = now + LIFETIME
    queries.add(
        work.tx,
        {
            "state_digest": state_digest,
            "profile_id": profile.id,
            **requester_of(work.caller)._asdict(),
            "code_verifier": work.keyring.seal(code_verifier, _place_of_verifier(state_digest)),
            "redirect_uri": wanted.redirect_uri,
            "scope": scope,
            "expires": expires,
            "created": now,
        },
    )
    _record(profile, "profile.ask_consent", {"scope": scope} if scope else {})
    parameters = Parameters(wanted.redirect_uri, scope, state, code_verifier)
    return Started(authorization_uri(authorize_uri, registration, parameters), state, expires)


def take(work: AnonymousWork, answer: CodeAnswer, caller: Caller | None) -> Taken | DomainError:
    """Spends the state of an answer.

    Args:
        work: The unit of work.
        answer: The answer.
        caller: Who brings it, if they have logged in.

    Returns:
        What the exchange needs; or the error where the answer is none to go on with, and the state is spent with that.

    Raises:
        FailedPrecondition: the state is unknown, too old or another user's; or who began may not any more.
    """
    state_digest = _digest(work.keyring, answer.state)
    stored = queries.find(work.tx, state_digest)
    if stored is None or stored.expires <= work.now or (caller is not None and caller.user_id != stored.user_id):
        raise state_invalid()
    requester = Requester(stored.user_id, stored.actor_id, stored.organization)
    try:
        profile = _reach(_work_of(work, requester), stored.profile_id)
    except (NotFound, PermissionDenied):
        raise state_invalid() from None
    queries.remove(work.tx, state_digest)
    registration = _registration(profile)
    refusal = _refusal(answer, registration)
    if refusal is not None:
        _record(profile, "profile.authorize", {"outcome": "refused", **refusal.metadata})
        return refusal
    return Taken(
        profile_id=profile.id,
        requester=requester,
        registration=registration,
        token_uri=require(registration.token_uri, registration, "token"),
        redirect_uri=stored.redirect_uri,
        scope=stored.scope,
        code_verifier=work.keyring.unseal_text(stored.code_verifier, _place_of_verifier(state_digest)),
    )


def settle(work: AnonymousWork, taken: Taken, outcome: Outcome) -> Completed | DomainError:
    """Writes what became of an exchange, for whoever began it.

    Returns:
        The profile; or the error to answer, where that it happened is kept, which an error raised would undo.

    Raises:
        NotFound: the profile is gone, or whoever began does not reach it any more.
        PermissionDenied: they may not change it any more.
        FailedPrecondition: they are gone, or the profile has another client by now.
    """
    profile = _reach(_work_of(work, taken.requester), taken.profile_id)
    if _registration(profile) != taken.registration:
        raise state_invalid()
    match outcome:
        case Granted():
            consents.accept(profile.work, profile.id, taken.registration, outcome, taken.scope)
            return Completed(profile.id, profile.name)
        case Refused(error):
            _record(profile, "profile.authorize", {"outcome": "refused", "failure": error})
            return ProviderRefused(error)
        case Unavailable(error) | Lost(error):
            _record(profile, "profile.authorize", {"outcome": "lost", "failure": error})
            return ConsentLost(error)


def drop_expired(tx: Tx, now: int) -> None:
    """Ends the authorizations whose answer has not come in time."""
    queries.drop_expired(tx, now)


def state_invalid() -> FailedPrecondition:
    """Returns the error that says nothing but that it has to begin again."""
    return FailedPrecondition(
        Reason.AUTHORIZATION_STATE_INVALID,
        "the state is unknown, too old, used already or another user's: begin again",
    )


def _work_of(work: AnonymousWork, requester: Requester) -> Work:
    caller = caller_again(work.tx, requester)
    if caller is None:
        raise state_invalid()
    return work.by(caller)


def _reach(work: Work, profile_id: int) -> _Reached:
    profile = profiles.get(work, Which(profile_id), Permission.PROFILES_UPDATE)
    return _Reached(work, profile.id, profile.name, profile.organization)


def _refusal(answer: CodeAnswer, registration: Registration) -> FailedPrecondition | None:
    """Returns why an answer is none to go on with, if it is none."""
    if answer.issuer and not _may_issue(answer.issuer, registration):
        return state_invalid()
    if not answer.error:
        return None
    error = plain(answer.error) or "unnamed"
    return FailedPrecondition(
        Reason.AUTHORIZATION_REFUSED, f"the provider has not consented: {error}", metadata={"error": error}
    )


def _may_issue(issuer: str, registration: Registration) -> bool:
    """Whether the answer is of the server that was asked (RFC 9207 section 2.4): another one's code is not for it.

    Registrations name endpoints and no issuer. One that shares its origin with either of them is theirs.
    """
    endpoints = (registration.authorize_uri, registration.token_uri)
    return _origin(issuer) in {_origin(endpoint) for endpoint in endpoints}


def _origin(uri: str) -> tuple[str, str | None, int | None]:
    """Returns scheme, host and port (RFC 6454 section 4); of what is no URL, those of none."""
    try:
        parts = urlsplit(uri)
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", None, None


def _registration(profile: _Reached) -> Registration:
    registration = registrations.find(profile.work.tx, profile.work.keyring, profile.id)
    if registration is None:
        raise profiles.not_found(profile.id)
    return registration


def _record(profile: _Reached, action: str, changes: dict[str, object]) -> None:
    audit.record(profile.work, action, f"profiles/{profile.id}", profile.organization, changes)


def _digest(keyring: Keyring, state: str) -> str:
    return keyring.digest(STATE_DIGEST, state.encode()).hex()


def _place_of_verifier(state_digest: str) -> Where:
    return Where("authorizations", "code_verifier", state_digest)
