# SPDX-License-Identifier: Apache-2.0
"""How often somebody has guessed wrong lately. Kept in this process: what several processes allow adds up."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

from service.clock import MINUTE
from service.errors import TooManyAttempts

if TYPE_CHECKING:
    from service.clock import Clock

MOST: Final = 20
WITHIN: Final = 5 * MINUTE

_MOST_GUESSERS: Final = 10_000


class Guesses:
    """Counts the wrong guesses of users."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wrong: OrderedDict[int, deque[int]] = OrderedDict()

    def check(self, user_id: int) -> None:
        """Refuses another guess of somebody who has been wrong too often.

        Raises:
            TooManyAttempts: MOST times WITHIN the time before now.
        """
        wrong = self._wrong.get(user_id)
        if wrong is not None and len(wrong) == MOST and wrong[0] > self._clock() - WITHIN:
            raise TooManyAttempts("too many unknown codes; try again in some minutes")

    def note_wrong(self, user_id: int) -> None:
        """Notes a wrong guess."""
        self._wrong.setdefault(user_id, deque(maxlen=MOST)).append(self._clock())
        self._wrong.move_to_end(user_id)
        if len(self._wrong) > _MOST_GUESSERS:
            self._wrong.popitem(last=False)
