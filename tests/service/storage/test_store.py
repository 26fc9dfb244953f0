# SPDX-License-Identifier: Apache-2.0
"""One suite for every store: what a unit of work promises, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import bindparam, column, func, insert, select, table, text, update
from sqlalchemy.util import await_only

from service.errors import NotFound, Reason, StorageUnavailable
from service.server import open_store
from service.storage.migrate import migrate
from service.storage.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from service.storage.store import Store, Tx
    from tests.databases import Template

COUNTERS = table("counters", column("name"), column("value"))
INSERT = insert(COUNTERS)
FIND = select(COUNTERS.c.value).where(COUNTERS.c.name == bindparam("of"))
SET = update(COUNTERS).where(COUNTERS.c.name == bindparam("of")).values(value=bindparam("to"))
COUNT = select(func.count()).select_from(COUNTERS)


@pytest.fixture
async def store(template: Template, tmp_path: Path) -> AsyncIterator[Store]:
    async with template.copy(tmp_path) as settings:
        store = open_store(settings)
        await store.write(create_counters)
        yield store
        await store.close()


def create_counters(tx: Tx) -> None:
    tx.execute(text("CREATE TABLE counters (name VARCHAR(40) PRIMARY KEY, value BIGINT NOT NULL CHECK (value < 1000))"))
    tx.execute(INSERT, {"name": "a", "value": 0})


def value_of(tx: Tx, name: str = "a") -> int:
    return int(tx.execute(FIND, {"of": name}).scalar_one())


def increment(tx: Tx) -> int:
    value = value_of(tx) + 1
    tx.execute(SET, {"of": "a", "to": value})
    return value


async def test_a_write_returns_what_its_use_case_returns(store: Store) -> None:
    assert await store.write(increment) == 1


async def test_a_read_sees_what_was_written_before_it(store: Store) -> None:
    await store.write(increment)

    assert await store.read(value_of) == 1
    assert await store.scan(value_of) == 1


async def test_those_who_ask_for_the_same_at_once_share_a_read(store: Store) -> None:
    runs = 0

    def counted(tx: Tx) -> int:
        nonlocal runs
        runs += 1
        return value_of(tx)

    assert await asyncio.gather(*(store.read_shared(counted) for _ in range(20))) == [0] * 20
    assert runs == 1


async def test_a_shared_read_sees_what_was_written_before_it(store: Store) -> None:
    async def write_and_read() -> bool:
        written = await store.write(increment)
        return await store.read_shared(value_of) >= written

    assert all(await asyncio.gather(*(write_and_read() for _ in range(50))))


async def test_who_gives_up_a_shared_read_leaves_it_to_the_others(store: Store) -> None:
    asking = [asyncio.create_task(store.read_shared(value_of)) for _ in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()
    first, *others = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(first, (asyncio.CancelledError, int))
    assert others == [0, 0]


async def test_no_increment_is_lost_among_many_at_once(store: Store) -> None:
    values = await asyncio.gather(*(store.write(increment) for _ in range(100)))

    assert sorted(values) == list(range(1, 101))
    assert await store.read(value_of) == 100


async def test_a_write_that_raises_undoes_itself_alone(store: Store) -> None:
    def increment_and_refuse(tx: Tx) -> None:
        increment(tx)
        raise NotFound(Reason.PROFILE_NOT_FOUND, "refused")

    results = await asyncio.gather(
        store.write(increment),
        store.write(increment_and_refuse),
        store.write(increment),
        return_exceptions=True,
    )

    assert isinstance(results[1], NotFound)
    assert await store.read(value_of) == 2


async def test_a_broken_constraint_undoes_the_write_and_reaches_its_caller(store: Store) -> None:
    def break_it(tx: Tx) -> None:
        tx.execute(INSERT, {"name": "b", "value": 1})
        tx.execute(SET, {"of": "a", "to": 5_000})

    with pytest.raises(Exception, match=r"(?i)check"):
        await store.write(break_it)

    assert await store.read(lambda tx: tx.execute(COUNT).scalar_one()) == 1
    assert await store.write(increment) == 1


async def test_an_error_text_never_shows_parameters(store: Store) -> None:
    with pytest.raises(Exception, match=r"(?i)unique|duplicate") as raised:
        await store.write(lambda tx: tx.execute(INSERT, [{"name": "s3cr3t-mark", "value": 1}] * 2))

    assert "s3cr3t-mark" not in str(raised.value).replace("Key (name)=(s3cr3t-mark)", "")


async def test_a_caller_that_gives_up_leaves_a_store_that_works(store: Store) -> None:
    tasks = [asyncio.create_task(store.write(increment)) for _ in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    answered = [result for result in results if isinstance(result, int)]
    assert len(answered) >= 25
    assert len(set(answered)) == len(answered)
    assert await store.write(increment) == await store.read(value_of)


@pytest.mark.parametrize("method", ["write", "snapshot"])
async def test_whenever_a_caller_gives_up_the_next_one_has_a_connection_that_works(
    template: Template, tmp_path: Path, method: str
) -> None:
    async with template.copy(tmp_path, postgres_pool_size=1) as settings:
        store = open_store(settings)
        await store.write(create_counters)
        for turns in range(30):
            call = asyncio.create_task(getattr(store, method)(increment if method == "write" else value_of))
            for _ in range(10 * turns):
                await asyncio.sleep(0)
            # A deadline may pass while a client hangs up.
            for _ in range(3):
                call.cancel()
                for _ in range(turns % 7):
                    await asyncio.sleep(0)
            await asyncio.gather(call, return_exceptions=True)
            before = await store.read(value_of)
            assert await store.write(increment) > before
        await store.close()


async def test_a_closed_store_refuses_writes(template: Template, tmp_path: Path) -> None:
    async with template.copy(tmp_path) as settings:
        if settings.sqlite_path is None:
            pytest.skip("a pool that is disposed of opens new connections: only the embedded store ends for good")
        store = open_store(settings)
        await store.close()
        await store.close()

        with pytest.raises(StorageUnavailable):
            await store.write(increment)


async def test_writes_that_wait_when_the_store_closes_are_still_done(template: Template, tmp_path: Path) -> None:
    async with template.copy(tmp_path) as settings:
        store = open_store(settings)
        await store.write(create_counters)
        waiting = [asyncio.create_task(store.write(increment)) for _ in range(20)]
        await asyncio.sleep(0)
        done = await asyncio.gather(*waiting)
        await store.close()

        again = open_store(settings)
        assert await again.read(value_of) == max(done) == 20
        await again.close()


async def test_migrations_go_down_and_up_again(template: Template, tmp_path: Path) -> None:
    async with template.copy(tmp_path) as settings:
        await migrate(settings.database_url, "base")
        await migrate(settings.database_url)
        store = open_store(settings)

        assert await store.read(lambda tx: tx.execute(text("SELECT count(*) FROM profiles")).scalar_one()) == 0
        await store.close()


async def test_a_snapshot_stays_what_it_was(store: Store) -> None:
    loop = asyncio.get_running_loop()

    def look_twice(tx: Tx) -> tuple[int, int]:
        before = value_of(tx)
        # Where a use case has a thread, the loop is free meanwhile; elsewhere it waits as drivers do.
        if tx.dialect.name == "sqlite":
            asyncio.run_coroutine_threadsafe(store.write(increment), loop).result(10)
        else:
            await_only(store.write(increment))
        return before, value_of(tx)

    assert await store.snapshot(look_twice) == (0, 0)
    assert await store.read(value_of) == 1


async def test_nothing_can_be_written_in_a_snapshot_of_postgresql(store: Store) -> None:
    if isinstance(store, SqliteStore):
        pytest.skip("SQLite has no such transactions")
    with pytest.raises(StorageUnavailable):
        await store.snapshot(increment)
