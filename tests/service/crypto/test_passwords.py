# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from service.crypto import passwords
from service.crypto.passwords import WORKERS, PasswordHasher
from service.errors import TooManyAttempts

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    hasher = PasswordHasher(waiting=1)
    yield hasher
    hasher.close()


@pytest.mark.parametrize("password", ["correct horse", "", "pässwörd \N{KEY}", "x" * 1024])
async def test_only_the_password_itself_is_right(hasher: PasswordHasher, password: str) -> None:
    digest = hasher.hash_blocking(password)
    assert await hasher.verify(digest, password)
    assert not await hasher.verify(digest, password + "x")


async def test_a_digest_is_argon2id_with_the_documented_parameters(hasher: PasswordHasher) -> None:
    digest = await hasher.hash("correct horse")
    assert digest.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert digest != await hasher.hash("correct horse")


def test_nobodys_digest_costs_as_much_as_a_real_one(hasher: PasswordHasher) -> None:
    assert not hasher._argon2.check_needs_rehash(passwords.NOBODYS_DIGEST)


async def test_checking_nothing_runs_a_whole_computation(hasher: PasswordHasher) -> None:
    await hasher.verify_nothing()


class TestLimit:
    async def test_further_checks_are_refused_while_too_many_wait(self, hasher: PasswordHasher) -> None:
        held = threading.Event()
        running = [asyncio.ensure_future(hasher._on_thread(held.wait)) for _ in range(WORKERS + 1)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyAttempts):
            await hasher.verify_nothing()
        held.set()
        await asyncio.gather(*running)
        await hasher.verify_nothing()

    async def test_a_caller_that_gives_up_leaves_its_place_in_the_queue(self, hasher: PasswordHasher) -> None:
        held = threading.Event()
        running = [asyncio.ensure_future(hasher._on_thread(held.wait)) for _ in range(WORKERS)]
        waiting = asyncio.ensure_future(hasher.verify_nothing())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        again = asyncio.ensure_future(hasher.verify_nothing())
        await asyncio.sleep(0)
        assert not again.done()
        held.set()
        await asyncio.gather(again, *running)

    async def test_the_event_loop_runs_on_meanwhile(self, hasher: PasswordHasher) -> None:
        check = asyncio.ensure_future(hasher.verify_nothing())
        turns = 0
        while not check.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 10
