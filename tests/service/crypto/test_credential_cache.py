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
    cache.remember("alice:password", "alice", user_id=7, revision=3)
    return cache


def test_credentials_that_were_right_are_known(cache: CredentialCache) -> None:
    assert cache.find("alice:password") == ("alice", 7, 3, LIFETIME)


@pytest.mark.parametrize(
    "credentials", ["alice:Password", "bob:password", "alice:password ", "", "alice:password\udcff"]
)
def test_nothing_else_is_known(cache: CredentialCache, credentials: str) -> None:
    assert cache.find(credentials) is None


def test_a_changed_credential_takes_the_place_of_the_old_one(cache: CredentialCache) -> None:
    cache.remember("alice:password", "alice", user_id=7, revision=4)
    assert cache.find("alice:password") == ("alice", 7, 4, LIFETIME)
    assert len(cache) == 1


def test_a_check_is_repeated_after_its_lifetime(cache: CredentialCache, time: Time) -> None:
    time.now = LIFETIME - 1
    assert cache.find("alice:password")
    time.now = LIFETIME
    assert cache.find("alice:password") is None
    assert len(cache) == 0


def test_use_does_not_prolong_the_lifetime_but_a_new_check_does(cache: CredentialCache, time: Time) -> None:
    time.now = MINUTE
    cache.find("alice:password")
    cache.remember("bob:password", "bob", user_id=8, revision=1)
    time.now = LIFETIME
    assert cache.find("alice:password") is None
    assert cache.find("bob:password")


def test_beyond_its_capacity_what_was_unused_for_longest_goes(cache: CredentialCache) -> None:
    cache.remember("bob:password", "bob", user_id=8, revision=1)
    cache.find("alice:password")
    cache.remember("carol:password", "carol", user_id=9, revision=1)
    assert cache.find("bob:password") is None
    assert cache.find("alice:password")
    assert len(cache) == 2


def test_no_password_is_kept() -> None:
    cache = CredentialCache(Time())
    cache.remember("alice:a canary of the cache", "alice", user_id=7, revision=3)
    assert "canary" not in repr(gc.get_referents(cache, cache._known, *cache._known.items()))
