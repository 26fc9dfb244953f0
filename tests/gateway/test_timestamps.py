# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from gateway.timestamps import from_datetime, to_datetime

AFTER_1970 = st.datetimes(min_value=datetime(1970, 1, 1, 0, 0, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


@given(AFTER_1970)
def test_every_moment_after_1970_survives_the_way_there_and_back(moment: datetime) -> None:
    assert to_datetime(from_datetime(moment)) == moment


@given(st.datetimes(timezones=st.just(UTC)))
def test_nanoseconds_are_never_negative(moment: datetime) -> None:
    assert 0 <= from_datetime(moment).nanos < 1_000_000_000


@given(st.datetimes(max_value=datetime(1969, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds are naive
def test_moments_before_1970_become_the_first_after_it(moment: datetime) -> None:
    assert to_datetime(from_datetime(moment)) == datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)


def test_a_moment_behind_the_calendar_of_utc_becomes_its_last() -> None:
    west = timezone(-timedelta(hours=12))

    assert to_datetime(from_datetime(datetime.max.replace(tzinfo=west))) == datetime.max.replace(tzinfo=UTC)
