# SPDX-License-Identifier: Apache-2.0
"""How far a long command is: a line on standard error that is drawn anew, where that is a terminal; else nothing."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable

_INTERVAL: Final = 0.1
"""Seconds between two drawings."""

_WIDTH: Final = 30
"""Characters of the bar."""


class Progress:
    """A bar for as long as the context lasts. It is called with what is done, and of how much."""

    def __init__(self, title: str, unit: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Draws nothing yet.

        Args:
            title: What is being done.
            unit: What is counted.
            clock: Seconds that only grow.
        """
        self._title = title
        self._unit = unit
        self._clock = clock
        self._shown = sys.stderr.isatty()
        self._started = clock()
        self._first: int | None = None
        self._next = 0.0
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            print(file=sys.stderr)

    def __call__(self, done: int, total: int) -> None:
        """Draws the bar, unless that was done a moment ago."""
        now = self._clock()
        if not self._shown or (now < self._next and done < total):
            return
        if self._first is None:
            self._first = done  # what is resumed has not been done now
        self._next = now + _INTERVAL
        self._drawn = True
        print(f"\r{self._line(done, total, now - self._started)}\x1b[K", end="", file=sys.stderr, flush=True)

    def _line(self, done: int, total: int, seconds: float) -> str:
        part = done / total if total else 1.0
        bar = ("#" * int(part * _WIDTH)).ljust(_WIDTH, ".")
        rate = (done - (self._first or 0)) / seconds if seconds else 0.0
        left = f", {(total - done) / rate:,.0f} s left" if rate and done < total else ""
        return f"{self._title} [{bar}] {part:4.0%}  {done:,} of {total:,} {self._unit}, {rate:,.0f}/s{left}"
