# SPDX-License-Identifier: Apache-2.0
"""What commands print: tables for people, JSON for scripts."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.timestamp_pb2 import Timestamp

    from service.command.parsing import CommandParser

Row = dict[str, object]


def add_json(action: CommandParser) -> None:
    """Adds --json to an action that prints something."""
    action.add_argument("--json", action="store_true", help="print JSON, with all members")


def rows(found: Sequence[Row], columns: Sequence[str], *, as_json: bool) -> None:
    """Prints rows as a JSON array, or these columns of them as a table."""
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    lines = [tuple(column.replace("_", " ").upper() for column in columns)]
    lines += [tuple(_text(row[column]) for column in columns) for row in found]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def made(row: Row, done: str, *, as_json: bool, once: str | None = None) -> None:
    """Prints what was made: as JSON whole; else the value that is told once alone, and what was done beside it.

    Args:
        row: The resource, with the value if there is one.
        done: What was done, for people.
        as_json: Whether to print JSON.
        once: The value that is told once.
    """
    if as_json:
        print(json.dumps(row, indent=2, ensure_ascii=False))
        return
    note(done)
    if once is not None:
        print(once)


def note(text: str) -> None:
    """Tells people something without getting into what scripts read."""
    print(text, file=sys.stderr)


def time(timestamp: Timestamp) -> str | None:
    """Returns a time in RFC 3339, None for one that is not set."""
    return timestamp.ToJsonString() if timestamp.seconds or timestamp.nanos else None


def rfc3339(time: int) -> str:
    """Returns epoch microseconds in RFC 3339."""
    return datetime.fromtimestamp(time / 1_000_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(str(each) for each in value) or "-"
    return str(value)
