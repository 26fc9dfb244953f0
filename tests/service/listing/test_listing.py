# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text

from service.errors import InvalidFilter, InvalidOrderBy, InvalidPageToken
from service.listing import listing
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing, PageContext, PageQuery, Scope, _prepare
from tests.service.listing.filter_texts import shelves
from tests.service.listing.shelf import BOOKS, FIELDS, SHELF, Book, put

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from service.crypto.keyring import Keyring
    from service.listing.listing import Page
    from tests.service.listing.shelf import Run

ANN = PageContext("", "ann")
EVERYTHING = Scope()
ORDERS = [
    "",
    "id desc",
    "name",
    "name desc",
    "name desc, id",
    "name, id desc",
    "pages, name desc, create_time",
    "create_time desc, pages desc, name desc",
    "pages desc, create_time, name desc, id",
]


def read(tx: Connection, keyring: Keyring, query: PageQuery, scope: Scope = EVERYTHING) -> Page[Book]:
    return SHELF.page(tx, keyring, query, scope=scope, context=ANN)


def pages(tx: Connection, keyring: Keyring, query: PageQuery, scope: Scope = EVERYTHING) -> Iterator[Page[Book]]:
    page = read(tx, keyring, query, scope)
    yield page
    while page.next_page_token:
        page = read(tx, keyring, replace(query, page_token=page.next_page_token), scope)
        yield page


def ids(books: Sequence[Book]) -> list[int]:
    return [book.id for book in books]


def in_order(books: list[Book], order_by: str) -> list[int]:
    """The ids of books in an order: sorted by one field after another, from the last to the first."""
    terms = [term.split() for term in order_by.split(",") if term]
    if "id" not in [term[0] for term in terms]:
        terms.append(["id", *(terms[-1][1:] if terms else [])])
    for name, *desc in reversed(terms):
        books = sorted(books, key=lambda book: getattr(book, name), reverse=bool(desc))
    return ids(books)


NUMBERED = [
    Book(number, name=f"book {number % 3}", pages=number % 4, create_time=number % 5) for number in range(1, 13)
]


@pytest.mark.parametrize("order_by", ORDERS)
@pytest.mark.parametrize("page_size", [1, 2, 3, 11, 12, 13, 1000])
def test_paging_visits_every_row_once_in_order(
    on_database: Run, keyring: Keyring, order_by: str, page_size: int
) -> None:
    def visit(tx: Connection) -> list[list[int]]:
        put(tx, NUMBERED)
        return [ids(page.rows) for page in pages(tx, keyring, PageQuery(page_size, order_by=order_by))]

    visited = on_database(visit)
    assert [id_ for page in visited for id_ in page] == in_order(NUMBERED, order_by)
    assert [len(page) for page in visited[:-1]] == [page_size] * (len(visited) - 1)
    assert visited[-1]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    books=shelves,
    order_by=st.sampled_from(ORDERS),
    page_size=st.integers(1, 5),
    filter_text=st.sampled_from(["", "pages >= 0", "name:a OR note:b"]),
)
def test_paging_visits_what_one_large_page_holds(
    *, on_database: Run, keyring: Keyring, books: list[Book], order_by: str, page_size: int, filter_text: str
) -> None:
    def visit(tx: Connection) -> tuple[list[int], list[int]]:
        put(tx, books)
        query = PageQuery(page_size, order_by=order_by, filter=filter_text)
        visited = [id_ for page in pages(tx, keyring, query) for id_ in ids(page.rows)]
        return visited, ids(read(tx, keyring, replace(query, page_size=1000)).rows)

    visited, at_once = on_database(visit)
    assert visited == at_once
    if not filter_text:
        assert at_once == in_order(books, order_by)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    before=shelves, added=shelves, removed=st.sets(st.integers(0, 11)), order_by=st.sampled_from(ORDERS), data=st.data()
)
def test_rows_that_stay_are_visited_once_whatever_comes_and_goes(
    *,
    on_database: Run,
    keyring: Keyring,
    before: list[Book],
    added: list[Book],
    removed: set[int],
    order_by: str,
    data: st.DataObject,
) -> None:
    new = [book for book in added if book.id not in ids(before)]
    gone = {before[index].id for index in removed if index < len(before)}
    change_after = data.draw(st.integers(1, 4))

    def visit(tx: Connection) -> list[int]:
        put(tx, before)
        visited = []
        for number, page in enumerate(pages(tx, keyring, PageQuery(2, order_by=order_by)), start=1):
            visited += ids(page.rows)
            if number == change_after:
                put(tx, new)
                tx.execute(delete(BOOKS).where(BOOKS.c.id.in_(gone)))
        return visited

    visited = on_database(visit)
    assert len(visited) == len(set(visited))
    assert set(ids(before)) - gone <= set(visited) <= set(ids(before)) | set(ids(new))


