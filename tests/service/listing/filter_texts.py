# SPDX-License-Identifier: Apache-2.0
"""Filters at random: trees over the shelf's fields, and the many ways to write one."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from service.listing.filter_grammar import And, Comparator, Comparison, Expression, Not, Or, Value
from tests.service.listing.shelf import Book

_LETTERS = "aAbBéÉß%_*\\'\" \n\ud7ff\ue000\U0010ffff"
_ORDERED = [Comparator.LESS, Comparator.LESS_OR_EQUAL, Comparator.GREATER, Comparator.GREATER_OR_EQUAL]
_EQUAL = [Comparator.EQUALS, Comparator.NOT_EQUALS, Comparator.HAS]
_EPOCH_TIMES = st.integers(0, 3).map(lambda second: datetime.fromtimestamp(second, tz=UTC).isoformat())
_ANYTHING = Value("", open_start=True, open_end=True)

texts = st.text(_LETTERS, max_size=4)
_patterns = st.builds(Value, texts.filter(bool), st.booleans(), st.booleans()) | st.just(_ANYTHING)


def _comparisons(
    names: list[str], comparators: list[Comparator], values: st.SearchStrategy[Value]
) -> st.SearchStrategy[Expression]:
    return st.builds(Comparison, st.sampled_from(names), st.sampled_from(comparators), values)


_numbers = st.integers(-2, 3).map(str).map(Value)
_terms = st.one_of(
    _comparisons(["name", "note"], _EQUAL, _patterns | texts.map(Value)),
    _comparisons(["name", "note"], _ORDERED, texts.map(Value)),
    _comparisons(["id", "pages"], [*_EQUAL, *_ORDERED], _numbers),
    _comparisons(["create_time"], [*_EQUAL, *_ORDERED], _EPOCH_TIMES.map(Value)),
    _comparisons(["lent"], _EQUAL, st.sampled_from(["true", "false"]).map(Value)),
    _comparisons(["genre"], _EQUAL, st.sampled_from(["NOVEL", "GENRE_POETRY"]).map(Value)),
    _comparisons(["id", "name", "lent", "create_time", "genre"], [Comparator.HAS], st.just(_ANYTHING)),
)


def _combined(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, parts) | st.builds(And, several) | st.builds(Or, several)


expressions = st.recursive(_terms, _combined, max_leaves=8)

shelves = st.lists(
    st.builds(
        Book,
        id=st.integers(-2, 1000),
        name=texts,
        note=texts,
        pages=st.integers(-2, 3),
        lent=st.booleans(),
        create_time=st.integers(0, 3).map(lambda second: second * 1_000_000),
        genre=st.integers(0, 2),
        owner_id=st.just("ann"),
        organization_id=st.just("red"),
    ),
    max_size=12,
    unique_by=lambda book: book.id,
)


@st.composite
def written(draw: st.DrawFn, expression: Expression) -> str:
    """One way to write a filter: optional blanks, AND or nothing, NOT or a minus, either quote, more parentheses."""
    blank = draw(st.sampled_from(["", " ", "\t \n"]))
    text = draw(_bare(expression, blank))
    return f"({blank}{text}{blank})" if draw(st.integers(0, 5)) == 0 else text


@st.composite
def _bare(draw: st.DrawFn, expression: Expression, blank: str) -> str:
    match expression:
        case Comparison(name, comparator, value):
            return f"{name}{blank}{comparator}{blank}{draw(_written_value(value))}"
        case Not(operand):
            return draw(st.sampled_from(["-", "NOT "])) + blank + draw(_grouped(operand, Comparison))
        case And(operands):
            parts = [draw(_grouped(operand, (Comparison, Not, Or))) for operand in operands]
            return parts[0] + "".join(draw(st.sampled_from([" AND ", " ", "\n"])) + part for part in parts[1:])
        case Or(operands):
            return " OR ".join(draw(_grouped(operand, (Comparison, Not))) for operand in operands)


@st.composite
def _grouped(draw: st.DrawFn, operand: Expression, plain: type | tuple[type, ...]) -> str:
    text = draw(written(operand))
    return text if isinstance(operand, plain) else f"({text})"


@st.composite
def _written_value(draw: st.DrawFn, value: Value) -> str:
    start, end = "*" * value.open_start, "*" * value.open_end
    if value.text.isalnum() and value.text not in {"AND", "OR", "NOT"} and draw(st.booleans()):
        return start + value.text + end
    quote = draw(st.sampled_from("'\""))
    escaped = "".join(f"\\{character}" if character in {"\\", "*", quote} else character for character in value.text)
    return quote + start + escaped + end + quote
