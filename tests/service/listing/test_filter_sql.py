# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from service.errors import InvalidFilter
from service.listing.filter_grammar import MAX_DEPTH, MAX_TERMS, Expression, Not, parse_filter
from service.listing.filter_sql import filter_clause
from tests.service.listing.filter_texts import expressions, shelves
from tests.service.listing.shelf import BOOKS, FIELDS, Book, holds, put, time_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tests.service.listing.shelf import Run

NOON = "2026-01-31T12:00:00"
SOME_BOOKS = [
    Book(1, name="Emma", note="by Austen", pages=474, create_time=time_of(f"{NOON}+00:00"), genre=1),
    Book(2, name="emma*", note="100% cotton", pages=-3, lent=True, create_time=time_of(f"{NOON}.123456+00:00")),
    Book(3, name="Élan", note=r"a_b\c", pages=2**31 - 1, create_time=1, genre=2),
    Book(4, name="élan vital", note="", pages=0, lent=True, genre=2),
    Book(5, name="Zorn's lemma", note='say "hi"', pages=7, create_time=-1, genre=1),
]


def matching(tx: Connection, expression: Expression) -> set[int]:
    return set(tx.execute(select(BOOKS.c.id).where(filter_clause(expression, FIELDS))).scalars())


def found(on_database: Run, text: str) -> set[int]:
    expression = parse_filter(text)
    assert expression is not None

    def look(tx: Connection) -> set[int]:
        put(tx, SOME_BOOKS)
        return matching(tx, expression)

    return on_database(look)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        # Text: = is exact, with a wildcard at either end.
        ("name = Emma", {1}),
        ("name = emma", set()),
        (r'name = "emma\*"', {2}),
        ("name = emma*", {2}),
        ('name = "*mma"', {1, 5}),
        ('name = "*mm*"', {1, 2, 5}),
        ('name = "E*"', {1}),
        ('name = "É*"', {3}),
        ("name = *", {1, 2, 3, 4, 5}),
        ("name != *", set()),
        ("name != Emma", {2, 3, 4, 5}),
        ("name != emma*", {1, 3, 4, 5}),
        ('note = ""', {4}),
        ("name = *averylongsuffixindeed", set()),
        # Text: : looks anywhere and ignores the case of ASCII letters, and of no others.
        ("name : EMMA", {1, 2, 5}),
        ("name : lemma", {5}),
        ("name : ÉLAN", {3}),
        ("name : élan", {4}),
        ("name : Lan", {3, 4}),
        ("name : em*", {1, 2}),
        ("name : *MA", {1, 5}),
        ("name : *MM*", {1, 2, 5}),
        ('name : ""', {1, 2, 3, 4, 5}),
        ("note : *", {1, 2, 3, 5}),
        ("-note:*", {4}),
        # Text: the wildcards of LIKE, backslashes and quotes mean nothing here.
        ("note : %", {2}),
        ("note : _", {3}),
        (r'note : "\\"', {3}),
        (r"""note : '"HI"'""", {5}),
        ('name : "n\'s"', {5}),
        (r'name : "\*"', {2}),
        # Text: ordered by code point.
        ("name < Z", {1}),
        ("name > Z", {2, 3, 4, 5}),
        ("name >= Élan", {3, 4}),
        ("name <= Emma", {1}),
        ("name < É", {1, 2, 5}),
        # Integers.
        ("pages = 474", {1}),
        ('pages = "474"', {1}),
        ("pages : 474", {1}),
        ("pages != 474", {2, 3, 4, 5}),
        ("pages < 0", {2}),
        ("pages = -3", {2}),
        ("pages >= 474", {1, 3}),
        ("pages <= 7", {2, 4, 5}),
        ("pages > 474", {3}),
        ("pages > 2147483647", set()),
        ("pages < 9223372036854775807", {1, 2, 3, 4, 5}),
        ("pages : *", {1, 2, 3, 5}),
        # Booleans.
        ("lent = true", {2, 4}),
        ("lent = false", {1, 3, 5}),
        ("lent != true", {1, 3, 5}),
        ("lent : true", {2, 4}),
        ("lent : *", {2, 4}),
        # Times.
        (f'create_time = "{NOON}Z"', {1}),
        (f"create_time = {NOON}Z", {1}),
        (f'create_time = "{NOON.lower()}z"', {1}),
        ('create_time = "2026-01-31T14:30:00+02:30"', {1}),
        ('create_time = "2026-01-30T23:00:00-13:00"', {1}),
        (f'create_time = "{NOON}.123456Z"', {2}),
        (f'create_time = "{NOON}.123456789Z"', {2}),
        (f'create_time > "{NOON}.1Z"', {2}),
        (f"create_time >= {NOON}Z", {1, 2}),
        ("create_time < 1970-01-01T00:00:00Z", {5}),
        ("create_time <= 1970-01-01T00:00:00Z", {4, 5}),
        ("create_time > 0001-01-01T00:00:00+14:00", {1, 2, 3, 4, 5}),
        ("create_time : *", {1, 2, 3, 5}),
        # Enums.
        ("genre = NOVEL", {1, 5}),
        ("genre = GENRE_NOVEL", {1, 5}),
        ("genre != NOVEL", {2, 3, 4}),
        ("genre : POETRY", {3, 4}),
        ("genre = UNSPECIFIED", {2}),
        ("genre : *", {1, 3, 4, 5}),
        # Together.
        ("genre = NOVEL pages > 100", {1}),
        ("genre = NOVEL AND pages > 100", {1}),
        ("genre = NOVEL OR lent = true", {1, 2, 4, 5}),
        ("lent = true AND genre = POETRY OR genre = NOVEL", {4}),
        ("(lent = true AND genre = POETRY) OR genre = NOVEL", {1, 4, 5}),
        ("NOT (genre = NOVEL OR lent = true)", {3}),
        ("-genre = NOVEL -lent = true", {3}),
        ("NOT (NOT name = Emma)", {1}),
        ("NOT name = *", set()),
    ],
)
def test_what_a_filter_lets_through(on_database: Run, text: str, ids: set[int]) -> None:
    assert found(on_database, text) == ids


