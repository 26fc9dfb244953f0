# SPDX-License-Identifier: Apache-2.0
"""A list: what it selects, what may be filtered, ordered and seen, and how a page of it is read.

Building a statement costs more than running it, so built statements are kept, and all that differs from call to call
(limit, offset, last keys, organization, caller) is a parameter of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

from sqlalchemy import BigInteger, Select, Text, bindparam, func, select

from service.listing.filter_grammar import parse_filter
from service.listing.filter_sql import Field, Kind, filter_clause
from service.listing.ordering import SortKey, Term, after, order_clauses, parse_order_by
from service.listing.page_tokens import open_token, place_of, seal_token
from service.listing.portable_text import Bytewise
from service.listing.trigrams import NOT_NARROWED, Narrowing, Search, implied, narrowing_of, searches_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement

    from service.crypto.keyring import Keyring
    from service.storage.store import Tx

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000

NEAR = 2_000
"""Rows in which SQLite first looks for a page of what no index has in order; see `Listing`."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """The members of a List request that every list has, as they came.

    Attributes:
        page_size: Rows at the most; 0 for 100, and never more than 1000. Not negative.
        page_token: `Page.next_page_token` of the page before; empty for the first page.
        skip: Rows to leave out first, counted from the token. Not negative.
        filter: An AIP-160 expression.
        order_by: Fields separated by commas, each optionally followed by `desc`.
        count_all: Whether to count the rows of all pages, too.
    """

    page_size: int = 0
    page_token: str = ""
    skip: int = 0
    filter: str = ""
    order_by: str = ""
    count_all: bool = False

    @property
    def limit(self) -> int:
        """Rows of the page at the most."""
        return min(self.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a list a caller may see: rows for which all these clauses of the list hold.

    Attributes:
        clauses: Names of clauses that the `Listing` was given. None of them: everything.
        parameters: Values of the parameters in those clauses.
    """

    clauses: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


class PageContext(NamedTuple):
    """Whom a page token is for: the organization as the request names it, and the id of the caller."""

    organization: str
    caller: str


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in order.

    Attributes:
        rows: The rows.
        next_page_token: Token of the next page; empty at the end.
        total_size: How many rows all pages have together; 0 where nobody asked.
    """

    rows: Sequence[Row]
    next_page_token: str
    total_size: int = 0


class Listing(Generic[Row]):
    """One list, described once, when its module is imported.

    `Row` is the type that the caller gives to the rows; what comes back are read-only Core rows.
    """

    def __init__(
        self,
        name: str,
        base: Select[Any],
        *,
        fields: Mapping[str, Field],
        orderable: Collection[str],
        key: str,
        only_ordered: Mapping[str, Field] | None = None,
        scopes: Mapping[str, ColumnElement[bool]] | None = None,
        scattered: Collection[str] = (),
        default_order_by: str = "",
    ) -> None:
        """Describes a list.

        Args:
            name: Unique among lists; page tokens are bound to it.
            base: Selects the columns and joins of a row, without limit and order. What is joined adds columns and takes
                away no row; where it is an outer join, it is left out of finding which rows a page has.
            fields: What filters may name.
            orderable: Which of the fields orders may name; their columns must be among those of `base`.
            key: An orderable field whose values are unique: it decides the order between rows that are equal.
            only_ordered: What orders may name and filters may not.
            scopes: Clauses over bound parameters that a `Scope` may name. Names of parameters that start with
                `page_` are taken.
            scattered: Names of scopes whose rows no index has in the order of the key. They may be most of the table,
                and then the next page lies in its next rows: there SQLite, which cannot know, looks first. Otherwise it
                would gather and sort all of them for every page.
            default_order_by: The order of a request without one; empty: by the key.
        """
        self.name = name
        self.base = base
        self.fields = fields
        self.orders = {**{field_name: fields[field_name] for field_name in orderable}, **(only_ordered or {})}
        self.key = key
        self.scopes = scopes or {}
        self.scattered = frozenset(scattered)
        self.default_order_by = default_order_by
        self._positions = {field_name: _position(base, ordered) for field_name, ordered in self.orders.items()}

    def page(self, tx: Tx, keyring: Keyring, query: PageQuery, *, scope: Scope, context: PageContext) -> Page[Row]:
        """Reads one page.

        Raises:
            InvalidFilter: the filter is not of AIP-160, or not over the fields of this list.
            InvalidOrderBy: the order names a field that this list cannot be ordered by, or one twice.
            InvalidPageToken: the token is not of this list, request and caller, or not of this server.
        """
        continued = bool(query.page_token)
        order_by = query.order_by.strip() or self.default_order_by
        narrowing = narrowing_of(tx, _searches(self, query.filter), by_key=not order_by)
        shape = (self, query.filter, order_by, scope.clauses, narrowing)
        prepared = _prepare(*shape, continued=continued)
        place = place_of(self.name, context, query.filter, prepared.order)
        limit = query.limit
        parameters = {**scope.parameters, "page_rows": limit + 1, "page_skip": query.skip}
        if continued:
            keys = open_token(keyring, place, query.page_token)
            parameters.update(zip(prepared.last_keys, keys, strict=True))
        rows: Sequence[Any] = ()
        if self._may_be_near(prepared, scope, narrowing) and query.skip < NEAR:
            rows = tx.execute(_prepare(*shape, continued=continued, near=True).statement, parameters).all()
        if len(rows) <= limit:
            rows = tx.execute(prepared.statement, parameters).all()
        total_size = self._count(tx, query, scope, narrowing) if query.count_all else 0
        if len(rows) <= limit:
            return Page(cast("Sequence[Row]", rows), "", total_size)
        rows = rows[:limit]
        last = [rows[-1][self._positions[term.field]] for term in prepared.order]
        return Page(cast("Sequence[Row]", rows), seal_token(keyring, place, last), total_size)

    def _count(self, tx: Tx, query: PageQuery, scope: Scope, narrowing: Narrowing) -> int:
        """Counts the rows of all pages."""
        statement = _prepare_count(self, query.filter, scope.clauses, narrowing)
        return int(tx.execute(statement, scope.parameters).scalar_one())

    def _may_be_near(self, prepared: _Prepared, scope: Scope, narrowing: Narrowing) -> bool:
        """Whether the next rows by the key are where to look for a page first."""
        by_key = len(prepared.order) == 1
        return narrowing.is_tried and not narrowing.searches and by_key and not self.scattered.isdisjoint(scope.clauses)


class _Prepared(NamedTuple):
    """A statement with the order that it has and the names of the parameters for the last row's keys."""

    statement: Select[Any]
    order: tuple[Term, ...]
    last_keys: tuple[str, ...]


