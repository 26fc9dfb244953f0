# SPDX-License-Identifier: Apache-2.0
"""Lifetimes: whole seconds in Venafi's terms, durations in ours; unset is the default of whatever is above."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from msgspec import UNSET, UnsetType


def duration_of(seconds: int | None) -> Duration | None:
    """Returns the message of a lifetime; None: unset."""
    return None if seconds is None else Duration(seconds=seconds)


def seconds_of(duration: Duration) -> int | UnsetType:
    """Returns a lifetime in whole seconds, rounded up; a message without any is unset."""
    return duration.seconds + (duration.nanos > 0) or UNSET
