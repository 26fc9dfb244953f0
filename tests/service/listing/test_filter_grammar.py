# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidFilter, Reason
from service.listing.filter_grammar import (
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_TERMS,
    And,
    Comparator,
    Comparison,
    Expression,
    Not,
    Or,
    Value,
    parse_filter,
)
from tests.service.listing.filter_texts import expressions, written

A, B, C, D = (Comparison(name, Comparator.EQUALS, Value("1")) for name in "abcd")
ANYTHING = Value("", open_start=True, open_end=True)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("a=1", A),
        ("  a  =  1  ", A),
        ("((a=1))", A),
        ("a=1 AND b=1", And((A, B))),
        ("a=1 b=1", And((A, B))),
        ("a=1 b=1 AND c=1", And((A, B, C))),
        ("a=1 OR b=1", Or((A, B))),
        ("a=1 AND b=1 OR c=1", And((A, Or((B, C))))),
        ("a=1 OR b=1 AND c=1 OR d=1", And((Or((A, B)), Or((C, D))))),
        ("a=1 b=1 OR c=1", And((A, Or((B, C))))),
        ("(a=1 AND b=1) OR c=1", Or((And((A, B)), C))),
        ("NOT a=1", Not(A)),
        ("-a=1", Not(A)),
        ("NOT (a=1 OR b=1)", Not(Or((A, B)))),
        ("NOT(a=1)", Not(A)),
        ("-(a=1) b=1", And((Not(A), B))),
        ("NOT a=1 OR b=1", Or((Not(A), B))),
        ("NOT (NOT a=1)", Not(Not(A))),
        ("a=1 -b=1", And((A, Not(B)))),
    ],
)
def test_or_binds_more_tightly_than_and(text: str, expression: Expression) -> None:
    assert parse_filter(text) == expression


@pytest.mark.parametrize("comparator", Comparator)
@pytest.mark.parametrize("layout", ["a{}1", "a {} 1", 'a{}"1"', "a\n{}'1'"])
def test_every_comparator_in_every_layout(comparator: Comparator, layout: str) -> None:
    assert parse_filter(layout.format(comparator)) == Comparison("a", comparator, Value("1"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("alpha", Value("alpha")),
        ("-4", Value("-4")),
        ("2.997e9", Value("2.997e9")),
        ("2012-04-21T11:30:00-04:00", Value("2012-04-21T11:30:00-04:00")),
        ("com.example", Value("com.example")),
        ("żółw", Value("żółw")),
        ("ANDREW", Value("ANDREW")),
        ('""', Value("")),
        ('"two words"', Value("two words")),
        ('"AND"', Value("AND")),
        ('"it\'s"', Value("it's")),
        (r"'it\'s'", Value("it's")),
        (r'"\"\\\*"', Value('"\\*')),
        ('"(a=1"', Value("(a=1")),
        ("*", ANYTHING),
        ('"*"', ANYTHING),
        ("**", ANYTHING),
        ("foo*", Value("foo", open_end=True)),
        ('"*.foo"', Value(".foo", open_start=True)),
        ("*foo*", Value("foo", open_start=True, open_end=True)),
        ("f*o", Value("f*o")),
        (r'"\*foo\*"', Value("*foo*")),
        (r'"foo\\*"', Value("foo\\", open_end=True)),
    ],
)
def test_values(text: str, value: Value) -> None:
    assert parse_filter(f"a = {text}") == Comparison("a", Comparator.EQUALS, value)


def test_a_field_may_be_a_path() -> None:
    assert parse_filter("client.client_id:x") == Comparison("client.client_id", Comparator.HAS, Value("x"))


def test_a_field_may_start_with_a_keyword() -> None:
    assert parse_filter("ORDER=1 OR NOTE=1 OR ANDROID=1") == Or(
        tuple(Comparison(name, Comparator.EQUALS, Value("1")) for name in ("ORDER", "NOTE", "ANDROID"))
    )


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_a_blank_filter_is_no_filter(text: str) -> None:
    assert parse_filter(text) is None


