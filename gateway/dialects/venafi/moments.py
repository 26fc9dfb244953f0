# SPDX-License-Identifier: Apache-2.0
"""Venafi's three spellings of one moment (contract section 1)."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from gateway.timestamps import EPOCH

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = EPOCH.replace(tzinfo=None)


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
    return Moment(f"/Date({milliseconds})/", _iso8601(seconds), (milliseconds + 500) // 1000)


@lru_cache(maxsize=4096)
def _iso8601(seconds: int) -> str:
    return f"{(_EPOCH + timedelta(seconds=seconds)).isoformat()}Z"
