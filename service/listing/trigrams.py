# SPDX-License-Identifier: Apache-2.0
"""Indexes of the three-character parts of a column: they let through too much, but find it at once.

A text holds another only if it holds every three characters in a row of it. So a filter implies a condition that such
an index answers, and the statement of a list has both: the index decides what it costs, never what it finds.

Migrations make the indexes. SQLite's are tables of FTS5, which triggers keep; PostgreSQL's need the extension pg_trgm,
and without them the implied condition costs as much as the filter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from sqlalchemy import ColumnElement, Text, and_, literal, literal_column, or_, select, table

from service.listing.filter_grammar import And, Comparator, Comparison, Expression, Or
from service.listing.portable_text import fold, folded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Select, Table

    from service.listing.filter_sql import Field
    from service.storage.store import Tx

MOST_CANDIDATES = 50_000
"""Rows that a search of SQLite's index may find: what is more common is found sooner by looking at the rows in order."""

MOST_SORTED = 250_000
"""The same where the rows in order are of no use, because the order is another one and all that is found is sorted."""

_SHORTEST = 3
_MOST_PARTS = 16


class Search(NamedTuple):
    """A text of three characters or more, ASCII letters small, that rows must have in a field with an index."""

    field: Field
    text: str


class Narrowing(NamedTuple):
    """What the indexes of a database are asked for one filter: the searches that find little.

    Attributes:
        dialect: Name of the database's dialect.
        searches: What they are asked.
    """

    dialect: str
    searches: frozenset[Search]

    @property
    def is_tried(self) -> bool:
        """Whether the database plans without knowing what is in its tables, so that it takes trying."""
        return self.dialect == "sqlite"


NOT_NARROWED: Final = Narrowing("", frozenset())


def narrowing_of(tx: Tx, searches: frozenset[Search], *, by_key: bool) -> Narrowing:
    """Returns which searches of a filter to ask the indexes. PostgreSQL knows what narrows; on SQLite it is tried.

    Args:
        tx: The connection.
        searches: What the indexes can be asked.
        by_key: Whether the list is in the order of its key.
    """
    narrowing = Narrowing(tx.dialect.name, searches)
    if not narrowing.is_tried:
        return narrowing
    most = MOST_CANDIDATES if by_key else MOST_SORTED
    selective = (search for search in searches if tx.execute(_one_beyond(search, most)).first() is None)
    return narrowing._replace(searches=frozenset(selective))


def implied(expression: Expression, fields: Mapping[str, Field], narrowing: Narrowing) -> ColumnElement[bool] | None:
    """Returns a condition for the indexes that holds wherever a filter does; None if they know nothing of it."""
    match expression:
        case And(operands) | Or(operands):
            each = [implied(operand, fields, narrowing) for operand in operands]
            known = [condition for condition in each if condition is not None]
            if isinstance(expression, And):
                return and_(*known) if known else None
            return or_(*known) if len(known) == len(each) else None
        case Comparison():
            search = _search(expression, fields)
            if search and search in narrowing.searches:
                return _holds(search, narrowing)
        case _:  # of what a text does not hold, an index says nothing
            pass
    return None


def searches_of(expression: Expression | None, fields: Mapping[str, Field]) -> Iterator[Search]:
    """Yields what indexes can be asked about a filter."""
    match expression:
        case And(operands) | Or(operands):
            for operand in operands:
                yield from searches_of(operand, fields)
        case Comparison():
            if search := _search(expression, fields):
                yield search
        case _:
            pass


def _search(comparison: Comparison, fields: Mapping[str, Field]) -> Search | None:
    target, text = fields.get(comparison.field), fold(comparison.value.text)
    if target is None or not target.has_trigrams or len(text) < _SHORTEST:
        return None
    return Search(target, text) if comparison.comparator in {Comparator.HAS, Comparator.EQUALS} else None


def _holds(search: Search, narrowing: Narrowing) -> ColumnElement[bool]:
    column = search.field.column
    if narrowing.dialect != "sqlite":
        return folded(column).contains(search.text, autoescape=True)
    (key,) = cast("Table", cast("Any", column).table).primary_key
    return key.in_(_rows_with(search))


def _one_beyond(search: Search, most: int) -> Select[Any]:
    return _rows_with(search).limit(1).offset(most)


def _rows_with(search: Search) -> Select[Any]:
    """Selects the keys of rows that have every part of the text, and perhaps not the text."""
    index = _index_of(search)
    parts = [search.text[start : start + _SHORTEST] for start in range(len(search.text) - _SHORTEST + 1)]
    query = " AND ".join('"{}"'.format(part.replace('"', '""')) for part in parts[:_MOST_PARTS])
    # FTS5 lets the name of a table stand for what is in it.
    matches = literal_column(index.name).op("MATCH", is_comparison=True)(literal(query, Text()))
    return select(literal_column(f"{index.name}.rowid")).select_from(index).where(matches)


def _index_of(search: Search) -> Any:
    column: Any = search.field.column
    return table(f"{column.table.name}_{column.name}_trigrams")