def test_a_comparison_knows_where_it_stands() -> None:
    expression = parse_filter("a=1 AND  (bc=1)")
    assert isinstance(expression, And)
    assert [operand.position for operand in expression.operands if isinstance(operand, Comparison)] == [0, 10]


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("foo", 0, "a value alone is not searched for"),
        ("a=1 foo bar", 4, "a value alone is not searched for"),
        ('a=1 "foo"', 4, "a value alone is not searched for"),
        ("42", 0, "a value alone is not searched for"),
        ("42 = a", 0, "a value alone is not searched for"),
        ("żółw", 0, "a value alone is not searched for"),
        ("regex(a, 'x')", 0, "there is no function regex"),
        ("a=", 2, "a value is expected"),
        ("a = AND b=1", 4, "a value is expected"),
        ("a == 1", 3, "a value is expected"),
        ("a = (1 OR 2)", 4, "a value is expected"),
        ("a = 1 2", 6, "a value alone is not searched for"),
        ('a = "x', 4, "the quoted text does not end"),
        ("a = 'x\"", 4, "the quoted text does not end"),
        (r'a = "\n"', 4, "a backslash may stand before"),
        (r"a = x\*", 5, "a comparison is expected"),
        ("a=1 AND", 7, "a comparison is expected"),
        ("a=1 OR", 6, "a comparison is expected"),
        ("AND a=1", 0, "a comparison is expected"),
        ("a=1 AND OR b=1", 8, "a comparison is expected"),
        ("NOT", 3, "a comparison is expected"),
        ("NOT NOT a=1", 4, "a comparison is expected"),
        ("--a=1", 1, "a comparison is expected"),
        ("()", 1, "a comparison is expected"),
        ("*", 0, "a comparison is expected"),
        ("= 1", 0, "a comparison is expected"),
        ("(a=1", 0, "'(' without ')'"),
        ("a=1 AND (b=1", 8, "'(' without ')'"),
        ("a=1)", 3, "')' without '('"),
        ("a. = 1", 0, "a value alone is not searched for"),
        ("a='\0'", 3, "no text contains the character NUL"),
    ],
)
def test_what_is_refused_and_where(text: str, position: int, message: str) -> None:
    with pytest.raises(InvalidFilter, match=r"^filter: ") as refused:
        parse_filter(text)
    assert message in refused.value.message
    assert refused.value.reason is Reason.INVALID_FILTER
    assert refused.value.metadata == {"position": str(position)}


def test_the_longest_filter() -> None:
    text = f"a={'x' * (MAX_LENGTH - 2)}"
    assert parse_filter(text) == Comparison("a", Comparator.EQUALS, Value("x" * (MAX_LENGTH - 2)))
    with pytest.raises(InvalidFilter, match="longer than"):
        parse_filter(text + "x")


def test_the_deepest_filter() -> None:
    assert parse_filter("(" * MAX_DEPTH + "a=1" + ")" * MAX_DEPTH) == A
    with pytest.raises(InvalidFilter, match="parentheses open at once"):
        parse_filter("(" * (MAX_DEPTH + 1) + "a=1" + ")" * (MAX_DEPTH + 1))
    with pytest.raises(InvalidFilter, match="parentheses open at once"):
        parse_filter("(" * MAX_LENGTH)


def test_parentheses_side_by_side_are_not_deep() -> None:
    assert parse_filter(" ".join(["(a=1)"] * MAX_TERMS)) == And((A,) * MAX_TERMS)


def test_the_filter_of_most_terms() -> None:
    assert parse_filter(" OR ".join(["a=1"] * MAX_TERMS)) == Or((A,) * MAX_TERMS)
    with pytest.raises(InvalidFilter, match="comparisons"):
        parse_filter(" OR ".join(["a=1"] * (MAX_TERMS + 1)))


def test_a_long_name_is_not_repeated_in_full() -> None:
    with pytest.raises(InvalidFilter) as refused:
        parse_filter(f"{'x' * 4000}()")
    assert len(refused.value.message) < 200


@given(st.data())
def test_however_a_filter_is_written_it_is_read_the_same(data: st.DataObject) -> None:
    expression = data.draw(expressions)
    assert parse_filter(data.draw(written(expression))) == expression


@given(st.text("ab=:!<>()-*.,'\"\\ AND OR NOT 1é\n\0", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidFilter):
        parse_filter(text)
