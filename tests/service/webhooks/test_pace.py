# SPDX-License-Identifier: Apache-2.0
"""When a delivery that failed is tried again."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from service.clock import DAY, HOUR, SECOND
from service.webhooks.pace import Pace, retry_after

NOW = 1_800_000_000 * SECOND


def test_pauses_grow_up_to_the_longest() -> None:
    pace = Pace()
    for attempts, longest in ((0, 5), (1, 20), (2, 80), (3, 320), (4, 1280), (5, 5120), (6, 7200), (1000, 7200)):
        pauses = [pace.pause(attempts) for _ in range(50)]
        assert longest * SECOND // 2 <= min(pauses) <= max(pauses) <= longest * SECOND
        assert len(set(pauses)) > 1


def test_a_day_has_a_dozen_tries_and_more() -> None:
    pace = Pace()
    slowest = [min(5 * 4**attempts, 7200) * SECOND for attempts in range(30)]
    assert sum(slowest[:12]) < DAY
    assert pace.pause(0) < pace.pause(3)


def test_a_receiver_may_wish_for_longer() -> None:
    assert Pace().pause(0, wish=3 * HOUR) == 3 * HOUR
    assert Pace().pause(6, wish=SECOND) >= HOUR


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("99999", 12 * 3600),
        ("9" * 400, 12 * 3600),
        (formatdate(1_800_000_060, usegmt=True), 60),
        (formatdate(1_700_000_000, usegmt=True), 0),
        (formatdate(1_900_000_000, usegmt=True), 12 * 3600),
        ("Sunday, 15-Jan-27 08:01:00 GMT", 60),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("1.5", 0),
        ("\u0663", 0),
        ("Fri, 31 Feb 2027 00:00:00 GMT", 0),
    ],
)
def test_how_long_is_read_from_seconds_and_dates(value: str, seconds: int) -> None:
    assert retry_after(value, NOW) == seconds * SECOND
