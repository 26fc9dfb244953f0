# SPDX-License-Identifier: Apache-2.0
"""A house with rows in every table, made from the schema, and what a database holds, to compare it with another."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, select

from service.audit.rules import seal_some
from service.crypto.keyring import Keyring
from service.schema import METADATA
from service.server import open_store
from service.transfer import bulk
from service.transfer.contents import AUDIT, NEVER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Column, Table

    from service.settings import Settings
    from service.storage.store import Store, Tx

ODD = ("", 'quoted "\\" \u2028 \U0001f511', "two\nlines\tand a tab é ß 漢字")
ROWS = len(ODD)

Contents = dict[str, list[dict[str, Any]]]


@asynccontextmanager
async def store_of(settings: Settings) -> AsyncIterator[Store]:
    store = open_store(settings)
    try:
        yield store
    finally:
        await store.close()


async def furnish(settings: Settings) -> None:
    """Adds rows to every table of a house, with gaps between their numbers, and seals the audit trail."""
    keyring = Keyring.open(settings.keyring_file)

    def write(tx: Tx) -> None:
        keys: dict[Column[Any], list[Any]] = {}
        for table in METADATA.sorted_tables:
            if table in NEVER | AUDIT:
                continue
            rows = [_row(table, n, keys) for n in range(ROWS)]
            bulk.insert_rows(tx, table, rows)
            for column in table.primary_key.columns:
                keys[column] = [row[column.name] for row in rows]
        bulk.go_on_behind(tx, {"profiles": 5_000})
        seal_some(tx, keyring, now=1)

    async with store_of(settings) as store:
        await store.write(write)


async def contents_of(settings: Settings) -> Contents:
    """Returns every row of every table that may go along."""

    def read(tx: Tx) -> Contents:
        return {
            table.name: [dict(row) for row in tx.execute(select(table).order_by(*table.primary_key.columns)).mappings()]
            for table in METADATA.sorted_tables
            if table not in NEVER
        }

    async with store_of(settings) as store:
        return await store.snapshot(read)


async def last_numbers_of(settings: Settings) -> dict[str, int]:
    async with store_of(settings) as store:
        return await store.snapshot(bulk.last_numbers)


def without_audit(contents: Contents) -> Contents:
    return {name: rows for name, rows in contents.items() if name not in {table.name for table in AUDIT}}


def _row(table: Table, n: int, keys: dict[Column[Any], list[Any]]) -> dict[str, Any]:
    return {column.name: _value(column, n, keys) for column in table.columns}


def _value(column: Column[Any], n: int, keys: dict[Column[Any], list[Any]]) -> Any:
    for key in column.foreign_keys:
        return None if column.nullable and n == 0 else keys[key.column][n]
    if column.nullable and n == 0:
        return None
    if isinstance(column.type, Boolean):
        return bool(n % 2)
    if isinstance(column.type, LargeBinary):
        return f"{column}/{n}".encode() + bytes(range(256))
    if column.primary_key and column is column.table.autoincrement_column:
        return 1_000 + 7 * n
    if isinstance(column.type, Integer):
        return 2 ** (63 if isinstance(column.type, BigInteger) else 31) - 1 - n
    length = getattr(column.type, "length", None)
    return f"{n} {column} {ODD[n]}"[:length]
