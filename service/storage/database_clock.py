# SPDX-License-Identifier: Apache-2.0
"""The time that all processes on one database agree on, whatever their machines' clocks say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from service.clock import Clock
    from service.storage.store import Store, Tx

_NOW: Final = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


class DatabaseClock:
    """A clock (`service.clock.Clock`) that is set by the database's.

    An embedded database has no clock but its machine's, which all who use the file share.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        """Agrees with `clock` until it is set."""
        self._store = store
        self._clock = clock
        self._ahead = 0

    def __call__(self) -> int:
        """Returns the time as epoch microseconds."""
        return self._clock() + self._ahead

    async def set(self) -> None:
        """Asks the database for its time.

        Raises:
            StorageUnavailable: it does not answer.
        """
        before = self._clock()
        there = await self._store.read(_time_of)
        if there is not None:
            # It was looked at some time between the question and the answer.
            self._ahead = there - (before + self._clock()) // 2


def _time_of(tx: Tx) -> int | None:
    return None if tx.dialect.name == "sqlite" else int(tx.execute(_NOW).scalar_one())
