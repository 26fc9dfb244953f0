# SPDX-License-Identifier: Apache-2.0
"""The embedded store: SQLite in WAL mode, where writes that wait together share one commit.

A durable commit costs a disk flush, and one flush can carry many callers' writes. Everything before it takes
microseconds a write and is Python, which one thread runs at a time anyway: handing it to a thread makes the two wait
for each other at every statement. So reads and writes run at once, on the event loop, and only the commit, which waits
for the disk, has a thread; while it waits, the next batch gathers.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, cast

import structlog
from sqlalchemy import create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.pool import NullPool

from service.errors import StorageUnavailable
from service.storage.store import Result, Tx, UseCase

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

_LOG = structlog.get_logger(__name__)

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that is writing."""

BUSY_PAUSE = 0.001
"""Seconds between two tries. SQLite's own pauses grow to a hundred times that: a busy process always comes first."""

IDLE_TURNS = 8
"""Turns of the event loop without another write after which a batch begins. A request takes several: one to be read, one
to have a task, one to wait for others, one to be served."""

MOST_IN_A_BATCH = 64
"""Writes that share one commit at the most, so that the first of them is not held up by the last."""


@dataclass(slots=True)
class _Write(Generic[Result]):
    """A use case that waits for its turn, and its caller who waits for the result."""

    use_case: UseCase[Result]
    future: asyncio.Future[Result]
    sweeps: bool
    result: Result | None = None
    error: Exception | None = None

    def deliver(self) -> None:
        if self.future.done():  # the caller's deadline has passed meanwhile
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(cast("Result", self.result))


