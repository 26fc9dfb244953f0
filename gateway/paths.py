# SPDX-License-Identifier: Apache-2.0
"""Finds what is at a path: a tree of the segments of templates such as `/profiles/{id}`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

_PARAMETER = re.compile(r"([^{}]*){([^{}]+)}([^{}]*)")


class Found(NamedTuple, Generic[T]):
    """What is at a path, and the values of its parameters by name."""

    here: T
    parameters: dict[str, str]


class Paths(Generic[T]):
    """What is where. A literal segment goes before a parameter, wherever both fit."""

    def __init__(self) -> None:
        """Nothing is anywhere yet."""
        self._root: _Node[T] = _Node()
        self._literal: dict[str, Found[T]] = {}
        self._below: dict[str, _Node[T]] = {}

    def add(self, template: str, here: T) -> None:
        """Puts something at a path, a segment of which may have one parameter in braces."""
        node, path = self._root, ""
        for segment in template.split("/")[1:]:
            if "{" not in path:
                self._below[path] = node
            node, path = node.child(segment), f"{path}/{segment}"
        node.here = here
        if "{" not in template:
            self._literal[template] = Found(here, {})

    def find(self, path: str) -> Found[T] | None:
        """Returns what is at a path, decoded but for %2F and %25 (`yarl.URL.path_safe`), or None."""
        found = self._literal.get(path)
        if found is None:
            # Most paths are literal but for the last segment.
            above, slash, last = path.rpartition("/")
            node = self._below.get(above) if slash else None
            found = node.find([last], 0) if node is not None else None
        return found or self._root.find(path.split("/"), 1)


class _Parameter(NamedTuple):
    """A segment with a parameter, and perhaps something literal before it or behind it."""

    before: str
    name: str
    behind: str

    def value(self, segment: str) -> str:
        """Returns the decoded value of the parameter in a segment; empty: it is another segment."""
        if self.before or self.behind:
            if not (segment.startswith(self.before) and segment.endswith(self.behind)):
                return ""
            segment = segment[len(self.before) : len(segment) - len(self.behind)]
        if "{" in segment or "}" in segment:
            return ""
        return segment.replace("%2F", "/").replace("%25", "%") if "%" in segment else segment


@dataclass(slots=True)
class _Node(Generic[T]):
    """A segment of paths: what is there, and what follows it."""

    here: T | None = None
    literal: dict[str, _Node[T]] = field(default_factory=dict)
    parameters: dict[_Parameter, _Node[T]] = field(default_factory=dict)

    def child(self, segment: str) -> _Node[T]:
        """Returns what follows by a segment of a template, made if it is new."""
        match = _PARAMETER.fullmatch(segment)
        if match is None:
            return self.literal.setdefault(segment, _Node())
        node = self.parameters.setdefault(_Parameter(*match.groups()), _Node())
        # The more of a segment is literal, the sooner it is tried.
        by_literals = sorted(self.parameters.items(), key=lambda item: -len(item[0].before + item[0].behind))
        self.parameters = dict(by_literals)
        return node

    def find(self, segments: list[str], at: int) -> Found[T] | None:
        """Returns what is where the segments from a position on lead."""
        if at == len(segments):
            return None if self.here is None else Found(self.here, {})
        segment = segments[at]
        literal = self.literal.get(segment)
        if literal is not None and (found := literal.find(segments, at + 1)) is not None:
            return found
        for parameter, node in self.parameters.items():
            value = parameter.value(segment)
            if value and (found := node.find(segments, at + 1)) is not None:
                found.parameters[parameter.name] = value
                return found
        return None
