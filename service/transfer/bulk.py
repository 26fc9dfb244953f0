# SPDX-License-Identifier: Apache-2.0
"""Many rows at once, with numbers that they bring along, and the counters that go on behind those numbers."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import func, insert, select, text
from sqlalchemy.dialects import sqlite

from service.schema import METADATA

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Table

    from service.storage.store import Tx

_SQLITE = sqlite.dialect(paramstyle="named")


_ROOM = ("PRAGMA cache_size=-65536", "PRAGMA wal_autocheckpoint=16384")
"""Memory for the pages of the indexes, in KiB, which otherwise are read again and again, and pages of the log until it
is carried over: 64 MiB each, where the store has 2 and 4."""


def make_room(tx: Tx) -> None:
    """Prepares a connection to SQLite for many rows; everything stays as durable as it was."""
    if tx.dialect.name == "sqlite":
        for setting in _ROOM:
            tx.exec_driver_sql(setting)


def insert_rows(tx: Tx, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Inserts rows that have a value for every column.

    On SQLite the driver does so itself: Core's execution machinery would take as long as SQLite.
    """
    if tx.dialect.name != "sqlite":
        tx.execute(insert(table).inline(), cast("Any", rows))
        return
    driver = cast("sqlite3.Connection", tx.connection.driver_connection)
    driver.executemany(_insertion(table), cast("Any", rows))


def last_numbers(tx: Tx) -> dict[str, int]:
    """Returns the last number that was ever given in each table that counts, as far as any was."""
    if tx.dialect.name == "sqlite":
        counting = {table.name for table in _counting()}
        found = tx.execute(text("SELECT name, seq FROM sqlite_sequence")).all()
        return {name: last for name, last in found if name in counting and last}
    return {table.name: last for table in _counting() if (last := _last_number_of_sequence(tx, table))}


def go_on_behind(tx: Tx, lasts: Mapping[str, int]) -> None:
    """Makes every table count on behind its rows, and behind a number.

    Args:
        tx: The transaction.
        lasts: The number of each table, by its name; see `last_numbers`.
    """
    for table in _counting():
        greatest = int(tx.execute(select(func.max(table.autoincrement_column))).scalar_one() or 0)
        last = max(greatest, lasts.get(table.name, 0))
        if last:
            _set_last_number(tx, table, last)


def _counting() -> list[Table]:
    return [table for table in METADATA.sorted_tables if table.autoincrement_column is not None]


def _sequence(table: Table) -> dict[str, str]:
    key = cast("Any", table.autoincrement_column)
    return {"table": table.name, "key": key.name}


def _last_number_of_sequence(tx: Tx, table: Table) -> int:
    statement = "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(:table, :key)::regclass), 0)"
    return int(tx.execute(text(statement), _sequence(table)).scalar_one())


def _set_last_number(tx: Tx, table: Table, last: int) -> None:
    if tx.dialect.name == "sqlite":
        # It has no key of its own to replace a row by.
        tx.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
        tx.execute(
            text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), {"name": table.name, "last": last}
        )
        return
    statement = "SELECT setval(pg_get_serial_sequence(:table, :key), :last)"
    tx.execute(text(statement), {**_sequence(table), "last": last})


@cache
def _insertion(table: Table) -> str:
    return str(insert(table).inline().compile(dialect=_SQLITE))