@pytest.mark.parametrize(
    ("page_size", "rows"), [(0, 100), (1, 1), (100, 100), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)]
)
def test_the_size_of_a_page(on_database: Run, keyring: Keyring, page_size: int, rows: int) -> None:
    def count(tx: Connection) -> int:
        put(tx, [Book(number) for number in range(1005)])
        return len(read(tx, keyring, PageQuery(page_size)).rows)

    assert on_database(count) == rows


@pytest.mark.parametrize(
    ("skip", "first", "second"),
    [(0, [1, 2, 3], [4, 5, 6]), (1, [2, 3, 4], [6, 7, 8]), (10, [11, 12], None), (12, [], None), (2**31 - 1, [], None)],
)
def test_skip_counts_from_where_the_page_would_start(
    on_database: Run, keyring: Keyring, skip: int, first: list[int], second: list[int] | None
) -> None:
    def visit(tx: Connection) -> list[list[int]]:
        put(tx, NUMBERED)
        return [ids(page.rows) for page in pages(tx, keyring, PageQuery(3, skip=skip))][:2]

    assert on_database(visit) == ([first] if second is None else [first, second])


def test_an_empty_list(on_database: Run, keyring: Keyring) -> None:
    page = on_database(lambda tx: read(tx, keyring, PageQuery()))
    assert list(page.rows) == []
    assert not page.next_page_token


def test_a_full_last_page_has_no_token(on_database: Run, keyring: Keyring) -> None:
    def look(tx: Connection) -> str:
        put(tx, NUMBERED)
        return read(tx, keyring, PageQuery(len(NUMBERED))).next_page_token

    assert not on_database(look)


def test_a_row_has_its_columns_by_name(on_sqlite: Run, keyring: Keyring) -> None:
    def look(tx: Connection) -> Book:
        put(tx, [Book(7, name="Emma")])
        return read(tx, keyring, PageQuery()).rows[0]

    row = on_sqlite(look)
    assert (row.id, row.name, row.owner_id) == (7, "Emma", "ann")


LIBRARY = [
    Book(1, owner_id="ann", organization_id="red"),
    Book(2, owner_id="bob", organization_id="red"),
    Book(3, owner_id="bob", organization_id="red", note="ann"),
    Book(4, owner_id="ann", organization_id="blue"),
]


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        (Scope(), [1, 2, 3, 4]),
        (Scope(("organization",), {"organization": "red"}), [1, 2, 3]),
        (Scope(("organization",), {"organization": "blue"}), [4]),
        (Scope(("own",), {"caller": "ann"}), [1, 3, 4]),
        (Scope(("organization", "own"), {"organization": "red", "caller": "ann"}), [1, 3]),
        (Scope(("organization", "own"), {"organization": "red", "caller": "eve"}), []),
    ],
)
@pytest.mark.parametrize("filter_text", ["", "id > 0 OR name = x", "id > 0 AND name != x"])
@pytest.mark.parametrize("page_size", [1, 10])
def test_no_page_and_no_filter_reaches_beyond_the_scope(
    *, on_database: Run, keyring: Keyring, scope: Scope, seen: list[int], filter_text: str, page_size: int
) -> None:
    def visit(tx: Connection) -> list[int]:
        put(tx, LIBRARY)
        query = PageQuery(page_size, filter=filter_text)
        return [id_ for page in pages(tx, keyring, query, scope) for id_ in ids(page.rows)]

    assert on_database(visit) == seen


