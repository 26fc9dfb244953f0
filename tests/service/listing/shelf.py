# SPDX-License-Identifier: Apache-2.0
"""A small table with a field of each kind, its rows, and what a filter means for one of them, said in Python."""

from __future__ import annotations

import importlib
import operator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, String, Table, bindparam, or_, select, text

from service.listing.filter_grammar import And, Comparator, Comparison, Expression, Not, Or, Value
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection

Result = TypeVar("Result")


class Run(Protocol):
    """Runs a use case over a connection."""

    def __call__(self, use_case: Callable[[Connection], Result], /) -> Result: ...


METADATA = MetaData()

BOOKS = Table(
    "listing_books",
    METADATA,
    Column("id", BigInteger, primary_key=True),
    Column("organization_id", String, nullable=False),
    Column("owner_id", String, nullable=False),
    Column("name", String().with_variant(String(collation="C"), "postgresql"), nullable=False, index=True),
    Column("note", String, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("lent", Boolean, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("genre", Integer, nullable=False),
)
_TRIGRAMS = importlib.import_module("service.storage.migrations.versions.0005_trigrams")

GENRES = {"GENRE_UNSPECIFIED": 0, "GENRE_NOVEL": 1, "GENRE_POETRY": 2}

FIELDS = {
    "id": Field(BOOKS.c.id, Kind.INTEGER),
    "name": Field(BOOKS.c.name, Kind.TEXT, has_trigrams=True),
    "note": Field(BOOKS.c.note, Kind.TEXT, has_trigrams=True),
    "pages": Field(BOOKS.c.pages, Kind.INTEGER),
    "lent": Field(BOOKS.c.lent, Kind.BOOLEAN),
    "create_time": Field(BOOKS.c.create_time, Kind.TIMESTAMP),
    "genre": Field(BOOKS.c.genre, Kind.ENUM, names=GENRES, prefix="GENRE_"),
}


class Book(NamedTuple):
    """A row, with defaults so that a test says only what matters to it."""

    id: int
    name: str = ""
    note: str = ""
    pages: int = 0
    lent: bool = False
    create_time: int = 0
    genre: int = 0
    owner_id: str = "ann"
    organization_id: str = "red"


SHELF: Listing[Book] = Listing(
    "books",
    select(*(BOOKS.c[name] for name in Book._fields)),
    fields=FIELDS,
    orderable=("id", "name", "pages", "create_time"),
    key="id",
    scopes={
        "organization": BOOKS.c.organization_id == bindparam("organization"),
        "own": or_(BOOKS.c.owner_id == bindparam("caller"), BOOKS.c.note == bindparam("caller")),
    },
)


def create(connection: Connection) -> None:
    """Makes the table, and an index of the parts of its texts."""
    METADATA.create_all(connection)
    if connection.dialect.name == "postgresql":
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    for column in ("name", "note"):
        if connection.dialect.name == "postgresql":
            statements = [_TRIGRAMS.made_on_postgresql(BOOKS.name, column)]
        else:
            statements = _TRIGRAMS.made_on_sqlite(BOOKS.name, "id", column)
        for statement in statements:
            connection.execute(text(statement))


def put(tx: Connection, books: Iterable[Book]) -> None:
    """Puts books on the shelf."""
    if rows := [book._asdict() for book in books]:
        tx.execute(BOOKS.insert(), rows)


def time_of(text: str) -> int:
    """Microseconds since 1970 of a time in ISO 8601."""
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def holds(expression: Expression, book: Book) -> bool:
    """Whether a filter lets a book through: the meaning of AIP-160, without SQL."""
    match expression:
        case And(operands):
            return all(holds(operand, book) for operand in operands)
        case Or(operands):
            return any(holds(operand, book) for operand in operands)
        case Not(operand):
            return not holds(operand, book)
        case Comparison(name, comparator, value):
            return _compares(FIELDS[name], getattr(book, name), comparator, value)


def _compares(target: Field, actual: Any, comparator: Comparator, value: Value) -> bool:
    if comparator is Comparator.HAS:
        return _has(target, actual, value)
    if comparator is Comparator.EQUALS:
        return _equals(target, actual, value)
    if comparator is Comparator.NOT_EQUALS:
        return not _equals(target, actual, value)
    compare = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[comparator]
    return bool(compare(actual, _stored(target, value)))


def _equals(target: Field, actual: Any, value: Value) -> bool:
    if target.kind is Kind.TEXT:
        return _matches(actual, value)
    return bool(actual == _stored(target, value))


def _has(target: Field, actual: Any, value: Value) -> bool:
    if value.is_anything:
        return bool(actual)
    if target.kind is not Kind.TEXT:
        return _equals(target, actual, value)
    text = _folded(value.text)
    return (
        _matches(_folded(actual), Value(text, value.open_start, value.open_end))
        if value.has_wildcard
        else (text in _folded(actual))
    )


def _matches(actual: str, value: Value) -> bool:
    match value.open_start, value.open_end:
        case True, True:
            return value.text in actual
        case True, False:
            return actual.endswith(value.text)
        case False, True:
            return actual.startswith(value.text)
        case _:
            return actual == value.text


def _folded(text: str) -> str:
    return "".join(character.lower() if character.isascii() else character for character in text)


def _stored(target: Field, value: Value) -> Any:
    match target.kind:
        case Kind.TEXT:
            return value.text
        case Kind.INTEGER:
            return int(value.text)
        case Kind.BOOLEAN:
            return value.text == "true"
        case Kind.TIMESTAMP:
            return time_of(value.text)
        case Kind.ENUM:
            return GENRES["GENRE_" + value.text.removeprefix("GENRE_")]
