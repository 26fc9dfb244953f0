# SPDX-License-Identifier: Apache-2.0
"""The filter language of AIP-160: text in, a small immutable tree out. Knows nothing of fields, types or SQL.

Two parts of the language are refused: bare values (no list searches all its fields) and functions.
"""

from __future__ import annotations

import dataclasses
import re
from enum import StrEnum
from functools import lru_cache
from typing import NoReturn, TypeAlias

from service.errors import InvalidFilter

MAX_LENGTH = 4096
"""Characters of a filter at the most."""

MAX_DEPTH = 32
"""Parentheses open at once at the most: nesting is recursion, here and in the compiler of the SQL."""

MAX_TERMS = 64
"""Comparisons of a filter at the most."""


class Comparator(StrEnum):
    """What stands between a field and a value."""

    EQUALS = "="
    NOT_EQUALS = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    HAS = ":"


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """The right side of a comparison, still text: what it means is for the field to say.

    Attributes:
        text: The text between the wildcards, escapes undone.
        open_start: A `*` stood before it.
        open_end: A `*` stood after it. A lone `*` is empty and open on both sides.
    """

    text: str
    open_start: bool = False
    open_end: bool = False

    @property
    def has_wildcard(self) -> bool:
        """Whether it stands for more than one text."""
        return self.open_start or self.open_end

    @property
    def is_anything(self) -> bool:
        """Whether it is `*` alone."""
        return self.has_wildcard and not self.text


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """`field comparator value`; `position` is where it starts in the filter, in characters from 0."""

    field: str
    comparator: Comparator
    value: Value
    position: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Not:
    """`NOT x` or `-x`."""

    operand: Expression


@dataclasses.dataclass(frozen=True, slots=True)
class And:
    """`x AND y`, or `x y`; two operands or more."""

    operands: tuple[Expression, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Or:
    """`x OR y`, which binds more tightly than AND; two operands or more."""

    operands: tuple[Expression, ...]


Expression: TypeAlias = Comparison | Not | And | Or


@lru_cache(maxsize=256)
def parse_filter(text: str) -> Expression | None:
    """Reads a filter.

    Returns:
        The tree, or None if the text is blank: a blank filter lets everything through.

    Raises:
        InvalidFilter: the text is not of the language (AIP-160, ebnf-filtering.txt), uses a part of it that is not
            offered, or exceeds a limit of this module.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidFilter(f"longer than {MAX_LENGTH} characters", MAX_LENGTH)
    if "\0" in text:
        raise InvalidFilter("no text contains the character NUL", text.index("\0"))
    return _Parser(text).parse()


_KEYWORDS = frozenset({"AND", "OR", "NOT"})
_BLANK = re.compile(r"\s*")
_AND, _OR, _NOT = (re.compile(rf"{word}(?![\w.])") for word in ("AND", "OR", "NOT"))
_FIELD = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*", re.ASCII)
_COMPARATOR = re.compile(r"[<>!]=|[<>=:]")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"' + r"|'((?:[^'\\]|\\.)*)'", re.DOTALL)
_UNQUOTED = re.compile(r"""[^\s()"'\\,<>=!]+""")
_UNIT = re.compile(r"\\.|.", re.DOTALL)
_ESCAPABLE = frozenset("\\\"'*")


class _Parser:
    """A recursive descent over one text: a method for each rule of the grammar, `_at` is the next unread character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._terms = 0

    def parse(self) -> Expression | None:
        self._skip_blank()
        if self._at == len(self._text):
            return None
        expression = self._expression()
        if self._at < len(self._text):
            self._refuse("')' without '('")
        return expression

    def _expression(self) -> Expression:
        """`factor {[AND] factor}`: a sequence without AND means the same, as every match here is exact."""
        operands = [self._factor()]
        while self._take(_AND) or not self._ends():
            operands.append(self._factor())
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _factor(self) -> Expression:
        """`term {OR term}`."""
        operands = [self._term()]
        while self._take(_OR):
            operands.append(self._term())
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def _term(self) -> Expression:
        """`[NOT | -] simple`."""
        if self._take(_NOT) or self._take_character("-"):
            return Not(self._simple())
        return self._simple()

    def _simple(self) -> Expression:
        """`( expression ) | comparison`."""
        opened_at = self._at
        if not self._take_character("("):
            return self._comparison()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"more than {MAX_DEPTH} parentheses open at once", opened_at)
        expression = self._expression()
        if not self._take_character(")"):
            self._refuse("'(' without ')'", opened_at)
        self._depth -= 1
        return expression

    def _comparison(self) -> Comparison:
        position = self._at
        self._terms += 1
        if self._terms > MAX_TERMS:
            self._refuse(f"more than {MAX_TERMS} comparisons", position)
        name = self._take(_FIELD)
        if name is None and self._starts_value():
            self._refuse_bare_value(position)
        if name is None or name in _KEYWORDS:
            self._refuse("a comparison is expected, for example name:alpha", position)
        comparator = self._take(_COMPARATOR)
        if comparator is None:
            if self._take_character("("):
                self._refuse(f"there is no function {_shown(name)}", position)
            self._refuse_bare_value(position)
        return Comparison(name, Comparator(comparator), self._value(), position)

    def _value(self) -> Value:
        position = self._at
        if quoted := _QUOTED.match(self._text, position):
            self._advance(quoted.end())
            return _value_of(quoted[1] if quoted[1] is not None else quoted[2], position)
        if self._text.startswith(("'", '"'), position):
            self._refuse("the quoted text does not end")
        text = self._take(_UNQUOTED)
        if text is None or text in _KEYWORDS:
            self._refuse("a value is expected; text with special characters goes in quotes", position)
        return _value_of(text, position)

    def _ends(self) -> bool:
        return self._at == len(self._text) or self._text[self._at] == ")"

    def _starts_value(self) -> bool:
        character = self._text[self._at : self._at + 1]
        return character.isalnum() or character in {"'", '"'}

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self._text, self._at)
        if found is None:
            return None
        self._advance(found.end())
        return found[0]

    def _take_character(self, character: str) -> bool:
        if not self._text.startswith(character, self._at):
            return False
        self._advance(self._at + 1)
        return True

    def _advance(self, position: int) -> None:
        self._at = position
        self._skip_blank()

    def _skip_blank(self) -> None:
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at

    def _refuse_bare_value(self, position: int) -> NoReturn:
        self._refuse("a value alone is not searched for; compare a field with it, for example name:alpha", position)

    def _refuse(self, message: str, position: int | None = None) -> NoReturn:
        raise InvalidFilter(message, self._at if position is None else position)


def _value_of(raw: str, position: int) -> Value:
    """Undoes the escapes; a `*` at either end is a wildcard unless a backslash stands before it."""
    units: list[str] = _UNIT.findall(raw)
    if units == ["*"]:
        return Value("", open_start=True, open_end=True)
    open_start = units[:1] == ["*"]
    open_end = units[-1:] == ["*"]
    text = "".join(_unescaped(unit, position) for unit in units[open_start : len(units) - open_end])
    return Value(text, open_start, open_end)


def _unescaped(unit: str, position: int) -> str:
    if len(unit) == 1:
        return unit
    if unit[1] not in _ESCAPABLE:
        raise InvalidFilter("a backslash may stand before a quote, an asterisk or a backslash only", position)
    return unit[1]


def _shown(name: str) -> str:
    """A name out of the filter, short enough for an error message."""
    return name if len(name) <= 64 else f"{name[:64]}…"
