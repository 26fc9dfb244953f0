# SPDX-License-Identifier: Apache-2.0
"""The order of a list (AIP-132), which the unique key makes total, and where a page of it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, or_, tuple_

from service.errors import InvalidOrderBy

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import BindParameter, ColumnElement


class Term(NamedTuple):
    """One field of an order."""

    field: str
    descending: bool


class SortKey(NamedTuple):
    """One term in SQL: what is ordered, which way, and the parameter that holds the last row's value of it."""

    column: ColumnElement[Any]
    descending: bool
    last: BindParameter[Any]


def parse_order_by(text: str, orderable: Collection[str], key: str) -> tuple[Term, ...]:
    """Reads an order such as `name desc, id`.

    Args:
        text: The order; blank means by the key.
        orderable: Fields that it may name.
        key: The unique field that decides between rows that are equal in all others. It goes last, the way of the term
            before it, so that one index serves both; what stands after it could decide nothing and is dropped.

    Raises:
        InvalidOrderBy: a field cannot be ordered by, is named twice, or is followed by something other than `desc`.
    """
    terms = [_term(part, orderable) for part in text.split(",")] if text.strip() else []
    names = [term.field for term in terms]
    for name in names:
        if names.count(name) > 1:
            raise InvalidOrderBy(f"{name} is named twice")
    if key in names:
        return tuple(terms[: names.index(key) + 1])
    return (*terms, Term(key, descending=bool(terms) and terms[-1].descending))


def _term(part: str, orderable: Collection[str]) -> Term:
    match part.split():
        case [name] if name in orderable:
            return Term(name, descending=False)
        case [name, "desc"] if name in orderable:
            return Term(name, descending=True)
    raise InvalidOrderBy(f"takes {', '.join(orderable)}, separated by commas, each alone or followed by desc")


def order_clauses(keys: Sequence[SortKey]) -> list[ColumnElement[Any]]:
    """What ORDER BY takes."""
    return [key.column.desc() if key.descending else key.column.asc() for key in keys]


def after(keys: Sequence[SortKey]) -> ColumnElement[bool]:
    """The condition that a row comes after the last row of the page before.

    In one direction it is a comparison of rows, which both backends answer from an index over these columns. Mixed
    directions are spelled out so that at least the first column bounds the search.
    """
    first, *rest = keys
    if not rest:
        return _beyond(first)
    if any(key.descending != first.descending for key in rest):
        reached = first.column <= first.last if first.descending else first.column >= first.last
        return and_(reached, or_(_beyond(first), after(rest)))
    here = tuple_(*(key.column for key in keys))
    last = tuple_(*(key.last for key in keys))
    return here < last if first.descending else here > last


def _beyond(key: SortKey) -> ColumnElement[bool]:
    return key.column < key.last if key.descending else key.column > key.last