FIRST = PageQuery(page_size=2, filter="pages >= 0", order_by="name desc")


@pytest.mark.parametrize(
    "changed",
    [
        replace(FIRST, filter=""),
        replace(FIRST, filter="pages >= 1"),
        replace(FIRST, order_by=""),
        replace(FIRST, order_by="name"),
        replace(FIRST, order_by="name desc, id"),
    ],
    ids=str,
)
def test_a_token_is_refused_with_another_filter_or_order(on_sqlite: Run, keyring: Keyring, changed: PageQuery) -> None:
    def look(tx: Connection) -> None:
        put(tx, NUMBERED)
        token = read(tx, keyring, FIRST).next_page_token
        with pytest.raises(InvalidPageToken):
            read(tx, keyring, replace(changed, page_token=token))

    on_sqlite(look)


@pytest.mark.parametrize("context", [PageContext("", "bob"), PageContext("-", "ann"), PageContext("ann", "")])
def test_a_token_is_refused_for_another_caller_or_organization(
    on_sqlite: Run, keyring: Keyring, context: PageContext
) -> None:
    def look(tx: Connection) -> None:
        put(tx, NUMBERED)
        token = read(tx, keyring, FIRST).next_page_token
        with pytest.raises(InvalidPageToken):
            SHELF.page(tx, keyring, replace(FIRST, page_token=token), scope=EVERYTHING, context=context)

    on_sqlite(look)


def test_a_token_is_refused_by_another_server_and_another_list(
    on_sqlite: Run, keyring: Keyring, other_keyring: Keyring
) -> None:
    papers: Listing[Book] = Listing("papers", SHELF.base, fields=FIELDS, orderable=("id", "name"), key="id")

    def look(tx: Connection) -> None:
        put(tx, NUMBERED)
        second = replace(FIRST, page_token=read(tx, keyring, FIRST).next_page_token)
        with pytest.raises(InvalidPageToken):
            read(tx, other_keyring, second)
        with pytest.raises(InvalidPageToken):
            papers.page(tx, keyring, second, scope=EVERYTHING, context=ANN)

    on_sqlite(look)


def test_page_size_and_skip_may_change_from_page_to_page(on_sqlite: Run, keyring: Keyring) -> None:
    def look(tx: Connection) -> list[int]:
        put(tx, NUMBERED)
        token = read(tx, keyring, PageQuery(2)).next_page_token
        return ids(read(tx, keyring, PageQuery(3, token, skip=1)).rows)

    assert on_sqlite(look) == [4, 5, 6]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (PageQuery(filter="title = x"), InvalidFilter),
        (PageQuery(filter="name"), InvalidFilter),
        (PageQuery(order_by="note"), InvalidOrderBy),
        (PageQuery(page_token="AAAA"), InvalidPageToken),
    ],
    ids=str,
)
def test_a_wrong_member_is_named_each_time_it_is_sent(
    on_sqlite: Run, keyring: Keyring, query: PageQuery, error: type[Exception]
) -> None:
    for _ in range(2):
        with pytest.raises(error):
            on_sqlite(lambda tx: read(tx, keyring, query))


def test_a_list_may_have_an_order_of_its_own(on_sqlite: Run, keyring: Keyring) -> None:
    newest_first: Listing[Book] = Listing(
        "newest", SHELF.base, fields=FIELDS, orderable=("id", "name"), key="id", default_order_by="id desc"
    )

    def look(tx: Connection) -> list[list[int]]:
        put(tx, NUMBERED[:3])
        queries = (PageQuery(), PageQuery(order_by="name"))
        return [ids(newest_first.page(tx, keyring, query, scope=EVERYTHING, context=ANN).rows) for query in queries]

    assert on_sqlite(look) == [[3, 2, 1], [3, 1, 2]]


def test_a_list_cannot_be_ordered_by_what_it_does_not_select() -> None:
    with pytest.raises(ValueError, match="not selected"):
        Listing("names", select(BOOKS.c.name), fields=FIELDS, orderable=("id",), key="id")