@lru_cache(maxsize=256)
def _searches(listing: Listing[Any], filter_text: str) -> frozenset[Search]:
    return frozenset(searches_of(parse_filter(filter_text), listing.fields))


# A statement of the longest filter takes 180 KB.
@lru_cache(maxsize=256)
def _prepare(
    listing: Listing[Any],
    filter_text: str,
    order_by: str,
    scopes: tuple[str, ...],
    narrowing: Narrowing = NOT_NARROWED,
    *,
    continued: bool,
    near: bool = False,
) -> _Prepared:
    """Builds the statement of all requests that differ in values only."""
    order = parse_order_by(order_by, listing.orders, listing.key)
    keys = [_sort_key(index, listing.orders[term.field], term) for index, term in enumerate(order)]
    conditions = _conditions(listing, filter_text, scopes, narrowing)
    if continued:
        conditions.append(after(keys))
    unique = listing.fields[listing.key].column
    if near:
        conditions.append(_is_near(unique, keys[-1], continued=continued))
    # What is sorted and skipped are keys; only the rows of the page are made whole.
    chosen = (
        listing.base.with_only_columns(unique, maintain_column_froms=True)
        .where(*conditions)
        .order_by(*order_clauses(keys))
        .limit(bindparam("page_rows", type_=BigInteger()))
        .offset(bindparam("page_skip", type_=BigInteger()))
    )
    whole = listing.base.where(unique.in_(chosen.correlate(None)))
    statement = whole.order_by(*order_clauses(keys))
    return _Prepared(statement, order, tuple(key.last.key for key in keys))


@lru_cache(maxsize=256)
def _prepare_count(
    listing: Listing[Any], filter_text: str, scopes: tuple[str, ...], narrowing: Narrowing
) -> Select[Any]:
    """Builds the statement that counts the rows of all pages."""
    counted = listing.base.with_only_columns(func.count(), maintain_column_froms=True)
    return counted.where(*_conditions(listing, filter_text, scopes, narrowing))


def _conditions(
    listing: Listing[Any], filter_text: str, scopes: tuple[str, ...], narrowing: Narrowing
) -> list[ColumnElement[bool]]:
    """Returns what the rows of a list that somebody sees and asks for have in common."""
    conditions = [listing.scopes[name] for name in scopes]
    if expression := parse_filter(filter_text):
        known = implied(expression, listing.fields, narrowing)
        conditions += [] if known is None else [known]
        conditions.append(filter_clause(expression, listing.fields))
    return conditions


def _is_near(unique: Any, by_key: SortKey, *, continued: bool) -> ColumnElement[bool]:
    """The condition that a row is among the next ones of its table."""
    rows = unique.table.alias("near")
    key = by_key._replace(column=rows.c[unique.name])
    nearest = select(key.column).order_by(*order_clauses([key])).limit(NEAR)
    return cast("ColumnElement[bool]", unique.in_(nearest.where(after([key])) if continued else nearest))


def _sort_key(index: int, ordered: Field, term: Term) -> SortKey:
    is_text = ordered.kind is Kind.TEXT
    return SortKey(
        Bytewise(ordered.column) if is_text else ordered.column,
        term.descending,
        bindparam(f"page_key_{index}", type_=Text() if is_text else BigInteger()),
    )


def _position(base: Select[Any], ordered: Field) -> int:
    """Where in a row the field's value is: the last row's becomes part of the page token."""
    for position, column in enumerate(base.selected_columns):
        if column.shares_lineage(ordered.column):
            return position
    message = f"{ordered.column} is ordered by, but not selected"
    raise ValueError(message)
