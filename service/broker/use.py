# SPDX-License-Identifier: Apache-2.0
"""Who may have an access token of a profile, and whether the stored one will do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.access.authorization import Target, authorize
from service.access.permissions import Permission
from service.audit import rules as audit
from service.broker import queries
from service.broker.claims import consent_needed, require_refreshable
from service.crypto.keyring import Where
from service.profiles.rules import not_found
from service.profiles.tables import TokenState

if TYPE_CHECKING:
    from service.broker.queries import StoredTokens
    from service.work import Work


class Wish(NamedTuple):
    """What token a caller wants.

    Attributes:
        profile_id: Of which profile.
        validity: Microseconds that it must be good for.
        scope: Its scope; empty: all of the grant's.
    """

    profile_id: int
    validity: int
    scope: str


class Token(NamedTuple):
    """An access token. Its end is epoch microseconds, 0 where it is not known or there is none."""

    access_token: str
    token_type: str
    expires: int
    scope: str

    def __repr__(self) -> str:
        return "Token(***)"


class Stale(NamedTuple):
    """The stored token will not do, and a refresh can be tried, or is under way.

    Attributes:
        fence: Fence of the profile when that token was stored: what a refresh brings has a higher one.
    """

    fence: int


def take(work: Work, wish: Wish, now: int, seen: Stale | None) -> Token | Stale:
    """Returns the stored token if it will do, and records that the caller has got it: belongs into a write.

    Args:
        work: The unit of work.
        wish: What the caller wants.
        now: The time that all processes agree on.
        seen: What the profile was when the call came; None: it is only coming. What a refresh has brought since is as
            good as it gets, even if the provider gives tokens of a shorter life than is wished.

    Raises:
        PermissionDenied: neither PROFILES_USE nor PROFILES_REVEAL is held.
        NotFound: there is no such profile for the caller.
        FailedPrecondition: the stored token will not do, and cannot be refreshed.
        ProviderUnavailable: nor can it be now.
    """
    stored = _find(work, wish.profile_id)
    if _will_do(stored, wish, now, seen):
        record(work, stored, refreshed=seen is not None)
        return _token(work, stored)
    if stored.token_state == TokenState.REFRESHING:
        return Stale(stored.fence - 1)
    if stored.refresh_token is None:
        raise consent_needed(stored.id)
    require_refreshable(stored, now)
    return Stale(stored.fence)


def reveal_narrowed(work: Work, wish: Wish) -> None:
    """Records that the caller gets a token that was made for this call alone.

    Raises: as `take`.
    """
    record(work, _find(work, wish.profile_id), refreshed=True)


def record(work: Work, stored: StoredTokens, *, refreshed: bool) -> None:
    """Records that the caller has got an access token."""
    changes = {"refreshed": True} if refreshed else None
    audit.record(work, "profile.access_token", f"profiles/{stored.id}", stored.organization, changes)


def _find(work: Work, profile_id: int) -> StoredTokens:
    stored = queries.find_tokens(work.tx, profile_id)
    target = None
    if stored is not None:
        people = (stored.owner_id, stored.creator_id)
        target = Target(stored.organization, people, frozenset({Permission.PROFILES_ALL}))
    needed, instead = Permission.PROFILES_USE, Permission.PROFILES_REVEAL
    authorize(work.caller, needed, target, not_found(profile_id), instead=instead)
    if stored is None:
        raise not_found(profile_id)
    return stored


def _will_do(stored: StoredTokens, wish: Wish, now: int, seen: Stale | None) -> bool:
    if stored.access_token is None or (wish.scope and set(wish.scope.split()) != set(stored.token_scope.split())):
        return False
    if seen is not None and stored.token_state == TokenState.OK and stored.fence > seen.fence:
        return True
    if not stored.token_expires:
        # It has no end, or nobody has said when: then the first refresh tells.
        return stored.refresh_token is None or stored.token_refreshed > 0
    return stored.token_expires - now >= wish.validity


def _token(work: Work, stored: StoredTokens) -> Token:
    sealed = stored.access_token or b""
    access_token = work.keyring.unseal_text(sealed, Where("profiles", "access_token", stored.id))
    return Token(access_token, stored.token_type or "Bearer", stored.token_expires, stored.token_scope)
