# SPDX-License-Identifier: Apache-2.0
"""The store that a deployment outgrows one machine with: PostgreSQL, or what speaks its protocol, by asyncpg.

All state is in the database, so any number of replicas may use it. Writes are serializable, as they are on SQLite by
nature: a rule that checks before it writes is right on both, and what loses a race is run again.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any, cast

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only as await_

from service.errors import StorageUnavailable
from service.storage.kept_connections import KeptConnections, lent
from service.storage.shared_reads import ReadFailedError, SharedReads, beside_core
from service.storage.statements import FETCH

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncEngine

    from service.storage.store import Result, Tx, UseCase

_LOG = structlog.get_logger(__name__)

PATIENCE = 15.0
"""Seconds for which a write that loses races is run again, before its caller is told to come back later."""

RECYCLE = 1800
"""Seconds after which a connection is replaced by a new one."""

LONGEST_PAUSE = 0.05
"""Seconds between two tries at the most; it begins with a twentieth of that and doubles."""

# Serialization failure and deadlock; and a constraint broken by a row that the snapshot could not see yet, which the
# rule finds, and names, when it runs again.
_BROKEN = frozenset({"23505", "23503"})
_RACES = frozenset({"40001", "40P01"}) | _BROKEN

# Classes of SQLSTATE that say that the server is away, does not let us in, is full, starting, stopping or read-only, and races that were lost
# every time.
_AWAY = ("08", "25006", "28", "3D", "40", "53", "55P03", "57", "58")


class PostgresStore:
    """A `Store` over a pool of PostgreSQL connections."""

    def __init__(self, url: str, *, pool_size: int = 10, statement_timeout: float = 30.0) -> None:
        """Prepares the pool; the first use connects.

        Args:
            url: `postgresql+asyncpg://…`.
            pool_size: Connections at the most.
            statement_timeout: Seconds after which the server gives a statement up.
        """
        self._engine = create_async_engine(
            url,
            hide_parameters=True,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            pool_pre_ping=False,
            pool_recycle=RECYCLE,
            connect_args={
                "timeout": 5,
                "server_settings": {
                    "application_name": "almoner",
                    "statement_timeout": str(int(statement_timeout * 1_000)),
                },
            },
        )
        # One statement is one snapshot either way, and without BEGIN and COMMIT it is one round trip instead of three.
        self._reads = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        # What asyncpg keeps prepared is not for a pooler in between that changes servers: its users say so in the URL.
        prepares = self._engine.url.query.get("prepared_statement_cache_size") != "0"
        if prepares:
            self._reads = self._reads.execution_options(**{FETCH: _fetch})
        # Half of the pool at the most, so that there is always a connection for writes.
        lasting = RECYCLE if pool_size > 1 else 0
        self._kept = KeptConnections(self._reads, most=max(1, pool_size // 2), longest=lasting)
        self._quick = SharedReads(self._kept, self._engine.dialect) if prepares else self._kept
        self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writes = self._engine.execution_options(isolation_level="SERIALIZABLE")
        self._losers = asyncio.Lock()
        self._shared: dict[UseCase[Any], _Shared] = {}

    async def read(self, use_case: UseCase[Result]) -> Result:
        """See `Store.read`. Each statement of the use case sees what is committed when it starts."""
        return await self._reading(lambda: self._quick.run(use_case))

    async def read_shared(self, use_case: UseCase[Result]) -> Result:
        """See `Store.read_shared`. Who asks while one runs waits for the next, which all of them share."""
        shared = self._shared.get(use_case)
        if shared is None:
            shared = self._shared[use_case] = _Shared(lambda: self.read(use_case))
        return cast("Result", await shared.result())

    async def scan(self, use_case: UseCase[Result]) -> Result:
        """See `Store.scan`. As `read`, on another connection than those that quick reads take turns on."""

        async def run() -> Result:
            async with lent(self._reads) as connection:
                return await connection.run_sync(use_case)

        return await self._reading(run)

    async def snapshot(self, use_case: UseCase[Result]) -> Result:
        """See `Store.snapshot`."""
        try:
            return await _in_transaction(self._snapshots, use_case)
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            raise _translated(error) from None

    async def write(self, use_case: UseCase[Result]) -> Result:
        """See `Store.write`."""
        try:
            return await self._try(use_case)
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            if _sqlstate(error) not in _RACES:
                raise _translated(error) from None
        # Of the writes of this process that lost a race, one at a time is run again: they would lose to each other.
        async with self._losers:
            return await self._try_again(use_case)

    async def _reading(self, run: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        for last in (False, True):
            try:
                return await run()
            except (DBAPIError, PoolTimeoutError, OSError) as error:
                # A connection that went stale costs one try: the others are renewed with it.
                if _lost_connection(error):
                    await self._kept.renew()
                if last or not _lost_connection(error):
                    raise _translated(error) from None
        raise StorageUnavailable

    async def _try(self, use_case: UseCase[Result]) -> Result:
        return await _in_transaction(self._writes, use_case)

    async def _try_again(self, use_case: UseCase[Result]) -> Result:
        give_up = time.monotonic() + PATIENCE
        pause = LONGEST_PAUSE / 20
        while True:
            try:
                return await self._try(use_case)
            except (DBAPIError, PoolTimeoutError, OSError) as error:
                lasting = _sqlstate(error) in _BROKEN and pause >= LONGEST_PAUSE
                if _sqlstate(error) not in _RACES or lasting or time.monotonic() > give_up:
                    raise _translated(error) from None
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - a pause is no secret
            pause = min(2 * pause, LONGEST_PAUSE)

    async def sweep(self, use_case: UseCase[Result]) -> Result:
        """See `Store.sweep`. The same as `write`: nobody waits for it but its caller."""
        return await self.write(use_case)

    async def close(self) -> None:
        """See `Store.close`."""
        await self._kept.close()
        await self._engine.dispose()


class _Shared:
    """Runs something over and over, one after the other, each time for all who have asked since the last one began."""

    def __init__(self, run: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._run = run
        self._asked: list[asyncio.Future[Any]] = []
        self._running: asyncio.Task[None] | None = None

    def result(self) -> asyncio.Future[Any]:
        """Returns the future of what a run that has not begun yet will return, or raise. Who gives up holds up nobody."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.append(future)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run_all())
        return future

    async def _run_all(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, []
            try:
                result = await self._run()
            except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who asked
                for future in asked:
                    if not future.done():
                        future.set_exception(error)
            else:
                for future in asked:
                    if not future.done():
                        future.set_result(result)


async def _in_transaction(engine: AsyncEngine, use_case: UseCase[Result]) -> Result:
    async with lent(engine) as connection, connection.begin():
        return await connection.run_sync(use_case)


def _fetch(tx: Tx, text: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]] | None:
    """Runs a read on asyncpg's own connection. If that fails, None: Core then tries, and says what is wrong its way."""
    driver = cast("asyncpg.Connection[Any]", tx.connection.driver_connection)
    try:
        with beside_core(driver):
            return cast("list[tuple[Any, ...]]", await_(driver.fetch(text, *parameters)))
    except ReadFailedError:
        return None


def _sqlstate(error: Exception) -> str:
    original = getattr(error, "orig", None)
    return cast("str", getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or "")


def _lost_connection(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _translated(error: Exception) -> Exception:
    """Makes of a database failure what callers can act on. A statement that is wrong is a fault of ours: it stays."""
    state = _sqlstate(error)
    if isinstance(error, DBAPIError) and not _lost_connection(error) and not state.startswith(_AWAY):
        return error
    _LOG.error("storage.failed", error=type(error).__name__, sqlstate=state)
    return StorageUnavailable()
