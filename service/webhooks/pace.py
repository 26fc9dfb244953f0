# SPDX-License-Identifier: Apache-2.0
"""How fast deliveries go, and when those that fail are tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from service.clock import HOUR, SECOND

_LONGEST_WISH: Final = 12 * HOUR
"""How long a receiver may have a delivery wait."""

_FACTOR: Final = 4


@dataclass(frozen=True, slots=True)
class Pace:
    """What is bounded, and how long what takes.

    Attributes:
        at_once: Deliveries that are under way to one webhook at the most.
        timeout: Seconds that a receiver may take to answer.
        first_pause: Microseconds after the first failure.
        longest_pause: Microseconds between two tries at the most.
        lease: Seconds after which what another process holds, and shows no sign of life at, is taken over.
        sign_of_life: Seconds between two such signs.
        look: Seconds between two looks for webhooks that have something to be told of.
        rest: The same while there is no webhook.
        farewell: Seconds that a receiver has to answer when the server stops.
    """

    at_once: int = 8
    timeout: float = 15.0
    first_pause: int = 5 * SECOND
    longest_pause: int = 2 * HOUR
    lease: float = 30.0
    sign_of_life: float = 5.0
    look: float = 1.0
    rest: float = 5.0
    farewell: float = 3.0

    def pause(self, attempts: int, wish: int = 0) -> int:
        """Returns microseconds until the next try.

        Each pause is four times as long as the one before, up to the longest, and by up to a half shorter, so that what
        failed together is not tried together.

        Args:
            attempts: Tries that have failed before this one.
            wish: What the receiver asks for; see `retry_after`.
        """
        longest = min(self.first_pause * _FACTOR ** min(attempts, 16), self.longest_pause)
        return max(random.randint(longest // 2, longest), wish)  # noqa: S311 - a pause is no secret


def retry_after(value: str, now: int) -> int:
    """Reads a Retry-After header (RFC 9110 section 10.2.3): seconds, or a date.

    Args:
        value: Its value; empty: there is none.
        now: The time, epoch microseconds.

    Returns:
        Microseconds, twelve hours at the most; 0 for none, for one that has passed, and for what is neither.
    """
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return min(int(text[:9]) * SECOND, _LONGEST_WISH)
    try:
        then = int(parsedate_to_datetime(text).timestamp()) * SECOND
    except (ValueError, OverflowError):
        return 0
    return min(max(then - now, 0), _LONGEST_WISH)
