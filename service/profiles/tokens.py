# SPDX-License-Identifier: Apache-2.0
"""What becomes of the tokens of a profile when somebody sets them, and when the broker is to act by itself.

The broker's own part, what a provider answers, is in `service.broker`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.clock import MINUTE
from service.profiles.tables import TokenState

if TYPE_CHECKING:
    from service.crypto.keyring import Keyring
    from service.profiles.queries import StoredProfile

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
