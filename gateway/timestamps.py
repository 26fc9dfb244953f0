# SPDX-License-Identifier: Apache-2.0
"""Between google.protobuf.Timestamp and datetime, to the microsecond, always in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = EPOCH.replace(tzinfo=None)  # its sums and spellings take half the time
_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = _MICROSECOND
_LAST = datetime.max.replace(tzinfo=UTC) - EPOCH


def to_datetime(timestamp: Timestamp) -> datetime:
    """Returns the moment; nanoseconds are cut off."""
    return EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)


def from_datetime(moment: datetime) -> Timestamp:
    """Returns the message of an aware moment.

    The service knows moments after 1970. Earlier ones, all long past, become the first of them; what lies behind the
    calendar's last day in UTC becomes its last moment.
    """
    since = min(max(moment - EPOCH, _FIRST), _LAST)
    return Timestamp(seconds=since // _SECOND, nanos=(since % _SECOND) // _MICROSECOND * 1000)


# Few are kept: what is asked for again is asked for soon, and most resources were last changed when they were made.
@lru_cache(maxsize=64)
def iso8601(seconds: int, nanos: int = 0, *, precision: str = "seconds") -> str:
    """Returns the ISO 8601 form of a moment after the epoch in UTC, which the dialects end each in their own way.

    Args:
        seconds: Since the epoch.
        nanos: Nanoseconds beyond them.
        precision: What the rest is cut off behind: `seconds` or `milliseconds`.
    """
    return (_NAIVE_EPOCH + timedelta(0, seconds, nanos // 1000)).isoformat(timespec=precision)
