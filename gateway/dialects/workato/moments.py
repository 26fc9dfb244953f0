# SPDX-License-Identifier: Apache-2.0
"""Workato's moments: RFC 3339 with milliseconds and a numeric offset (contract section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.timestamps import iso8601

if TYPE_CHECKING:
    from datetime import datetime

    from google.protobuf.timestamp_pb2 import Timestamp


def text_of(moment: datetime) -> str:
    """Returns a moment as Workato writes it: 2023-01-15T18:50:32.986+00:00."""
    return moment.isoformat(timespec="milliseconds")


def text(timestamp: Timestamp) -> str:
    """Returns a timestamp as Workato writes it."""
    return f"{iso8601(timestamp.seconds, timestamp.nanos, precision='milliseconds')}+00:00"
