# SPDX-License-Identifier: Apache-2.0
"""What becomes of the state of tokens when somebody sets them, and when the broker is to act by itself.

The broker's own part, what a provider answers, is in `service.broker`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.clock import MINUTE
from service.errors import InvalidField, Violation
from service.profiles import secrets
from service.profiles.drafts import EXPIRES
from service.profiles.tables import TokenState

if TYPE_CHECKING:
    from service.crypto.keyring import Keyring
    from service.profiles.drafts import Draft
    from service.profiles.queries import StoredProfile
    from service.work import Work

REFRESH_DIGEST: Final = "spent-refresh-token"
"""Purpose of the digest by which a refresh token that was exchanged is known again."""

LONGEST_AHEAD: Final = 5 * MINUTE
"""How long before the end of an access token a profile that is kept fresh is refreshed at the latest."""


class Present(NamedTuple):
    """Which tokens a profile has."""

    access: bool
    refresh: bool


def state_of(present: Present) -> TokenState:
    """Returns the state of tokens of which nothing else is known."""
    return TokenState.OK if any(present) else TokenState.NEEDS_CONSENT


def set_by_hand(present: Present, fence: int) -> dict[str, object]:
    """Returns the columns of a profile whose refresh token somebody has set.

    What was known of the one before counts no longer, and whoever is refreshing with it has lost their claim.
    """
    return {**tried_anew(present), "doubtful": False, "fence": fence + 1, "spent_refresh_digest": None}


def tried_anew(present: Present) -> dict[str, object]:
    """Returns the columns of a profile whose last failure counts no longer."""
    return {"token_state": state_of(present).value, "token_next_try": 0, "token_failures": 0, "token_failure": ""}


NO_TOKENS: Final = {
    **set_by_hand(Present(access=False, refresh=False), -1),
    "token_expires": 0,
    "token_scope": "",
    "token_type": "",
    "token_refreshed": 0,
    "token_due": None,
}
"""The columns of a profile without tokens."""


def of_new(work: Work, profile_id: int, draft: Draft) -> dict[str, object]:
    """Returns the columns about tokens of a profile that is made."""
    present = Present(bool(draft.access_token), bool(draft.refresh_token))
    expires = draft.access_token_expires
    due = _due(work, profile_id, draft, present, expires)
    return {**set_by_hand(present, 0), "token_expires": expires, "token_due": due}


def of_changed(
    work: Work, before: StoredProfile, draft: Draft, members: frozenset[str], after: Draft
) -> dict[str, object]:
    """Returns the columns about tokens that a change by hand writes.

    Args:
        work: The unit of work.
        before: The profile before it.
        draft: The new values.
        members: Which of them count.
        after: The plain members after it.

    Raises:
        InvalidField: there is no access token whose end could be set.
    """
    changed = secrets.changed(work.keyring, before, draft, members)
    present = Present(
        bool(draft.access_token) if "access_token" in members else before.access_token is not None,
        bool(draft.refresh_token) if "refresh_token" in members else before.refresh_token is not None,
    )
    expires = 0 if "access_token" in changed else before.token_expires
    if EXPIRES in members and (draft.access_token_expires or "access_token" in changed):
        expires = draft.access_token_expires
        check_expiry(expires, has_access_token=present.access)
    columns: dict[str, object] = {"token_expires": expires}
    if "access_token" in changed:
        columns |= {"token_scope": "", "token_type": "", "token_refreshed": 0}
    if "refresh_token" in changed:
        columns |= set_by_hand(present, before.fence)
    elif _deserves_another_try(before, after, changed) or ("access_token" in changed and not present.refresh):
        columns |= tried_anew(present)
    if "token_state" in columns or after.keep_fresh != before.keep_fresh or expires != before.token_expires:
        columns["token_due"] = _due(work, before.id, after, present, expires)
    return columns


def check_expiry(expires: int, *, has_access_token: bool) -> None:
    """Lets the end of an access token be set where there is one.

    Raises:
        InvalidField: there is none.
    """
    if expires and not has_access_token:
        raise InvalidField(Violation("profile.access_token_expire_time", "is of no use without an access token"))


def _deserves_another_try(before: StoredProfile, after: Draft, changed: frozenset[str]) -> bool:
    """Whether the provider may take the refresh token now, because another client presents it than before.

    A refresh that is under way goes on: what it brings is worth more than a token that it may have spent.
    """
    has_other_client = (
        after.application_number != before.application_number
        or "client_secret" in changed
        or (not after.application_number and after.client_id != before.client_id)
    )
    return has_other_client and before.token_state in (TokenState.FAILING, TokenState.NEEDS_CONSENT)


def due_time(profile_id: int, now: int, expires: int) -> int:
    """Returns when to refresh ahead of the end of an access token; all times are epoch microseconds.

    The shorter its life the later, relatively; and not all that were refreshed together at the same time again: the id
    of the profile spreads them over a tenth of the life.

    Args:
        profile_id: Id of the profile.
        now: When the token came.
        expires: When it ends; 0: not known, so that there is only one way to find out.
    """
    if not expires:
        return now
    life = max(expires - now, 0)
    spread = life // 10 * (profile_id * 2_654_435_761 % 1_024) // 1_024
    return expires - min(life // 5, LONGEST_AHEAD) - spread


def spent_digest(keyring: Keyring, refresh_token: str) -> str:
    """Returns what a refresh token that was exchanged is remembered by."""
    return keyring.digest(REFRESH_DIGEST, refresh_token.encode()).hex()


def is_spent(keyring: Keyring, profile: StoredProfile, refresh_token: str) -> bool:
    """Whether a refresh token is the one that the profile's present one was got for.

    Who puts it back has read the profile before a refresh and knows nothing of it: the newer one must not be lost.
    """
    if not refresh_token or profile.spent_refresh_digest is None:
        return False
    return spent_digest(keyring, refresh_token) == profile.spent_refresh_digest


def without_stale(keyring: Keyring, before: StoredProfile, draft: Draft, members: frozenset[str]) -> frozenset[str]:
    """Leaves the tokens out of a change that brings back the refresh token which the present one was got for."""
    if "refresh_token" in members and is_spent(keyring, before, draft.refresh_token):
        return members - {"refresh_token", "access_token", EXPIRES}
    return members


def _due(work: Work, profile_id: int, draft: Draft, present: Present, expires: int) -> int | None:
    if not (draft.keep_fresh and present.refresh):
        return None
    return due_time(profile_id, work.now, expires if present.access else 0)
