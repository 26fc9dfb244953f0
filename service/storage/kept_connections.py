# SPDX-License-Identifier: Apache-2.0
"""Connections to PostgreSQL that stay out of their pool between reads: the way there and back costs as much as a read.

Depends on SQLAlchemy and service.errors only.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from service.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from service.storage.store import Result, UseCase


@asynccontextmanager
async def lent(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Lends a connection of the pool, to which it goes back unless its user gives up."""
    async with engine.connect() as connection:
        try:
            yield connection
        except asyncio.CancelledError:
            await _drop(connection)
            raise


async def _drop(connection: AsyncConnection) -> None:
    """Ends a connection whose user has given up: what was sent is not answered yet, and the next one's would follow it.

    They would begin in a transaction that is not theirs, and be told that it is too late for its isolation.
    """
    await asyncio.shield(asyncio.create_task(connection.invalidate()))


class _Kept(NamedTuple):
    """A connection, and when it was taken out of the pool, in seconds."""

    connection: AsyncConnection
    since: float


class KeptConnections:
    """Connections in autocommit, each lent to one user at a time."""

    def __init__(self, engine: AsyncEngine, *, most: int, longest: float) -> None:
        """Keeps `most` connections at the most, and each for `longest` seconds."""
        self._engine = engine
        self._longest = longest
        self._free = asyncio.Semaphore(most)
        self._idle: list[_Kept] = []

    @property
    def idle(self) -> int:
        """How many connections are kept and not in use."""
        return len(self._idle)

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[AsyncConnection]:
        """Lends a connection. One whose user fails, or gives up, is not lent again.

        Raises:
            DBAPIError: the database cannot be reached; also OSError, and TimeoutError of the pool.
        """
        async with self._free:
            kept = self._idle.pop() if self._idle else _Kept(await self._engine.connect(), time.monotonic())
            is_sound = False
            try:
                yield kept.connection
                is_sound = True
            except DomainError:
                is_sound = True
                raise
            except asyncio.CancelledError:
                await _drop(kept.connection)
                raise
            finally:
                if is_sound and time.monotonic() - kept.since < self._longest:
                    self._idle.append(kept)
                else:
                    # Whoever gives up must not leave it half way back.
                    await asyncio.shield(asyncio.create_task(kept.connection.close()))

    async def run(self, use_case: UseCase[Result]) -> Result:
        """Runs a use case.

        Raises:
            DBAPIError: the database refuses it or cannot be reached; also OSError, and TimeoutError of the pool.
        """
        async with self.lent() as connection:
            return await connection.run_sync(use_case)

    async def renew(self) -> None:
        """Gives back those that are idle: after a failure of one the others may be as stale."""
        idle, self._idle = self._idle, []
        for kept in idle:
            await kept.connection.close()

    async def close(self) -> None:
        """Gives back those that are idle, and keeps none that comes back later."""
        self._longest = 0
        await self.renew()
