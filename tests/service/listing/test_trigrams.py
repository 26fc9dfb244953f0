# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from service.listing import trigrams
from service.listing.filter_grammar import And, Comparator, Comparison, Expression, Not, Or, Value
from service.listing.listing import PageContext, PageQuery, Scope, _prepare, _searches
from service.listing.trigrams import narrowing_of
from tests.service.listing.filter_texts import written
from tests.service.listing.shelf import SHELF, Book, holds, put

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from service.crypto.keyring import Keyring
    from tests.service.listing.shelf import Run

# Both cases of ASCII, letters whose case SQLite folds in an index if it is let, texts of several bytes, and what means
# something to LIKE, to MATCH or to a quoted text.
_LETTERS = "aAbBéÉß\u017f\u212aİ\u0131\u03c3Σж漢😀%_*\\'\"-+^(): \n\ufffe\U0010ffff"
_CONTEXT = PageContext("red", "ann")

names = st.text(_LETTERS, max_size=8)


@st.composite
def _shelves_and_filters(draw: st.DrawFn) -> tuple[list[Book], Expression]:
    """Books, and a filter for parts of their texts in another case, among texts that are nowhere."""
    books = [Book(n, *draw(st.tuples(names, names))) for n in range(1, draw(st.integers(1, 8)) + 1)]

    @st.composite
    def parts(draw: st.DrawFn) -> Value:
        whole = draw(st.sampled_from([text for book in books for text in (book.name, book.note)]) | names)
        start = draw(st.integers(0, max(len(whole) - 3, 0)))
        part = whole[start : start + draw(st.integers(3, 6))]
        changed = draw(st.sampled_from([part, part.lower(), part.upper(), part.swapcase()]))
        return Value(changed, draw(st.booleans()), draw(st.booleans())) if changed else Value("ab")

    terms = st.builds(
        Comparison, st.sampled_from(["name", "note"]), st.sampled_from([Comparator.HAS, Comparator.EQUALS]), parts()
    )

    def combined(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.builds(Not, inner) | st.builds(And, several) | st.builds(Or, several)

    return books, draw(st.recursive(terms, combined, max_leaves=4))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=_shelves_and_filters(), data=st.data())
def test_an_index_changes_no_answer(
    on_database: Run, keyring: Keyring, case: tuple[list[Book], Expression], data: st.DataObject
) -> None:
    books, expression = case
    query = PageQuery(filter=data.draw(written(expression)))

    def look(tx: Connection) -> set[int]:
        if tx.dialect.name == "postgresql":
            tx.execute(text("SET LOCAL enable_seqscan = off"))
        put(tx, books)
        return {row.id for row in SHELF.page(tx, keyring, query, scope=Scope(), context=_CONTEXT).rows}

    assert on_database(look) == {book.id for book in books if holds(expression, book)}


@pytest.mark.parametrize(
    ("filter_text", "asked"),
    [
        ("name:lemma", {("name", "lemma")}),
        ("name:LEMMA", {("name", "lemma")}),
        ("name:É漢😀", {("name", "É漢😀")}),
        ("name = Lemma", {("name", "lemma")}),
        ("name = *Lemma*", {("name", "lemma")}),
        ("name:lem*", {("name", "lem")}),
        ("name:lemma note:short pages > 3", {("name", "lemma"), ("note", "short")}),
        ("name:lemma OR note:short", {("name", "lemma"), ("note", "short")}),
        ("name:le", set()),
        ("name:*", set()),
        ("name != lemma", set()),
        ("name > lemma", set()),
        ("-name:lemma", set()),
        ("pages = 300", set()),
    ],
)
def test_what_an_index_is_asked(on_database: Run, filter_text: str, asked: set[tuple[str, str]]) -> None:
    narrowing = on_database(lambda tx: narrowing_of(tx, _searches(SHELF, filter_text), by_key=True))
    assert {(search.field.column.name, search.text) for search in narrowing.searches} == asked


def _plan(tx: Connection, filter_text: str) -> str:
    prepared = _prepare(
        SHELF, filter_text, "", (), narrowing_of(tx, _searches(SHELF, filter_text), by_key=True), continued=False
    )
    if tx.dialect.name == "postgresql":
        # However few rows there are, and whatever is known of them: only an index with a condition is left.
        for way in ("seqscan", "indexscan", "indexonlyscan"):
            tx.execute(text(f"SET LOCAL enable_{way} = off"))
    statement = prepared.statement.params(page_rows=2, page_skip=0).compile(tx, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN" if tx.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    return "\n".join(str(row) for row in tx.exec_driver_sql(f"{explain} {statement}"))


@pytest.mark.parametrize("filter_text", ["name:lemma", "name:lemma OR note:short", "pages > 3 name:lemma"])
def test_the_plan_has_the_index(on_sqlite: Run, filter_text: str) -> None:
    plan = on_sqlite(lambda tx: _plan(tx, filter_text))
    assert "listing_books_name_trigrams VIRTUAL TABLE" in plan
    assert "SCAN listing_books'" not in plan


def test_the_plan_has_the_index_of_postgresql(on_postgresql: Run) -> None:
    plan = on_postgresql(lambda tx: _plan(tx, "name:lemma"))
    assert "Bitmap Index Scan on ix_listing_books_name_trigrams" in plan


def test_an_or_with_something_that_no_index_has_is_looked_through(on_sqlite: Run) -> None:
    assert "trigrams" not in on_sqlite(lambda tx: _plan(tx, "name:lemma OR pages > 3"))


def test_what_is_common_is_looked_through(on_sqlite: Run, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trigrams, "MOST_CANDIDATES", 2)
    books = [Book(n, name=name) for n, name in enumerate(["Emma", "Lemma", "Dilemma", "Rare"])]

    def look(tx: Connection) -> tuple[list[str], bool, bool]:
        put(tx, books)
        page = SHELF.page(tx, keyring, PageQuery(filter="name:emm"), scope=Scope(), context=_CONTEXT)
        return [row.name for row in page.rows], "trigrams" in _plan(tx, "name:emm"), "trigrams" in _plan(tx, "name:rar")

    assert on_sqlite(look) == (["Emma", "Lemma", "Dilemma"], False, True)


def test_a_long_text_is_found_by_its_start_and_compared_whole(on_database: Run, keyring: Keyring) -> None:
    start = "a text that is longer than what the index is asked"

    def look(tx: Connection) -> list[str]:
        put(tx, [Book(1, name=f"{start}: one"), Book(2, name=f"{start}: two")])
        query = PageQuery(filter=f'name:"{start.upper()}: T"')
        return [row.name for row in SHELF.page(tx, keyring, query, scope=Scope(), context=_CONTEXT).rows]

    assert on_database(look) == [f"{start}: two"]
