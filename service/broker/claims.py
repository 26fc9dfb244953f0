# SPDX-License-Identifier: Apache-2.0
"""Who refreshes the tokens of a profile, and what becomes of the answer: each a short transaction, around the call.

A claim is committed before the provider is called, which also proves that the database takes writes, and is settled under
its fence afterwards. One that is never settled was abandoned: its holder has died, and nobody knows whether the provider
had acted. Where that could have spent the refresh token, whoever takes the claim over tries it once more, and if that
outcome gets lost, too, the profile stays in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from service.audit import rules as audit
from service.broker import queries
from service.broker.providers import INVALID_GRANT
from service.broker.registrations import registration_of, require
from service.broker.token_endpoint import Granted, Lost, Refused, Unavailable
from service.changes import rules as outbox
from service.changes.rules import Change
from service.changes.tables import ChangeKind
from service.clock import SECOND
from service.crypto.keyring import Where
from service.errors import FailedPrecondition, ProviderRefused, ProviderUnavailable, Reason
from service.profiles import tokens
from service.profiles.rules import not_found
from service.profiles.tables import TokenState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.broker.queries import StoredClient, StoredTokens
    from service.broker.registrations import Registration
    from service.broker.token_endpoint import Outcome
    from service.crypto.keyring import Keyring
    from service.errors import DomainError
    from service.storage.store import Tx
    from service.work import Work

ABANDONED: Final = "abandoned"
"""What failed where the process that called the provider has died."""


@dataclass(frozen=True, slots=True, repr=False)
class Claim:
    """The right to refresh the tokens of a profile, as long as its fence stands.

    Attributes:
        profile_id: Id of the profile.
        fence: Its fence.
        time: When it was claimed, epoch microseconds; the provider is called right behind that.
        registration: Our client at the provider.
        token_uri: The token endpoint.
        refresh_token: The refresh token.
        failures: How many refreshes have failed since the last one that did not.
    """

    profile_id: int
    fence: int
    time: int
    registration: Registration
    token_uri: str
    refresh_token: str
    failures: int

    def __repr__(self) -> str:
        return f"Claim(profile_id={self.profile_id}, fence={self.fence})"


class Held(NamedTuple):
    """Somebody else has the claim, under this fence."""

    fence: int


class Settled(NamedTuple):
    """What became of a claim is stored. `error` is what it means to whoever wanted a token, None for a success."""

    error: DomainError | None


def claim(
    work: Work, profile_id: int, *, seen: int | None = None, take_over: int | None = None, only_due: bool = False
) -> Claim | Held | None:
    """Claims a profile.

    Args:
        work: The unit of work.
        profile_id: Id of the profile.
        seen: The fence of the tokens that will not do; None: they are refreshed however good they are.
        take_over: The fence of a claim that was abandoned.
        only_due: Whether a profile that is not due is left alone.

    Returns:
        None where there is nothing to do.

    Raises:
        NotFound: there is no such profile.
        DomainError: it cannot be refreshed, or not now; see `require_refreshable`.
    """
    stored = queries.find(work.tx, profile_id)
    if stored is None:
        raise not_found(profile_id)
    if only_due and (stored.token_due is None or stored.token_due > work.now):
        return None
    if stored.token_state == TokenState.OK and (take_over is not None or seen not in (None, stored.fence)):
        return None  # somebody has refreshed them since
    abandoned = stored.token_state == TokenState.REFRESHING
    if abandoned and stored.fence != take_over:
        return Held(stored.fence)
    if not abandoned:
        require_refreshable(stored, work.now)
    if stored.refresh_token is None:
        raise consent_needed(profile_id)
    registration = registration_of(stored, work.keyring)
    in_doubt = abandoned and registration.rotates
    if in_doubt and stored.doubtful:
        _write(work, stored, TokenState.IN_DOUBT, failure=ABANDONED, fence=stored.fence + 1)
        return None
    claimed = Claim(
        profile_id,
        stored.fence + 1,
        work.now,
        registration,
        require(registration.token_uri, registration, "token"),
        work.keyring.unseal_text(stored.refresh_token, Where("profiles", "refresh_token", stored.id)),
        stored.token_failures,
    )
    columns: dict[str, object] = {"token_state": TokenState.REFRESHING.value, "fence": claimed.fence, "token_due": None}
    queries.change(work.tx, profile_id, {**columns, "doubtful": stored.doubtful or in_doubt})
    return claimed


def settle(work: Work, claimed: Claim, outcome: Outcome, scope: str, pause: int) -> Settled | None:
    """Writes what became of a claim.

    Args:
        work: The unit of work.
        claimed: The claim.
        outcome: What the provider has answered.
        scope: The narrower scope that was asked for; empty: that of the grant.
        pause: Microseconds until the next try, if there is one.

    Returns:
        None where nothing was written, because the claim has been lost since, or the profile is gone, or this was written
        before and only the database's answer was lost.
    """
    stored = queries.find(work.tx, claimed.profile_id)
    if stored is None or (stored.fence, stored.token_state) != (claimed.fence, TokenState.REFRESHING):
        return None
    match outcome:
        case Granted():
            _settle_granted(work, stored, claimed, outcome, scope)
            return Settled(None)
        case Refused(error):
            return Settled(_settle_refused(work, stored, error, scope))
        case Unavailable(error):
            state = TokenState.IN_DOUBT if stored.doubtful else TokenState.FAILING
            _write(work, stored, state, failure=error, next_try=work.now + pause)
            return Settled(ProviderUnavailable(error, _seconds(pause)))
        case Lost(error, refresh_token):
            if refresh_token:
                return Settled(_settle_half(work, stored, claimed, outcome, pause))
            return Settled(_settle_lost(work, stored, claimed, error, pause))


def require_refreshable(stored: StoredTokens, now: int) -> None:
    """Makes sure that a profile that nobody refreshes can be refreshed now.

    Raises:
        FailedPrecondition: it needs another consent, is in doubt for good, or its provider refuses for good.
        ProviderUnavailable: its next try is not yet due.
    """
    if stored.refresh_token is None or stored.token_state == TokenState.NEEDS_CONSENT:
        raise consent_needed(stored.id)
    if stored.token_state not in (TokenState.IN_DOUBT, TokenState.FAILING):
        return
    if stored.token_next_try > now:
        raise ProviderUnavailable(stored.token_failure, _seconds(stored.token_next_try - now))
    if not stored.token_next_try:
        raise (
            _in_doubt(stored.id) if stored.token_state == TokenState.IN_DOUBT else ProviderRefused(stored.token_failure)
        )


def consent_needed(profile_id: int) -> FailedPrecondition:
    """Returns the error that says that somebody must consent again."""
    return FailedPrecondition(
        Reason.CONSENT_NEEDED,
        f"profile {profile_id} has no refresh token that its provider takes: somebody must consent again",
        metadata={"id": str(profile_id)},
    )


def granted_columns(
    work: Work,
    stored: StoredClient,
    registration: Registration,
    granted: Granted,
    scope: str,
    *,
    since: int,
    spent: str,
) -> dict[str, object]:
    """Returns the columns of a profile whose provider has given tokens. A refresh token is kept if none came.

    Args:
        work: The unit of work.
        stored: The profile as it was.
        registration: Our client at the provider.
        granted: What the provider has given.
        scope: The scope of the tokens unless the provider says otherwise.
        since: From when their life is reckoned, epoch microseconds: it may have taken long to get here.
        spent: The refresh token in whose place they come; empty: there was none.
    """
    now = work.now
    lifetime = registration.lifetime if granted.lifetime is None else granted.lifetime
    expires = since + lifetime if lifetime else 0
    has_refresh_token = bool(granted.refresh_token) or stored.refresh_token is not None
    due = tokens.due_time(stored.id, now, expires) if stored.keep_fresh and has_refresh_token and expires else None
    columns: dict[str, object] = {
        "access_token": work.keyring.seal(granted.access_token, Where("profiles", "access_token", stored.id)),
        "token_state": TokenState.OK.value,
        "token_expires": expires,
        "token_scope": scope if granted.scope is None else granted.scope,
        "token_type": granted.token_type,
        "token_refreshed": now,
        "token_due": due,
        "updated": now,
        "revision": stored.revision + 1,
        **_NO_FAILURE,
    }
    return columns | _refresh_token_columns(work.keyring, stored.id, granted.refresh_token, spent)


def tell(work: Work, stored: StoredClient, kind: ChangeKind, columns: Mapping[str, object]) -> None:
    """Tells those who watch what became of tokens. That a refresh is under way is not told: it is over soon."""
    change = Change(
        profile_id=stored.id,
        organization=stored.organization,
        owner_id=stored.owner_id,
        creator_id=stored.creator_id,
        kind=kind,
        token_state=cast("int", columns["token_state"]),
        revision=cast("int", columns.get("revision", stored.revision)),
    )
    outbox.record(work.tx, change, work.now)


_NO_FAILURE: Final = {"token_next_try": 0, "token_failures": 0, "token_failure": "", "doubtful": False}


def _refresh_token_columns(keyring: Keyring, profile_id: int, refresh_token: str, spent: str) -> dict[str, object]:
    if not refresh_token or refresh_token == spent:
        return {}
    return {
        "refresh_token": keyring.seal(refresh_token, Where("profiles", "refresh_token", profile_id)),
        "spent_refresh_digest": tokens.spent_digest(keyring, spent) if spent else None,
    }


def _settle_granted(work: Work, stored: StoredClient, claimed: Claim, granted: Granted, scope: str) -> None:
    if scope:
        # A token that may do less is its caller's alone. What else came is the grant's.
        columns: dict[str, object] = {
            "token_state": TokenState.OK.value,
            "token_due": _due_again(stored, work.now),
            **_NO_FAILURE,
            **_refresh_token_columns(work.keyring, stored.id, granted.refresh_token, claimed.refresh_token),
        }
        if "refresh_token" in columns:
            columns |= {"updated": work.now, "revision": stored.revision + 1}
    else:
        columns = granted_columns(
            work,
            stored,
            claimed.registration,
            granted,
            stored.token_scope,
            since=claimed.time,
            spent=claimed.refresh_token,
        )
    queries.change(work.tx, stored.id, columns)
    tell(work, stored, ChangeKind.UPDATED if "revision" in columns else ChangeKind.TOKEN_STATE, columns)
    changes: dict[str, object] = {name: "replaced" for name in ("access_token", "refresh_token") if name in columns}
    _record(work, stored, {"outcome": "granted", **({"scope": scope} if scope else {}), **changes})


def _settle_refused(work: Work, stored: StoredClient, error: str, scope: str) -> DomainError:
    if scope and error == "invalid_scope" and not stored.doubtful:
        # The caller's wish was refused: that says nothing against the tokens.
        _write(work, stored, TokenState.OK)
        return ProviderRefused(error)
    if error == INVALID_GRANT:
        _write(work, stored, TokenState.NEEDS_CONSENT, failure=error)
        return consent_needed(stored.id)
    _write(work, stored, TokenState.FAILING, failure=error)
    return ProviderRefused(error)


def _settle_lost(work: Work, stored: StoredClient, claimed: Claim, error: str, pause: int) -> DomainError:
    rotates = claimed.registration.rotates
    if rotates and stored.doubtful:
        _write(work, stored, TokenState.IN_DOUBT, failure=error)
        return _in_doubt(stored.id)
    state = TokenState.IN_DOUBT if rotates else TokenState.FAILING
    _write(work, stored, state, failure=error, next_try=work.now + pause, doubtful=rotates)
    return ProviderUnavailable(error, _seconds(pause))


def _settle_half(work: Work, stored: StoredClient, claimed: Claim, outcome: Lost, pause: int) -> DomainError:
    """Keeps the refresh token of an answer that has no access token to go with it."""
    columns = _refresh_token_columns(work.keyring, stored.id, outcome.refresh_token, claimed.refresh_token)
    if columns:
        columns |= {"updated": work.now, "revision": stored.revision + 1}
    next_try = work.now + pause
    _write(work, stored, TokenState.FAILING, failure=outcome.error, next_try=next_try, doubtful=False, **columns)
    return ProviderUnavailable(outcome.error, _seconds(pause))


def _write(
    work: Work, stored: StoredClient, state: TokenState, *, failure: str = "", next_try: int = 0, **columns: object
) -> None:
    """Writes the state of a profile that has got no access token, and further columns.

    What is in doubt is tried again by itself, whether or not anybody asks: the sooner it is known the better.
    """
    by_itself = next_try if stored.keep_fresh or state is TokenState.IN_DOUBT else 0
    due = _due_again(stored, work.now) if state is TokenState.OK else by_itself or None
    values: dict[str, object] = {
        "token_state": state.value,
        "token_next_try": next_try,
        "token_failures": stored.token_failures + 1 if failure else 0,
        "token_failure": failure,
        "token_due": due,
        **columns,
    }
    queries.change(work.tx, stored.id, values)
    tell(work, stored, ChangeKind.UPDATED if "revision" in columns else ChangeKind.TOKEN_STATE, values)
    changes: dict[str, object] = {name: "replaced" for name in ("refresh_token",) if name in columns}
    if failure:
        changes["failure"] = failure
    _record(work, stored, {"outcome": state.name.lower(), **changes})


def _due_again(stored: StoredClient, now: int) -> int | None:
    return tokens.due_time(stored.id, now, stored.token_expires) if stored.keep_fresh else None


def _record(work: Work, stored: StoredClient, changes: dict[str, object]) -> None:
    audit.record(work, "profile.refresh", f"profiles/{stored.id}", stored.organization, changes)


def _in_doubt(profile_id: int) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.TOKEN_IN_DOUBT,
        f"the provider may have exchanged the refresh token of profile {profile_id} for one that never arrived: "
        "set new tokens, or consent again",
        metadata={"id": str(profile_id)},
    )


def _seconds(microseconds: int) -> int:
    """Returns at least a second: nobody shall come back at once."""
    return max(1, -(-microseconds // SECOND))


def postpone(tx: Tx, profile_id: int, until: int) -> None:
    """Has a profile that is due wait until a time."""
    stored = queries.find(tx, profile_id)
    if stored is not None and stored.token_due is not None and stored.token_due < until:
        queries.change(tx, profile_id, {"token_due": until})


def give_up_due(tx: Tx, profile_id: int) -> None:
    """Has a profile that cannot be refreshed be due no more, until something about it changes."""
    stored = queries.find(tx, profile_id)
    if stored is not None and stored.token_state != TokenState.REFRESHING:
        queries.change(tx, profile_id, {"token_due": None})


def retry_of_application(work: Work, number: int) -> None:
    """Has the failing profiles of an application tried again, because our client there has changed."""
    queries.retry_of_application(work.tx, number, work.now)
