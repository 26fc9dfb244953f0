# SPDX-License-Identifier: Apache-2.0
"""Venafi's three spellings of one moment (contract section 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.timestamps import iso8601

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp


class Moment(NamedTuple):
    """One moment, three times.

    Attributes:
        date: Milliseconds as old JSON serializers of the vendor's write them, `/Date(1668623132853)/`.
        iso8601: In whole seconds, cut off: `2022-11-16T18:25:32Z`.
        unix_time: In whole seconds, rounded: 1668623133.
    """

    date: str
    iso8601: str
    unix_time: int


def moment_of(timestamp: Timestamp) -> Moment:
    """Returns the spellings of a timestamp."""
    seconds = timestamp.seconds
    milliseconds = seconds * 1_000 + timestamp.nanos // 1_000_000
    return Moment(f"/Date({milliseconds})/", f"{iso8601(seconds)}Z", (milliseconds + 500) // 1000)
