# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc

import pytest

from service.clock import MINUTE
from service.crypto.credential_cache import LIFETIME, CredentialCache


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def cache(time: Time) -> CredentialCache:
    cache = CredentialCache(time, capacity=2)
    cache.remember("alice", "password", user_id=7, revision=3)
    return cache


def test_a_password_that_was_right_is_known(cache: CredentialCache) -> None:
    assert cache.find("alice", "password", 3) == 7


@pytest.mark.parametrize(
    ("username", "password"),
    [("alice", "Password"), ("bob", "password"), ("alicep", "assword"), ("", "alicepassword"), ("5:alice", "password")],
)
def test_nothing_else_is_known(cache: CredentialCache, username: str, password: str) -> None:
    assert cache.find(username, password, 3) is None


def test_a_changed_credential_is_checked_again(cache: CredentialCache) -> None:
    assert cache.find("alice", "password", 4) is None
    assert cache.find("alice", "password", 3) is None


def test_a_check_is_repeated_after_its_lifetime(cache: CredentialCache, time: Time) -> None:
    time.now = LIFETIME - 1
    assert cache.find("alice", "password", 3) == 7
    time.now = LIFETIME
    assert cache.find("alice", "password", 3) is None
    assert len(cache) == 0


def test_use_does_not_prolong_the_lifetime_but_a_new_check_does(cache: CredentialCache, time: Time) -> None:
    time.now = MINUTE
    cache.remember("alice", "password", user_id=7, revision=3)
    time.now = LIFETIME
    assert cache.find("alice", "password", 3) == 7


def test_beyond_its_capacity_what_was_unused_for_longest_goes(cache: CredentialCache) -> None:
    cache.remember("bob", "password", user_id=8, revision=1)
    cache.find("alice", "password", 3)
    cache.remember("carol", "password", user_id=9, revision=1)
    assert cache.find("bob", "password", 1) is None
    assert cache.find("alice", "password", 3) == 7
    assert len(cache) == 2


def test_no_password_is_kept() -> None:
    cache = CredentialCache(Time())
    cache.remember("alice", "a canary of the cache", user_id=7, revision=3)
    assert "canary" not in repr(gc.get_referents(cache, cache._successes, *cache._successes.items()))
