# SPDX-License-Identifier: Apache-2.0
"""Text expressions that mean the same on SQLite and PostgreSQL, whatever the locale of the database.

Texts are ordered by code point, and case is folded for the ASCII letters only: that is all SQLite knows. A column that
PostgreSQL declares with `COLLATE "C"` answers the comparisons and orders of this module from its index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, Text, func, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.types import TypeEngine


class Bytewise(FunctionElement[str]):
    """A text column compared and ordered by its bytes in UTF-8, which is the order of the code points."""

    name = "bytewise"
    type: TypeEngine[str] = Text()
    inherit_cache: bool | None = True


class PositionOf(FunctionElement[int]):
    """`PositionOf(text, part)`: where the part starts in the text, from 1; 0 if it is not in it."""

    name = "position_of"
    type: TypeEngine[int] = Integer()
    inherit_cache: bool | None = True


@compiles(Bytewise)
def _bytewise(element: Bytewise, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(Bytewise, "postgresql")
def _bytewise_postgresql(element: Bytewise, compiler: SQLCompiler, **options: Any) -> str:
    return f'({compiler.process(element.clauses, **options)} COLLATE "C")'


@compiles(PositionOf)
def _position_of(element: PositionOf, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)})"


@compiles(PositionOf, "postgresql")
def _position_of_postgresql(element: PositionOf, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


def folded(column: ColumnElement[Any]) -> ColumnElement[str]:
    """The column with its ASCII capitals made small."""
    return func.lower(Bytewise(column), type_=Text())


def fold(text: str) -> str:
    """What `folded` does to a column, done to a text."""
    return text.encode().lower().decode()


def starts_with(text: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """A range, which an index answers; LIKE would need escapes, and ignores case on SQLite."""
    bound = literal(part, Text())
    after = _after_all_with_prefix(part)
    return text >= bound if after is None else (text >= bound) & (text < literal(after, Text()))


def ends_with(text: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Compares the last characters; a text that is too short yields fewer, whatever a backend makes of the start."""
    start = func.length(text) - literal(len(part) - 1, Integer())
    return func.substr(text, start, type_=Text()) == literal(part, Text())


def contains(text: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Finds the part anywhere."""
    return PositionOf(text, literal(part, Text())) > 0


def _after_all_with_prefix(prefix: str) -> str | None:
    """The smallest text above all that start with the prefix; None if there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    last = ord(stem[-1])
    # Between these two lie the surrogates, which are no characters.
    following = 0xE000 if last == 0xD7FF else last + 1
    return stem[:-1] + chr(following)
