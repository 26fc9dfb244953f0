# SPDX-License-Identifier: Apache-2.0
"""What only the embedded store does: one commit for many, a file shared by processes, a disk that fails."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from service.errors import StorageUnavailable
from service.storage.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from service.storage.store import Tx


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "file.db")
    await store.write(lambda tx: tx.execute(text("CREATE TABLE notes (body TEXT)")))
    yield store
    await store.close()


def note(body: str) -> Callable[[Tx], None]:
    def use_case(tx: Tx) -> None:
        tx.execute(text("INSERT INTO notes VALUES (:body)"), {"body": body})

    return use_case


def count(tx: Tx) -> int:
    return int(tx.execute(text("SELECT count(*) FROM notes")).scalar_one())


async def test_writes_that_wait_together_share_a_commit(store: SqliteStore, tmp_path: Path) -> None:
    def frames() -> int:
        return (tmp_path / "file.db-wal").stat().st_size

    await store.write(note("first"))
    before = frames()
    await store.write(note("alone"))
    alone = frames() - before
    before = frames()
    await asyncio.gather(*(store.write(note(f"{n}")) for n in range(50)))

    assert frames() - before < 10 * alone


async def test_reads_of_one_turn_of_the_event_loop_see_one_state_and_later_ones_what_is_new(
    store: SqliteStore, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "file.db", isolation_level=None)
    before = await store.read(count)
    other.execute("INSERT INTO notes VALUES ('by another process')")
    assert await store.read(count) == before
    await asyncio.sleep(0)
    assert await store.read(count) == before + 1
    other.close()


async def test_whoever_was_answered_finds_what_they_wrote(store: SqliteStore) -> None:
    """Whatever was read in the turns before."""

    async def read_on() -> None:
        while True:
            await store.read(count)
            await asyncio.sleep(0)

    reading = asyncio.create_task(read_on())
    for n in range(100):
        await store.write(note(f"{n}"))
        assert await store.read(count) == n + 1
    reading.cancel()


async def test_reads_go_on_while_a_sweep_runs(store: SqliteStore) -> None:
    loop = asyncio.get_running_loop()
    entered, leave = asyncio.Event(), threading.Event()

    def hold(tx: Tx) -> None:
        note("held")(tx)
        loop.call_soon_threadsafe(entered.set)
        leave.wait(10)

    writing = asyncio.create_task(store.sweep(hold))
    await entered.wait()
    assert await store.read(count) == 0
    leave.set()
    await writing

    assert await store.read(count) == 1


async def test_another_process_writing_delays_a_write_but_does_not_fail_it(store: SqliteStore, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "file.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing: asyncio.Task[None] = asyncio.create_task(store.write(note("mine")))
    await asyncio.sleep(0.05)
    assert not writing.done()
    other.execute("INSERT INTO notes VALUES ('theirs')")
    other.execute("COMMIT")
    other.close()

    await writing
    assert await store.read(count) == 2


async def test_a_full_disk_fails_every_write_of_the_batch_and_changes_nothing(store: SqliteStore) -> None:
    await store.write(lambda tx: tx.execute(text("PRAGMA max_page_count = 3")))
    big = "x" * 100_000

    results = await asyncio.gather(
        *(store.write(note(big)) for _ in range(5)),
        return_exceptions=True,
    )

    assert all(isinstance(result, StorageUnavailable) for result in results)
    assert await store.read(count) == 0


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is not a database, " * 100)

    with pytest.raises(StorageUnavailable):
        SqliteStore(tmp_path / "text.db")
