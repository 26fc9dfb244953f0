# SPDX-License-Identifier: Apache-2.0
"""What is PostgreSQL's own: connections that are kept for reads, and reads that bypass Core."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Select, column, select, table, text
from sqlalchemy.exc import ProgrammingError

from service.server import open_store
from service.storage.facts import KEYRING_FACT, find_fact
from service.storage.postgresql import PostgresStore
from service.storage.statements import FETCH, many

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from service.storage.store import Tx
    from tests.databases import PostgresTemplate

TERMINATE = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
)


@pytest.fixture
async def store(postgres_template: PostgresTemplate, tmp_path: Path) -> AsyncIterator[PostgresStore]:
    async with postgres_template.copy(tmp_path) as settings:
        store = open_store(settings)
        assert isinstance(store, PostgresStore)
        yield store
        await store.close()


def keyring_of(tx: Tx) -> str | None:
    return find_fact(tx, KEYRING_FACT)


async def test_reads_go_on_when_the_server_has_dropped_every_connection(store: PostgresStore) -> None:
    before = await asyncio.gather(*(store.read(keyring_of) for _ in range(20)))
    assert store._kept.idle > 1
    await store.write(lambda tx: tx.execute(TERMINATE))
    assert await asyncio.gather(*(store.read(keyring_of) for _ in range(20))) == before


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
