# SPDX-License-Identifier: Apache-2.0
"""Claims of other processes, and when they may be taken over, told without comparing clocks.

A claim is a row with a fence, a number that every claim raises and that its holder raises, too, to show that they
live. Whoever meets the claim of another process watches the fence by their own monotonic clock: one that has stood still
for the length of a lease belongs to nobody any more. Clocks that are an hour apart make no difference. That two
take over at once, or that a holder comes back, is no harm either: every write is made under the fence that its writer
knows, and the row has one.

Time in which nobody looked hardly counts. When a database comes back after a minute, its first reader sees a fence as it
was before, and its holder may be about to write what they could not.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Key = TypeVar("Key", bound="Hashable")

LEAST_LOOKS: Final = 6
"""How often a fence must be seen standing still at the least: a pause between two looks counts for this part of a lease at
the most."""


class _Seen(NamedTuple):
    """The fence of a claim, for how many seconds it was seen standing still, and when last."""

    fence: int
    stood: float
    last: float


class Watch(Generic[Key]):
    """What one process has seen of claims that others hold."""

    def __init__(self, lease: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Has seen nothing yet.

        Args:
            lease: Seconds for which a fence must stand still; holders raise theirs several times as often.
            monotonic: The clock, in seconds.
        """
        self._lease = lease
        self._monotonic = monotonic
        self._seen: dict[Key, _Seen] = {}

    def is_abandoned(self, key: Key, fence: int) -> bool:
        """Notes the fence of a claim, and says whether it has stood still for the length of a lease."""
        now = self._monotonic()
        seen = self._seen.get(key)
        if seen is None or seen.fence != fence:
            self._seen[key] = _Seen(fence, 0.0, now)
            return False
        stood = seen.stood + min(now - seen.last, self._lease / LEAST_LOOKS)
        self._seen[key] = _Seen(fence, stood, now)
        return stood >= self._lease

    def forget(self, key: Key) -> None:
        """Forgets a claim, which has been taken over or is not there any more."""
        self._seen.pop(key, None)

    def keep_only(self, keys: set[Key]) -> None:
        """Forgets all claims but these."""
        for key in self._seen.keys() - keys:
            del self._seen[key]