class SqliteStore:
    """A `Store` over one SQLite file, which other processes of this machine may use too."""

    def __init__(self, path: Path) -> None:
        """Opens the file, which must exist or be creatable.

        Raises:
            StorageUnavailable: the file cannot be opened, or not in WAL mode.
        """
        self._engine = _engine(path)
        try:
            self._reader, self._scanner, self._writer = (self._engine.connect() for _ in range(3))
        except DatabaseError as error:
            _LOG.error("storage.open_failed", error=str(error.orig))
            raise StorageUnavailable from None
        self._driver = _driver(self._writer)
        self._reading = _driver(self._reader)
        self._in_turn = False
        self._seen_in_turn: dict[UseCase[Any], Any] = {}
        self._scans = ThreadPoolExecutor(1, thread_name_prefix="sqlite-scan")
        self._commits = ThreadPoolExecutor(1, thread_name_prefix="sqlite-commit")
        self._waiting: deque[_Write[Any]] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._closed = False

    async def read(self, use_case: UseCase[Result]) -> Result:
        """See `Store.read`. Runs at once; the reads of one turn of the event loop share a snapshot.

        What a turn runs has come in before it began, so none of it can expect to see what is committed later. While
        there are writes each statement has a snapshot of its own: one that is open at a commit holds up checkpoints.
        """
        return self._read(use_case)

    async def read_shared(self, use_case: UseCase[Result]) -> Result:
        """See `Store.read_shared`. Runs once in a turn of the event loop, while there are writes, too."""
        if use_case not in self._seen_in_turn:
            self._seen_in_turn[use_case] = self._read(use_case)
        return cast("Result", self._seen_in_turn[use_case])

    async def scan(self, use_case: UseCase[Result]) -> Result:
        """See `Store.scan`. Runs on the reader thread, over one snapshot."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._scans, _in_snapshot, self._scanner, use_case)

    async def snapshot(self, use_case: UseCase[Result]) -> Result:
        """See `Store.snapshot`. The same as `scan`."""
        return await self.scan(use_case)

    async def write(self, use_case: UseCase[Result]) -> Result:
        """See `Store.write`. A caller that gives up before its turn comes leaves nothing written."""
        return await self._enqueue(use_case, sweeps=False)

    async def sweep(self, use_case: UseCase[Result]) -> Result:
        """See `Store.sweep`. Runs alone, on the thread that commits."""
        return await self._enqueue(use_case, sweeps=True)

    async def close(self) -> None:
        """See `Store.close`."""
        if self._closed:
            return
        self._closed = True
        if self._writing is not None:
            await self._writing
        for executor in (self._scans, self._commits):
            executor.shutdown()
        _abandon(self._reading)
        for connection in (self._reader, self._scanner, self._writer):
            connection.close()
        self._engine.dispose()

    def _read(self, use_case: UseCase[Result]) -> Result:
        try:
            if not self._in_turn:
                self._begin_turn()
            return use_case(self._reader)
        except (DatabaseError, sqlite3.Error) as error:
            raise _translated(error) from None

    def _begin_turn(self) -> None:
        """Opens a snapshot until the next turn: to begin and to end one costs as much as a statement."""
        asyncio.get_running_loop().call_soon(self._end_turn)
        if self._writing is None:
            self._reading.execute("BEGIN")
        self._in_turn = True

    def _end_turn(self) -> None:
        self._in_turn = False
        self._seen_in_turn.clear()
        if not self._closed:
            _abandon(self._reading)

    def _enqueue(self, use_case: UseCase[Result], *, sweeps: bool) -> asyncio.Future[Result]:
        if self._closed:
            raise StorageUnavailable
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Write(use_case, future, sweeps))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return future

    async def _write_all(self) -> None:
        """Runs what waits, batch by batch, until nothing does."""
        try:
            while self._waiting:
                await self._gather()
                batch = self._next_batch()
                if batch:
                    await self._write_together(batch)
                    for write in batch:
                        write.deliver()
        finally:
            self._writing = None

    async def _gather(self) -> None:
        """Waits while the turns of the event loop bring more writes: those of callers whose requests are there already.

        With nobody else about this takes microseconds; with many it lets a commit carry them all.
        """
        turns_without = 0
        while turns_without < IDLE_TURNS and len(self._waiting) < MOST_IN_A_BATCH:
            before = len(self._waiting)
            await asyncio.sleep(0)
            turns_without = turns_without + 1 if len(self._waiting) == before else 0

    def _next_batch(self) -> list[_Write[Any]]:
        """Takes the writes that share the next commit, or a sweep alone."""
        batch: list[_Write[Any]] = []
        while self._waiting and len(batch) < MOST_IN_A_BATCH:
            if self._waiting[0].sweeps and batch:
                break
            write = self._waiting.popleft()
            if not write.future.done():
                batch.append(write)
                if write.sweeps:
                    break
        return batch

    async def _write_together(self, batch: list[_Write[Any]]) -> None:
        """Runs the writes of a batch in one transaction, and commits once."""
        loop = asyncio.get_running_loop()
        try:
            if batch[0].sweeps:
                await loop.run_in_executor(self._commits, self._sweep, batch[0])
                return
            if not self._begin_at_once():
                await loop.run_in_executor(self._commits, self._begin)
            self._run_all(batch)
            await loop.run_in_executor(self._commits, self._driver.execute, "COMMIT")
        except sqlite3.Error as error:
            _LOG.error("storage.write_failed", error=str(error), writes=len(batch))
            _abandon(self._driver)
            for write in batch:
                write.error = StorageUnavailable()

    def _begin_at_once(self) -> bool:
        """Begins a transaction unless another process has one."""
        try:
            self._driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                return False
            raise
        return True

    def _begin(self) -> None:
        """Begins a transaction once no other process has one; on a thread, because it waits.

        Raises:
            OperationalError: others have been writing all the time.
        """
        give_up = time.monotonic() + BUSY_TIMEOUT
        while not self._begin_at_once():
            if time.monotonic() > give_up:
                raise sqlite3.OperationalError("other processes do not stop writing")
            time.sleep(BUSY_PAUSE)

    def _sweep(self, write: _Write[Any]) -> None:
        self._begin()
        self._driver.execute("COMMIT" if self._run(write) else "ROLLBACK")

    def _run_all(self, batch: list[_Write[Any]]) -> None:
        """Runs the writes of a batch; one that fails undoes itself alone.

        To begin and end a savepoint for each would cost as much as a short write, and few fail once they have changed
        anything. So they run without, and again in savepoints where one left something to undo.
        """
        self._driver.execute("SAVEPOINT batch")
        if all(map(self._run, batch)):
            return
        self._driver.execute("ROLLBACK TO batch")
        for write in batch:
            self._driver.execute("SAVEPOINT use_case")
            if not self._run(write):
                self._driver.execute("ROLLBACK TO use_case")
            self._driver.execute("RELEASE use_case")

    def _run(self, write: _Write[Any]) -> bool:
        """Runs one write, whose failure is its caller's; the loss of the transaction is passed on.

        Returns:
            Whether it has left nothing to undo.
        """
        before = self._driver.total_changes
        write.error = None
        try:
            write.result = write.use_case(self._writer)
        except Exception as error:  # noqa: BLE001 - whatever a use case raises belongs to its caller, who gets it
            if not self._driver.in_transaction:  # a full disk, for example: SQLite has undone the others' writes too
                raise sqlite3.OperationalError("the transaction was rolled back") from None
            write.error = _translated(error)
            return self._driver.total_changes == before
        return True


def _in_snapshot(connection: Tx, use_case: UseCase[Result]) -> Result:
    driver = _driver(connection)
    try:
        driver.execute("BEGIN")
        return use_case(connection)
    except (DatabaseError, sqlite3.Error) as error:
        raise _translated(error) from None
    finally:
        _abandon(driver)


def _abandon(driver: sqlite3.Connection) -> None:
    if driver.in_transaction:
        driver.execute("ROLLBACK")


def _translated(error: Exception) -> Exception:
    """Makes of a database failure what callers can act on. A broken constraint is a fault of ours: it stays."""
    if isinstance(error, (IntegrityError, sqlite3.IntegrityError)):
        return error
    if not isinstance(error, (DatabaseError, sqlite3.Error)):
        return error
    _LOG.error("storage.failed", error=str(getattr(error, "orig", error)))
    return StorageUnavailable()


def _driver(connection: Tx) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def _engine(path: Path) -> Engine:
    """An engine whose connections begin and end transactions only when told to, and hide their parameters."""
    engine = create_engine(
        f"sqlite:///{path}",
        hide_parameters=True,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        # A connection is used by one thread at a time, but not always by the one that opened it.
        connect_args={"check_same_thread": False, "cached_statements": 512},
    )
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute(f"PRAGMA busy_timeout={int(1_000 * BUSY_TIMEOUT)}")
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        message = f"journal mode is {mode}, not WAL"
        raise sqlite3.OperationalError(message)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    # Nothing may wait on the event loop; what must wait for another process does so on a thread.
    connection.execute("PRAGMA busy_timeout=0")
