# SPDX-License-Identifier: Apache-2.0
"""Members in any case of letters: a decoded body gets the spelling of the type that it is to be read into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from msgspec import inspect

from gateway.failures import Violation, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import msgspec


class _Member(NamedTuple):
    """A member as the type spells it, and what it may hold."""

    name: str
    shape: _Shape


@dataclass(frozen=True, slots=True)
class _Object:
    """An object whose members are known by their lower-case names."""

    members: Mapping[str, _Member]


@dataclass(frozen=True, slots=True)
class _Array:
    """An array of objects."""

    element: _Shape


_Shape: TypeAlias = _Object | _Array | None
"""Where in a value there are names; None: nowhere."""


def speller(kind: type[msgspec.Struct], reason: str) -> Callable[[Any], Any]:
    """Returns what respells a decoded value for a type.

    Members that the type does not have are left out, and so are those that are null. The function raises a Failure of
    the given reason where two members have the same name but for their case.
    """
    shape = _shape(inspect.type_info(kind))
    return lambda value: _spelled(value, shape, "", reason)


def _shape(kind: inspect.Type) -> _Shape:
    match kind:
        case inspect.StructType():
            return _Object(
                {field.encode_name.lower(): _Member(field.encode_name, _shape(field.type)) for field in kind.fields}
            )
        case inspect.ListType():
            element = _shape(kind.item_type)
            return None if element is None else _Array(element)
        case inspect.UnionType():
            return next((shape for shape in map(_shape, kind.types) if shape is not None), None)
        case inspect.Metadata():
            return _shape(kind.type)
        case _:
            return None


def _spelled(value: Any, shape: _Shape, path: str, reason: str) -> Any:
    if isinstance(shape, _Array) and isinstance(value, list):
        return [_spelled(element, shape.element, f"{path}[{index}]", reason) for index, element in enumerate(value)]
    if not isinstance(shape, _Object) or not isinstance(value, dict):
        return value
    respelled: dict[str, Any] = {}
    for written, inner in value.items():
        member = shape.members.get(written.lower())
        if member is None or inner is None:
            continue
        where = f"{path}.{member.name}" if path else member.name
        if member.name in respelled:
            raise invalid(reason, Violation(where, "is given twice"))
        respelled[member.name] = _spelled(inner, member.shape, where, reason)
    return respelled
