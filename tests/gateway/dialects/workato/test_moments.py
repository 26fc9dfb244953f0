# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.workato.moments import text
from gateway.dialects.workato.workspace import billing_period

FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")


@pytest.mark.parametrize(
    ("nanos", "written"),
    [
        (986_000_000, "2023-01-15T18:50:32.986+00:00"),
        (986_999_999, "2023-01-15T18:50:32.986+00:00"),
        (0, "2023-01-15T18:50:32.000+00:00"),
    ],
)
def test_a_moment_has_milliseconds_and_a_numeric_offset(nanos: int, written: str) -> None:
    assert text(Timestamp(seconds=1673808632, nanos=nanos)) == written


@given(st.integers(min_value=-62_135_596_800, max_value=253_402_300_799), st.integers(0, 999_999_999))
def test_every_timestamp_has_the_one_form(seconds: int, nanos: int) -> None:
    assert FORM.fullmatch(text(Timestamp(seconds=seconds, nanos=nanos)))


@given(st.datetimes(max_value=datetime(9999, 11, 30), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds are naive
def test_a_billing_period_is_a_calendar_month(now: datetime) -> None:
    start, end = billing_period(now)

    assert start <= now < end
    assert (start.day, end.day) == (1, 1)
    assert 28 <= (end - start).days <= 31
