# SPDX-License-Identifier: Apache-2.0
"""What is PostgreSQL's own: connections that are kept for reads, and reads that bypass Core."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Integer, Select, bindparam, cast, column, func, literal, literal_column, select, table, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from service.server import open_store
from service.storage.facts import KEYRING_FACT, find_fact
from service.storage.postgresql import PostgresStore
from service.storage.statements import FETCH, many, scalar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from service.storage.store import Tx
    from tests.databases import PostgresTemplate

TERMINATE = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
)

SERIES = select(func.generate_series(cast(bindparam("most"), Integer), 1, -1).label("n"))
QUOTIENT = select(literal_column("6") / cast(bindparam("divisor"), Integer))


@pytest.fixture
async def store(postgres_template: PostgresTemplate, tmp_path: Path) -> AsyncIterator[PostgresStore]:
    async with postgres_template.copy(tmp_path) as settings:
        store = open_store(settings)
        assert isinstance(store, PostgresStore)
        yield store
        await store.close()


def countdown(tx: Tx, start: int) -> list[int]:
    return [row[0] for row in many(tx, tuple[int], SERIES, {"most": start})]


def share_of_six(tx: Tx, among: int) -> object:
    return scalar(tx, QUOTIENT, {"divisor": among})


def keyring_of(tx: Tx) -> str | None:
    return find_fact(tx, KEYRING_FACT)


async def test_reads_go_on_when_the_server_has_dropped_every_connection(store: PostgresStore) -> None:
    before = await asyncio.gather(*(store.read(keyring_of) for _ in range(20)))
    assert store._kept.idle > 1
    await store.write(lambda tx: tx.execute(TERMINATE))
    assert await asyncio.gather(*(store.read(keyring_of) for _ in range(20))) == before


async def test_reads_at_the_same_time_find_each_its_own(store: PostgresStore) -> None:
    numbers = [*range(100), *range(10)]
    found = await asyncio.gather(*(store.read(partial(countdown, start=number)) for number in numbers))
    assert found == [[*range(number, 0, -1)] for number in numbers]


async def test_reads_at_the_same_time_share_a_connection(store: PostgresStore) -> None:
    await asyncio.gather(*(store.read(keyring_of) for _ in range(50)))
    # The first is sent at once, the others together.
    assert store._kept.idle == 2


async def test_one_that_fails_among_others_fails_alone(store: PostgresStore) -> None:
    reads = (store.read(partial(share_of_six, among=among)) for among in (1, 2, 0, 3))
    found = await asyncio.gather(*reads, return_exceptions=True)
    assert isinstance(found.pop(2), DBAPIError)
    assert found == [6, 3, 2]


async def test_who_gives_up_leaves_the_others_theirs(store: PostgresStore) -> None:
    reads = [asyncio.create_task(store.read(keyring_of)) for _ in range(3)]
    await asyncio.sleep(0)
    reads[1].cancel()
    first, second, third = await asyncio.gather(*reads, return_exceptions=True)
    assert isinstance(second, asyncio.CancelledError)
    assert first == third == await store.read(keyring_of)


async def test_a_read_goes_on_on_a_connection_of_its_own_once_it_needs_one(store: PostgresStore) -> None:
    def read(tx: Tx) -> tuple[str | None, int, str | None]:
        return keyring_of(tx), tx.execute(select(literal(7))).scalar_one(), keyring_of(tx)

    found = await asyncio.gather(*(store.read(read) for _ in range(20)))
    keyring = await store.read(keyring_of)
    assert found == [(keyring, 7, keyring)] * 20


async def test_a_read_that_fails_fails_as_core_says(store: PostgresStore) -> None:
    nowhere: Select[Any] = select(column("name")).select_from(table("nowhere"))
    with pytest.raises(ProgrammingError, match="nowhere"):
        await store.read(lambda tx: many(tx, tuple, nowhere, {}))
    assert await store.read(keyring_of)


async def test_a_pool_of_one_connection_serves_reads_and_writes(
    postgres_template: PostgresTemplate, tmp_path: Path
) -> None:
    async with postgres_template.copy(tmp_path) as settings:
        store = PostgresStore(settings.database_url, pool_size=1)
        async with asyncio.timeout(20):
            for _ in range(3):
                assert await store.read(keyring_of) == await store.write(keyring_of)
        await store.close()


async def test_nothing_stays_prepared_where_the_url_says_so(
    postgres_template: PostgresTemplate, tmp_path: Path
) -> None:
    """Behind a pooler the next statement may come to another server, which has prepared others under the same names."""
    async with postgres_template.copy(tmp_path) as settings:
        mark = "&" if "?" in settings.database_url else "?"
        store = PostgresStore(f"{settings.database_url}{mark}prepared_statement_cache_size=0", pool_size=2)
        assert await store.read(keyring_of)
        assert await store.read(lambda tx: tx.get_execution_options().get(FETCH)) is None
        await store.close()
