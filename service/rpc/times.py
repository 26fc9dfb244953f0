# SPDX-License-Identifier: Apache-2.0
"""Times between the wire, where they are messages, and the house, where they are integers of microseconds."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from service.errors import InvalidField, Violation

_MICROSECONDS = 1_000_000
_FIRST = -62_135_596_800
_LAST = 253_402_300_799


def to_timestamp(time: int) -> Timestamp | None:
    """Returns epoch microseconds as a message; None for 0, which means that there is no time."""
    if not time:
        return None
    seconds, microseconds = divmod(time, _MICROSECONDS)
    return Timestamp(seconds=seconds, nanos=microseconds * 1_000)


def set_timestamp(timestamp: Timestamp, time: int) -> None:
    """Makes a message that is part of another one say epoch microseconds, not 0."""
    timestamp.seconds, microseconds = divmod(time, _MICROSECONDS)
    timestamp.nanos = microseconds * 1_000


def from_timestamp(timestamp: Timestamp, path: str) -> int:
    """Returns a message as epoch microseconds; 0 for one that is not set.

    Raises:
        InvalidField: it is not a time between the years 1 and 9999; `path` names it.
    """
    if not _FIRST <= timestamp.seconds <= _LAST or not 0 <= timestamp.nanos < 1_000_000_000:
        raise InvalidField(Violation(path, "is not a time between the years 1 and 9999"))
    return timestamp.seconds * _MICROSECONDS + timestamp.nanos // 1_000


def to_duration(length: int) -> Duration | None:
    """Returns microseconds as a message; None for 0, which means that there is none."""
    if not length:
        return None
    seconds, microseconds = divmod(length, _MICROSECONDS)
    return Duration(seconds=seconds, nanos=microseconds * 1_000)


def from_duration(duration: Duration) -> int:
    """Returns a message as microseconds; 0 for one that is not set. Its rules bound it."""
    return duration.seconds * _MICROSECONDS + duration.nanos // 1_000
