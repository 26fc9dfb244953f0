# SPDX-License-Identifier: Apache-2.0
"""Running prebuilt statements: the hot path between a rule and the database.

A statement is built once, with Core, when its module is imported. Its text is also compiled once, and runs on the
driver's own connection: a point read takes microseconds, of which Core's execution machinery would be nine tenths. That
is so on SQLite, and for reads on PostgreSQL; in PostgreSQL's transactions, which Core begins and ends, Core runs it.
"""

from __future__ import annotations

from collections import namedtuple
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar, cast

from sqlalchemy import BindParameter, Boolean
from sqlalchemy.sql import visitors

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import CursorResult, Dialect
    from sqlalchemy.sql import ClauseElement, Executable

    from service.storage.store import Tx

    Fetch: TypeAlias = Callable[[Tx, str, Sequence[Any]], list[tuple[Any, ...]] | None]

Row = TypeVar("Row")

FETCH: Final = "almoner_fetch"
"""Execution option of a connection: what runs a text with its parameters there, beside Core; None: it did not work."""

_PREPARED: dict[tuple[str, object, tuple[str, ...]], _Prepared] = {}


def one(tx: Tx, _row_class: type[Row], statement: Executable, parameters: Mapping[str, object]) -> Row | None:
    """Runs a statement that finds at most one row.

    Args:
        tx: The connection, inside a transaction.
        _row_class: What the row is read as: its attributes are the names of the statement's columns.
        statement: Built once; it is kept for ever with its text.
        parameters: A value for each of its bound parameters.
    """
    if tx.dialect.name != "sqlite":
        rows = many(tx, _row_class, statement, parameters)
        return rows[0] if rows else None
    prepared, cursor = _execute(tx, statement, parameters)
    found = cursor.fetchone()
    return None if found is None else cast("Row", prepared.row(found))


def many(tx: Tx, _row_class: type[Row], statement: Executable, parameters: Mapping[str, object]) -> list[Row]:
    """Runs a statement that finds rows, and returns all of them; see `one`."""
    if tx.dialect.name != "sqlite":
        return cast("list[Row]", _fetched(tx, statement, parameters))
    prepared, cursor = _execute(tx, statement, parameters)
    return cast("list[Row]", [prepared.row(found) for found in cursor.fetchall()])


def scalar(tx: Tx, statement: Executable, parameters: Mapping[str, object]) -> Any:
    """Runs a statement that finds at most one row of one column, and returns its value, or None; see `one`."""
    found = one(tx, tuple, statement, parameters)
    return None if found is None else found[0]


def run(tx: Tx, statement: Executable, parameters: Mapping[str, object]) -> int:
    """Runs a statement that changes rows, and returns how many there were; see `one`.

    An insert, or an update without values of its own, writes the columns that the parameters name.
    """
    if tx.dialect.name != "sqlite":
        return cast("CursorResult[Any]", tx.execute(statement, parameters)).rowcount
    _, cursor = _execute(tx, statement, parameters)
    return cursor.rowcount


def _fetched(tx: Tx, statement: Executable, parameters: Mapping[str, object]) -> list[Any]:
    fetch: Fetch | None = tx.get_execution_options().get(FETCH)
    if fetch is not None:
        prepared = _prepared(tx, statement, parameters)
        found = fetch(tx, prepared.text, prepared.order(parameters))
        if found is not None:
            return [prepared.row(row) for row in found]
    return list(tx.execute(statement, parameters))


class _Prepared(NamedTuple):
    """A statement's text for a database, what puts parameters in the order of its marks, and what makes a row of a tuple."""

    text: str
    order: Callable[[Mapping[str, object]], tuple[object, ...]]
    row: Callable[[tuple[Any, ...]], Any]


def _execute(tx: Tx, statement: Executable, parameters: Mapping[str, object]) -> tuple[_Prepared, sqlite3.Cursor]:
    prepared = _prepared(tx, statement, parameters)
    driver = cast("sqlite3.Connection", tx.connection.driver_connection)
    return prepared, driver.execute(prepared.text, cast("tuple[Any, ...]", prepared.order(parameters)))


def _prepared(tx: Tx, statement: Executable, parameters: Mapping[str, object]) -> _Prepared:
    names = tuple(parameters)
    key = (tx.dialect.name, statement, names)
    found = _PREPARED.get(key)
    if found is None:
        found = _PREPARED[key] = _prepare(cast("ClauseElement", statement), names, tx.dialect)
    return found


def _prepare(statement: ClauseElement, names: tuple[str, ...], dialect: Dialect) -> _Prepared:
    # What an insert or an update is given beyond its own parameters are columns to write.
    columns = [name for name in names if name not in _bound_by(statement)]
    writes = getattr(statement, "is_insert", False) or getattr(statement, "is_update", False)
    compiled: Any = statement.compile(dialect=dialect, column_keys=columns if writes else None)
    constants = {name: value for name, value in compiled.params.items() if name not in names}
    found = getattr(statement, "selected_columns", None) or getattr(statement, "_returning", ())
    return _Prepared(compiled.string, _orderer(compiled.positiontup, constants), _row_maker(found))


def _orderer(names: list[str], constants: Mapping[str, object]) -> Callable[[Mapping[str, object]], tuple[object, ...]]:
    """Returns what lists parameters, and constants among them, as the marks of a text stand for them.

    The driver looks a named parameter up by its name at every execution, which takes longer than to bind it.
    """
    if constants:
        return lambda parameters: tuple([constants[name] if name in constants else parameters[name] for name in names])
    if len(names) == 1:
        (name,) = names
        return lambda parameters: (parameters[name],)
    return itemgetter(*names) if names else lambda _: ()


def _bound_by(statement: ClauseElement) -> set[str]:
    return {element.key for element in visitors.iterate(statement) if isinstance(element, BindParameter)}


def _row_maker(columns: Any) -> Callable[[tuple[Any, ...]], Any]:
    """Returns what gives a tuple of the driver the names of its columns, and its booleans their type."""
    described = list(columns)
    if not described:
        return tuple
    names = [column.name if getattr(column, "name", None) else f"column_{n}" for n, column in enumerate(described)]
    make = cast("Any", namedtuple("Row", names, rename=True))._make  # noqa: PYI024 - the names are data
    booleans = tuple(n for n, column in enumerate(described) if isinstance(column.type, Boolean))
    if not booleans:
        return cast("Callable[[tuple[Any, ...]], Any]", make)

    def make_with_booleans(found: tuple[Any, ...]) -> Any:
        values = list(found)
        for n in booleans:
            values[n] = None if values[n] is None else bool(values[n])
        return make(values)

    return make_with_booleans
