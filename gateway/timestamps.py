# SPDX-License-Identifier: Apache-2.0
"""Between google.protobuf.Timestamp and datetime, to the microsecond, always in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
