# SPDX-License-Identifier: Apache-2.0
"""When signing keys sign and are published, and how a new one takes over. Times are in epoch microseconds.

Depends on keyring_file and, where a key is made, on jose. Knows neither the file nor the clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from service.clock import MINUTE, SECOND
from service.crypto.keyring_file import SigningKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.crypto.keyring_file import SigningAlgorithm

LONGEST_LIFETIME: Final = 300 * MINUTE
"""The longest that a token may be valid: what VMware Cloud services allow an OAuth app."""

ACTIVATION_DELAY: Final = 10 * MINUTE
"""How long a new key is published before it signs, so that resource servers which cache the set have it by then."""

SHORTEST_DELAY: Final = 2 * SECOND
"""A new key never signs before every process has looked at the file."""

OVERLAP: Final = LONGEST_LIFETIME + 5 * MINUTE
"""How long a key stays published after the next one has begun to sign: until every token that it signed has expired,
and for as long as clocks may differ."""


def new_signing_key(algorithm: SigningAlgorithm, *, created: int, signs_from: int) -> SigningKey:
    """Returns a random key.

    Args:
        algorithm: What it signs with.
        created: When it is made.
        signs_from: When it begins to sign.
    """
    from service.crypto import jose  # noqa: PLC0415 - slow, and seldom needed

    kid, private_key = jose.new_private_key(algorithm)
    return SigningKey(kid=kid, algorithm=algorithm, private_key=private_key, created=created, signs_from=signs_from)


def current(keys: Sequence[SigningKey], now: int) -> SigningKey | None:
    """Returns the key that signs now, None if there are no keys.

    Args:
        keys: In the order in which they were made.
        now: The time.
    """
    for key in reversed(keys):
        if key.signs_from <= now:
            return key
    # The clock of whoever made the first one is ahead of ours.
    return keys[0] if keys else None


def published(keys: Sequence[SigningKey], now: int) -> tuple[SigningKey, ...]:
    """Returns the keys that tokens are verified with now: those that signed, sign and are going to.

    Args:
        keys: In the order in which they were made.
        now: The time.
    """
    return tuple(key for key in keys if key.published_until is None or now < key.published_until)


def succeeded(keys: Sequence[SigningKey], successor: SigningKey, *, now: int, overlap: int) -> tuple[SigningKey, ...]:
    """Returns the keys after a rotation, without those that are published no longer.

    Args:
        keys: In the order in which they were made.
        successor: The new key.
        now: The time.
        overlap: Microseconds from when the successor begins to sign until the keys before it are dropped. It must not
            be shorter than a token may be valid, unless tokens that are still valid are to be refused.
    """
    until = successor.signs_from + overlap
    kept = (replace(key, published_until=min(key.published_until or until, until)) for key in published(keys, now))
    return (*kept, successor)
