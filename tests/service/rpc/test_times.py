# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidField
from service.rpc.times import from_duration, from_timestamp, to_duration, to_timestamp

FIRST, LAST = -62_135_596_800, 253_402_300_799


@pytest.mark.parametrize(
    ("time", "timestamp"),
    [
        (1, Timestamp(nanos=1_000)),
        (1_500_000, Timestamp(seconds=1, nanos=500_000_000)),
        (-1, Timestamp(seconds=-1, nanos=999_999_000)),
        (FIRST * 1_000_000, Timestamp(seconds=FIRST)),
        (LAST * 1_000_000 + 999_999, Timestamp(seconds=LAST, nanos=999_999_000)),
    ],
)
def test_a_time_is_microseconds_in_the_house_and_a_message_on_the_wire(time: int, timestamp: Timestamp) -> None:
    assert to_timestamp(time) == timestamp
    assert from_timestamp(timestamp, "path") == time


def test_no_time_is_zero_and_no_message() -> None:
    assert to_timestamp(0) is None
    assert from_timestamp(Timestamp(), "path") == 0


def test_what_is_finer_than_a_microsecond_is_cut() -> None:
    assert from_timestamp(Timestamp(seconds=1, nanos=1_999), "path") == 1_000_001
    assert from_duration(Duration(seconds=1, nanos=1_999)) == 1_000_001


@pytest.mark.parametrize(
    "timestamp",
    [
        Timestamp(seconds=FIRST - 1),
        Timestamp(seconds=LAST + 1),
        Timestamp(seconds=2**63 - 1),
        Timestamp(seconds=-(2**63)),
        Timestamp(nanos=-1),
        Timestamp(nanos=1_000_000_000),
    ],
    ids=str,
)
def test_what_is_no_time_is_refused_by_name(timestamp: Timestamp) -> None:
    with pytest.raises(InvalidField) as raised:
        from_timestamp(timestamp, "user.password_expire_time")
    assert [violation.field for violation in raised.value.violations] == ["user.password_expire_time"]


@given(st.integers(FIRST * 1_000_000, LAST * 1_000_000))
def test_every_time_comes_back(time: int) -> None:
    timestamp = to_timestamp(time)
    assert time == (from_timestamp(timestamp, "path") if timestamp is not None else 0)


@given(st.integers(0, 315_360_000 * 1_000_000))
def test_every_length_comes_back(length: int) -> None:
    duration = to_duration(length)
    assert length == (from_duration(duration) if duration is not None else 0)
