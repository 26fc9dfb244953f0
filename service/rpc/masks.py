# SPDX-License-Identifier: Apache-2.0
"""Update masks (AIP-134): from the paths of a message to the members that change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import InvalidUpdateMask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.protobuf.field_mask_pb2 import FieldMask
    from google.protobuf.message import Message

WHOLE = "*"


def members_of(mask: FieldMask, message: Message, paths: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Returns the names of the members that an update changes.

    Args:
        mask: Paths to change; none: every populated one that can be changed; `*`: all.
        message: The resource of the request.
        paths: The paths that can be changed, each with the members it stands for.

    Raises:
        InvalidUpdateMask: a path is not among `paths`.
    """
    if not mask.paths:
        named = [path for path in _populated(message) if path in paths]
    elif list(mask.paths) == [WHOLE]:
        named = list(paths)
    else:
        named = list(mask.paths)
    members: frozenset[str] = frozenset()
    for path in named:
        if path not in paths:
            raise InvalidUpdateMask(path)
        members |= paths[path]
    return members


def _populated(message: Message, prefix: str = "") -> Iterator[str]:
    for field, value in message.ListFields():
        path = prefix + field.name
        kind = field.message_type
        if kind is not None and not field.is_repeated and not kind.full_name.startswith("google.protobuf."):
            yield from _populated(value, f"{path}.")
        else:
            yield path