def test_an_expression_may_be_a_field(on_database: Run, keyring: Keyring) -> None:
    doubled = (BOOKS.c.pages * 2).label("doubled")
    listing: Listing[Book] = Listing(
        "doubled",
        select(BOOKS.c.id, doubled),
        fields={"id": FIELDS["id"], "doubled": Field(doubled, Kind.INTEGER)},
        orderable=("id", "doubled"),
        key="id",
    )

    def visit(tx: Connection) -> list[int]:
        put(tx, [Book(number, pages=-number) for number in range(6)])
        query = PageQuery(2, filter="doubled <= -4", order_by="doubled")
        first = listing.page(tx, keyring, query, scope=EVERYTHING, context=ANN)
        query = replace(query, page_token=first.next_page_token)
        second = listing.page(tx, keyring, query, scope=EVERYTHING, context=ANN)
        return [*ids(first.rows), *ids(second.rows)]

    assert on_database(visit) == [5, 4, 3, 2]


def test_calls_that_differ_in_values_share_one_statement(on_sqlite: Run, keyring: Keyring) -> None:
    def look(tx: Connection) -> None:
        put(tx, LIBRARY)
        _prepare.cache_clear()
        for organization in ("red", "blue"):
            for page_size in (1, 2):
                scope = Scope(("organization", "own"), {"organization": organization, "caller": "ann"})
                read(tx, keyring, PageQuery(page_size, skip=page_size), scope)

    on_sqlite(look)
    assert _prepare.cache_info().misses == 1


@pytest.mark.parametrize("order_by", ["id", "id desc", "name", "name desc", "name, id desc"])
def test_the_next_page_is_found_by_an_index(on_database: Run, order_by: str) -> None:
    """The last row's keys bound a search; the rows before it are not read again."""
    prepared = _prepare(SHELF, "", order_by, (), continued=True)
    values = {"page_rows": 2, "page_skip": 0} | dict(
        zip(prepared.last_keys, ["x", 1] if "name" in order_by else [1], strict=True)
    )

    def plan(tx: Connection) -> str:
        tx.execute(text("SET LOCAL enable_seqscan = off" if tx.dialect.name == "postgresql" else "SELECT 1"))
        statement = prepared.statement.params(values).compile(tx, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN" if tx.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        return "\n".join(str(row) for row in tx.execute(text(f"{explain} {statement}")))

    explained = on_database(plan)
    # One for the keys of the page, one for its rows.
    assert explained.count("SEARCH") == 2 or explained.count("Index Cond") == 2, explained


@pytest.mark.parametrize("near", [1, 3, 2_000])
@pytest.mark.parametrize("order_by", ["", "id desc", "name"])
@pytest.mark.parametrize("skip", [0, 2])
def test_where_a_page_is_looked_for_first_changes_nothing(  # noqa: PLR0917 - fixtures and what varies
    on_database: Run, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, near: int, order_by: str, skip: int
) -> None:
    monkeypatch.setattr(listing, "NEAR", near)
    scattered: Listing[Book] = Listing(
        "scattered",
        SHELF.base,
        fields=FIELDS,
        orderable=("id", "name"),
        key="id",
        scopes=SHELF.scopes,
        scattered=("own",),
    )
    scope = Scope(("own",), {"caller": "ann"})
    books = [book._replace(owner_id="ann" if book.id % 3 == 0 else "bob") for book in NUMBERED]

    def look(tx: Connection) -> list[int]:
        put(tx, books)
        page = scattered.page(tx, keyring, PageQuery(2, skip=skip, order_by=order_by), scope=scope, context=ANN)
        found = ids(page.rows)
        while page.next_page_token:
            query = PageQuery(2, page.next_page_token, order_by=order_by)
            page = scattered.page(tx, keyring, query, scope=scope, context=ANN)
            found += ids(page.rows)
        return found

    assert on_database(look) == in_order([book for book in books if book.owner_id == "ann"], order_by)[skip:]
