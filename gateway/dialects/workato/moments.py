# SPDX-License-Identifier: Apache-2.0
"""Workato's moments: RFC 3339 with milliseconds and a numeric offset (contract section 4)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.timestamps import to_datetime

if TYPE_CHECKING:
    from datetime import datetime


def text_of(moment: datetime) -> str:
    """Returns a moment as Workato writes it: 2023-01-15T18:50:32.986+00:00."""
    return moment.isoformat(timespec="milliseconds")


def text(timestamp: Timestamp) -> str:
    """Returns a timestamp as Workato writes it."""
    return _text(timestamp.seconds, timestamp.nanos)


@lru_cache(maxsize=4096)
def _text(seconds: int, nanos: int) -> str:
    return text_of(to_datetime(Timestamp(seconds=seconds, nanos=nanos)))
