# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from service.crypto.passwords import PasswordHasher
from service.crypto.shared_checks import SharedChecks
from service.errors import TooManyAttempts

if TYPE_CHECKING:
    from collections.abc import Iterator


class Counting(PasswordHasher):
    """Counts what it computes."""

    computed = 0

    @override
    async def verify(self, digest: str, password: str) -> bool:
        self.computed += 1
        return await super().verify(digest, password)


@pytest.fixture
def hasher() -> Iterator[Counting]:
    hasher = Counting(waiting=2)
    yield hasher
    hasher.close()


@pytest.fixture
def checks(hasher: Counting) -> SharedChecks:
    return SharedChecks(hasher)


@pytest.mark.parametrize(("password", "right"), [("correct horse", True), ("wrong", False)])
async def test_the_same_check_wanted_by_many_is_made_once(
    hasher: Counting, checks: SharedChecks, password: str, *, right: bool
) -> None:
    digest = hasher.hash_blocking("correct horse")
    assert await asyncio.gather(*(checks.check("ann", password, digest) for _ in range(200))) == [right] * 200
    assert hasher.computed == 1
    assert len(checks) == 0


async def test_checks_that_differ_in_anything_are_made_apart(hasher: Counting, checks: SharedChecks) -> None:
    digest, other = hasher.hash_blocking("ann"), hasher.hash_blocking("ann")
    found = await asyncio.gather(
        checks.check("ann", "ann", digest),
        checks.check("ann", "ann", other),
        checks.check("an", "nann", digest),
        checks.check("bob", "ann", ""),
    )
    assert list(found) == [True, True, False, False]
    assert hasher.computed == 4


async def test_a_name_that_nobody_has_takes_a_check_of_its_own_for_each_password(
    hasher: Counting, checks: SharedChecks
) -> None:
    """As a real name does: else the time would tell them apart."""
    assert not any(await asyncio.gather(*(checks.check("nobody", password, "") for password in ("a", "a", "b"))))
    assert hasher.computed == 2


async def test_one_who_gives_up_takes_nobody_along(hasher: Counting, checks: SharedChecks) -> None:
    digest = hasher.hash_blocking("correct horse")
    first, second = (asyncio.ensure_future(checks.check("ann", "correct horse", digest)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second
    assert hasher.computed == 1


async def test_a_check_that_nobody_waits_for_any_more_is_given_up(hasher: Counting, checks: SharedChecks) -> None:
    digest = hasher.hash_blocking("correct horse")
    waiting = [asyncio.ensure_future(checks.check("ann", "correct horse", digest)) for _ in range(2)]
    await asyncio.sleep(0)
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert len(checks) == 0
    assert await checks.check("ann", "correct horse", digest)


async def test_all_are_refused_where_there_is_no_place_for_the_check(hasher: Counting, checks: SharedChecks) -> None:
    others = [asyncio.ensure_future(checks.check("bob", str(n), "")) for n in range(4)]
    await asyncio.sleep(0)
    found = await asyncio.gather(*(checks.check("ann", "x", "") for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in found] == [TooManyAttempts] * 3
    assert not any(await asyncio.gather(*others))
