# SPDX-License-Identifier: Apache-2.0
"""A claim is taken over when its fence has stood still for the length of a lease, by the clock of who watches."""

from __future__ import annotations

import pytest

from service.leases import Watch


class Monotonic:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Monotonic:
    return Monotonic()


@pytest.fixture
def watch(clock: Monotonic) -> Watch[str]:
    return Watch(8, clock)


def looks(watch: Watch[str], clock: Monotonic, seconds: int, *keys: str) -> list[bool]:
    """Looks at claims with fence 7 every second, and returns what comes of the last look at each."""
    abandoned: list[bool] = []
    for _ in range(seconds):
        clock.now += 1
        abandoned = [watch.is_abandoned(key, 7) for key in keys]
    return abandoned


def test_a_claim_that_is_met_for_the_first_time_is_held(watch: Watch[str]) -> None:
    assert not watch.is_abandoned("a", 7)


def test_a_claim_whose_fence_stands_still_for_a_lease_is_abandoned(watch: Watch[str], clock: Monotonic) -> None:
    watch.is_abandoned("a", 7)
    assert looks(watch, clock, 7, "a") == [False]
    assert looks(watch, clock, 1, "a") == [True]


def test_time_in_which_nobody_looked_hardly_counts(watch: Watch[str], clock: Monotonic) -> None:
    watch.is_abandoned("a", 7)
    clock.now += 3600
    assert not watch.is_abandoned("a", 7)
    assert looks(watch, clock, 6, "a") == [False]
    assert looks(watch, clock, 1, "a") == [True]


def test_a_holder_who_raises_the_fence_keeps_the_claim(watch: Watch[str], clock: Monotonic) -> None:
    for fence in range(10):
        assert not watch.is_abandoned("a", fence)
        clock.now += 5


def test_each_claim_is_watched_for_itself(watch: Watch[str], clock: Monotonic) -> None:
    watch.is_abandoned("a", 7)
    looks(watch, clock, 7, "a")
    assert looks(watch, clock, 1, "a", "b") == [True, False]


def test_a_claim_that_is_forgotten_begins_anew(watch: Watch[str], clock: Monotonic) -> None:
    for key in ("a", "b", "c"):
        watch.is_abandoned(key, 7)
    looks(watch, clock, 7, "a", "b", "c")
    watch.forget("a")
    watch.keep_only({"a", "b"})
    assert looks(watch, clock, 1, "a", "b", "c") == [False, True, False]
