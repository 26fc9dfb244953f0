# SPDX-License-Identifier: Apache-2.0
"""A filter over the fields of a list as one SQL condition: what a comparison means for each kind of field.

Every value of a filter becomes a bound parameter.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, Text, and_, literal, not_, or_, true

from service.errors import InvalidFilter
from service.listing.filter_grammar import And, Comparator, Comparison, Expression, Not, Or, Value
from service.listing.portable_text import Bytewise, contains, ends_with, fold, folded, starts_with

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Kind(StrEnum):
    """What the values of a field are, and so which comparisons it takes.

    Every kind takes `=`, `!=` (its complement) and `:*`, which asks for more than the kind's default (empty, 0,
    false, unspecified). All but booleans and enums take the four orders.
    """

    TEXT = "text"
    """`=` is exact and takes `*` at either end. `:` finds a part, or with `*` a start or an end, ignoring ASCII case."""
    INTEGER = "integer"
    """64 bits. `:` is `=`."""
    BOOLEAN = "boolean"
    """`true` or `false`. `:` is `=`."""
    TIMESTAMP = "timestamp"
    """Stored as microseconds since 1970, written as in RFC 3339 with up to 9 digits of which 6 count. `:` is `=`."""
    ENUM = "enum"
    """One of `Field.names`, case-sensitive (AIP-160). `:` is `=`."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field that filters and orders of a list may name.

    Attributes:
        column: What it is in SQL; never NULL (coalesce what may be), or `!=` would not be the complement of `=`.
        kind: What its values are.
        names: For an enum, the stored value of each name.
        prefix: For an enum, what may be left out at the start of a name.
        has_trigrams: For a text, whether an index of its parts is kept (`service.listing.trigrams`).
    """

    column: ColumnElement[Any]
    kind: Kind
    names: Mapping[str, int | str] = field(default_factory=dict)
    prefix: str = ""
    has_trigrams: bool = False


def filter_clause(expression: Expression, fields: Mapping[str, Field]) -> ColumnElement[bool]:
    """Translates a filter.

    Raises:
        InvalidFilter: it names a field that the list has not, or compares one in a way that its kind does not take.
    """
    match expression:
        case And(operands):
            return and_(*(filter_clause(operand, fields) for operand in operands))
        case Or(operands):
            return or_(*(filter_clause(operand, fields) for operand in operands))
        case Not(operand):
            return not_(filter_clause(operand, fields))
        case Comparison():
            return _comparison(expression, fields)


def _comparison(comparison: Comparison, fields: Mapping[str, Field]) -> ColumnElement[bool]:
    target = fields.get(comparison.field)
    if target is None:
        raise InvalidFilter(
            f"there is no field {comparison.field[:64]}; there are {', '.join(fields)}", comparison.position
        )
    if comparison.comparator is Comparator.NOT_EQUALS:
        return not_(_equals(target, comparison))
    if comparison.comparator is Comparator.EQUALS:
        return _equals(target, comparison)
    if comparison.comparator is Comparator.HAS:
        return _has(target, comparison)
    return _ordered(target, comparison)


def _equals(target: Field, comparison: Comparison) -> ColumnElement[bool]:
    if target.kind is not Kind.TEXT:
        return target.column == _bound(_scalar(target, comparison))
    if comparison.value.has_wildcard:
        return _matches(Bytewise(target.column), comparison.value)
    return target.column == _bound(comparison.value.text)


def _has(target: Field, comparison: Comparison) -> ColumnElement[bool]:
    if comparison.value.is_anything:
        return _is_present(target)
    if target.kind is not Kind.TEXT:
        return _equals(target, comparison)
    value = comparison.value
    text = fold(value.text)
    if value.has_wildcard:
        return _matches(folded(target.column), Value(text, value.open_start, value.open_end))
    return contains(folded(target.column), text)


def _ordered(target: Field, comparison: Comparison) -> ColumnElement[bool]:
    compare = _ORDERS[comparison.comparator]
    if target.kind in {Kind.BOOLEAN, Kind.ENUM}:
        raise _refusal(comparison, f"has no order; it takes = and != but not {comparison.comparator}")
    if target.kind is not Kind.TEXT:
        return compare(target.column, _bound(_scalar(target, comparison)))
    if comparison.value.has_wildcard:
        raise _refusal(comparison, f"takes * with =, != and : but not with {comparison.comparator}")
    return compare(Bytewise(target.column), _bound(comparison.value.text))


_ORDERS: Mapping[Comparator, Callable[[Any, Any], ColumnElement[bool]]] = {
    Comparator.LESS: operator.lt,
    Comparator.LESS_OR_EQUAL: operator.le,
    Comparator.GREATER: operator.gt,
    Comparator.GREATER_OR_EQUAL: operator.ge,
}


def _matches(text: ColumnElement[str], value: Value) -> ColumnElement[bool]:
    """A text against a value with a wildcard."""
    if value.is_anything:
        return true()
    match value.open_start, value.open_end:
        case True, True:
            return contains(text, value.text)
        case True, False:
            return ends_with(text, value.text)
        case _:
            return starts_with(text, value.text)


def _is_present(target: Field) -> ColumnElement[bool]:
    match target.kind:
        case Kind.TEXT:
            return target.column != _bound("")
        case Kind.INTEGER | Kind.TIMESTAMP:
            return target.column != _bound(0)
        case Kind.BOOLEAN:
            return target.column == _bound(True)  # noqa: FBT003 - a value
        case Kind.ENUM:
            unspecified = target.names.get(f"{target.prefix}UNSPECIFIED")
            return true() if unspecified is None else target.column != _bound(unspecified)


def _scalar(target: Field, comparison: Comparison) -> int | str:
    """The value of a comparison with a field that is no text, as it is stored."""
    text = "*" if comparison.value.has_wildcard else comparison.value.text
    stored: int | str | None
    match target.kind:
        case Kind.INTEGER:
            stored, wanted = _integer(text), "an integer of 64 bits"
        case Kind.TIMESTAMP:
            stored, wanted = _timestamp(text), 'a time as in RFC 3339, for example "2026-01-31T12:00:00Z"'
        case Kind.BOOLEAN:
            stored, wanted = {"true": True, "false": False}.get(text), "true or false"
        case _:
            stored = target.names.get(text, target.names.get(target.prefix + text))
            wanted = f"one of {', '.join(name.removeprefix(target.prefix) for name in target.names)}"
    if stored is None:
        raise _refusal(comparison, f"takes {wanted}")
    return stored


def _integer(text: str) -> int | None:
    value = int(text) if re.fullmatch(r"[+-]?[0-9]{1,19}", text) else None
    return value if value is not None and -(2**63) <= value < 2**63 else None


_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _timestamp(text: str) -> int | None:
    """Microseconds since 1970; finer digits are cut off."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    date, time, fraction, sign, hours, minutes = found.groups()
    try:
        local = datetime.fromisoformat(f"{date}T{time}+00:00") - _EPOCH
    except ValueError:  # the 30th of February, 25 o'clock
        return None
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    return (local - offset) // timedelta(microseconds=1) + int((fraction or "0").ljust(6, "0")[:6])


def _bound(value: int | str) -> ColumnElement[Any]:
    """A bound parameter of a type wide enough for any value: PostgreSQL would refuse a large one for a small column."""
    if isinstance(value, bool):
        return literal(value, Boolean())
    return literal(value, BigInteger() if isinstance(value, int) else Text())


def _refusal(comparison: Comparison, complaint: str) -> InvalidFilter:
    return InvalidFilter(f"{comparison.field} {complaint}", comparison.position)