_TYPE_ERRORS = [
    ("title = x", 0, "there is no field title; there are id, name, note"),
    ("lent = true AND name.first = x", 16, "there is no field name.first"),
    ("pages = many", 0, "pages takes an integer"),
    ("pages = 1.5", 0, "pages takes an integer"),
    ("pages = 1_000", 0, "pages takes an integer"),
    ("pages = ٣", 0, "pages takes an integer"),
    ('pages = ""', 0, "pages takes an integer"),
    ("pages = 9223372036854775808", 0, "pages takes an integer of 64 bits"),
    (f"pages = {'9' * 4000}", 0, "pages takes an integer of 64 bits"),
    ("pages = 4*", 0, "pages takes an integer"),
    ("pages = *", 0, "pages takes an integer"),
    ("pages : 4*", 0, "pages takes an integer"),
    ("lent = yes", 0, "lent takes true or false"),
    ("lent = TRUE", 0, "lent takes true or false"),
    ("lent < true", 0, "lent has no order"),
    ("genre = novel", 0, "genre takes one of UNSPECIFIED, NOVEL, POETRY"),
    ("genre = 1", 0, "genre takes one of"),
    ("genre = *", 0, "genre takes one of"),
    ("genre >= NOVEL", 0, "genre has no order"),
    ("name < foo*", 0, "name takes * with"),
    ("create_time > yesterday", 0, "create_time takes a time as in RFC 3339"),
    ("create_time > 2026-01-31", 0, "create_time takes a time"),
    ("create_time > 2026-01-31T12:00:00", 0, "create_time takes a time"),
    ("create_time > 2026-02-30T12:00:00Z", 0, "create_time takes a time"),
    ("create_time > 2026-01-31T25:00:00Z", 0, "create_time takes a time"),
    ("create_time > 0000-01-31T12:00:00Z", 0, "create_time takes a time"),
    ("create_time > 2026-01-31T12:00:00+24:00", 0, "create_time takes a time"),
    ("create_time > 2026-W05-6T12:00:00Z", 0, "create_time takes a time"),
    ("create_time : 2026*", 0, "create_time takes a time"),
    ("create_time = 1", 0, "create_time takes a time"),
]


@pytest.mark.parametrize(("text", "position", "message"), _TYPE_ERRORS)
def test_a_value_of_the_wrong_kind_is_refused_by_the_name_of_its_field(text: str, position: int, message: str) -> None:
    expression = parse_filter(text)
    assert expression is not None
    with pytest.raises(InvalidFilter) as refused:
        filter_clause(expression, FIELDS)
    assert message in refused.value.message
    assert refused.value.metadata == {"position": str(position)}


def test_values_are_bound() -> None:
    expression = parse_filter("name = secret* note : secret pages > 4711 create_time > 2026-01-31T12:00:00Z")
    assert expression is not None
    statement = str(filter_clause(expression, FIELDS))
    assert not any(value in statement for value in ("secret", "4711", "2026"))


@pytest.mark.parametrize("step", ["NOT ({})", "(pages = 0 OR (lent = true AND {}))", "(NOT ({}) lent = false)"])
def test_the_deepest_filter_runs(on_database: Run, step: str) -> None:
    text = "pages = 0"
    while step.format(text).count("(") <= MAX_DEPTH:
        text = step.format(text)
    assert found(on_database, text) <= {1, 2, 3, 4, 5}


def test_the_filter_of_most_terms_runs(on_database: Run) -> None:
    assert found(on_database, " OR ".join(f"pages = {number}" for number in range(MAX_TERMS))) == {4, 5}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(books=shelves, expression=expressions)
def test_sql_and_python_agree(on_database: Run, books: list[Book], expression: Expression) -> None:
    def look(tx: Connection) -> set[int]:
        put(tx, books)
        return matching(tx, expression)

    assert on_database(look) == {book.id for book in books if holds(expression, book)}


@settings(deadline=None)
@given(books=shelves, expression=expressions)
def test_not_is_the_complement(on_database: Run, books: list[Book], expression: Expression) -> None:
    def look(tx: Connection) -> tuple[set[int], set[int]]:
        put(tx, books)
        return matching(tx, expression), matching(tx, Not(expression))

    yes, no = on_database(look)
    assert yes | no == {book.id for book in books}
    assert not yes & no


@given(value=st.integers(-(2**63), 2**63 - 1))
def test_any_integer_of_64_bits_may_be_compared_with_a_column_of_32(on_database: Run, value: int) -> None:
    assert found(on_database, f"pages < {value}") == {book.id for book in SOME_BOOKS if book.pages < value}
