# SPDX-License-Identifier: Apache-2.0
"""Whether who presents a secret is let in, at what cost, and what is remembered of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from service.clock import DAY, HOUR, MINUTE
from tests.databases import ADMIN_PASSWORD

if TYPE_CHECKING:
    from service.crypto.passwords import PasswordHasher
    from tests.service.applications.vault import Vault

CHOSEN = "chosen by somebody"


@pytest.fixture
def checks(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The secrets for which argon2id digests are computed."""
    computed: list[str] = []
    passwords: PasswordHasher = vault.almoner.service.passwords
    verify = passwords.verify

    async def noted(digest: str, password: str) -> bool:
        if password != ADMIN_PASSWORD:
            computed.append(password)
        return await verify(digest, password)

    monkeypatch.setattr(passwords, "verify", noted)
    return computed


async def test_a_generated_secret_costs_no_argon2(vault: Vault, checks: list[str]) -> None:
    held = await vault.client(CHOSEN)
    generated = (await vault.rotate(held.id, HOUR)).client_secret
    assert await vault.lets_in(held.id, generated)
    assert checks == []


async def test_a_chosen_secret_costs_it_once_in_a_while(vault: Vault, checks: list[str]) -> None:
    held = await vault.client(CHOSEN)
    for _ in range(3):
        assert await vault.lets_in(held.id, CHOSEN)
    assert checks == [CHOSEN]
    vault.time.pass_by(5 * MINUTE)
    assert await vault.lets_in(held.id, CHOSEN)
    assert checks == [CHOSEN] * 2


async def test_a_wrong_secret_is_never_remembered(vault: Vault, checks: list[str]) -> None:
    held = await vault.client(CHOSEN)
    for _ in range(2):
        assert not await vault.lets_in(held.id, "wrong")
    assert checks == ["wrong"] * 2


async def test_the_secret_of_before_does_not_cost_a_check_of_the_new_one(vault: Vault, checks: list[str]) -> None:
    held = await vault.client(CHOSEN)
    await vault.rotate(held.id, HOUR, client_secret="chosen after it")
    for _ in range(3):
        assert await vault.lets_in(held.id, CHOSEN)
    assert checks == [CHOSEN] * 2


async def test_the_same_secret_at_the_same_time_is_checked_once(vault: Vault, checks: list[str]) -> None:
    held = await vault.client(CHOSEN)
    assert all(await asyncio.gather(*(vault.lets_in(held.id, CHOSEN) for _ in range(20))))
    assert checks == [CHOSEN]


async def test_one_that_is_remembered_is_of_no_use_once_it_is_revoked(vault: Vault, checks: list[str]) -> None:
    held = await vault.client(CHOSEN)
    assert await vault.lets_in(held.id, CHOSEN)
    (secret,) = await vault.valid(held.id)
    await vault.revoke(held.id, secret.id)
    assert not await vault.lets_in(held.id, CHOSEN)
    assert checks == [CHOSEN]


async def test_one_that_is_remembered_is_of_no_use_once_it_has_ended(vault: Vault) -> None:
    held = await vault.client(CHOSEN)
    await vault.rotate(held.id, MINUTE)
    assert await vault.lets_in(held.id, CHOSEN)
    vault.time.pass_by(MINUTE)
    assert not await vault.lets_in(held.id, CHOSEN)


async def test_what_is_remembered_of_one_client_is_nothing_of_another(vault: Vault) -> None:
    held, other = await vault.client(CHOSEN), await vault.client("chosen by another")
    assert await vault.lets_in(held.id, CHOSEN)
    assert not await vault.lets_in(other.id, CHOSEN)


async def test_a_text_that_was_generated_once_can_be_chosen_later(vault: Vault) -> None:
    held = await vault.client()
    await vault.rotate(held.id, 0, client_secret=held.secret)
    assert await vault.lets_in(held.id, held.secret)


async def test_a_secret_that_ends_while_it_is_checked_is_good(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    held = await vault.client(CHOSEN)
    await vault.rotate(held.id, MINUTE)
    vault.time.pass_by(MINUTE - 1)
    passwords = vault.almoner.service.passwords
    verify = passwords.verify

    async def slow(digest: str, password: str) -> bool:
        vault.time.pass_by(HOUR)
        return await verify(digest, password)

    monkeypatch.setattr(passwords, "verify", slow)
    assert await vault.lets_in(held.id, CHOSEN)
    assert not await vault.lets_in(held.id, CHOSEN)


class TestHousekeeping:
    """What becomes of the rows of secrets that have ended."""

    @staticmethod
    async def tidy(vault: Vault) -> None:
        await vault.almoner.service.background._tidy()

    async def test_a_secret_goes_thirty_days_after_its_end(self, vault: Vault) -> None:
        held = await vault.client()
        await vault.rotate(held.id, HOUR)
        vault.time.pass_by(HOUR + 30 * DAY)
        await self.tidy(vault)
        assert len(await vault.secrets(held.application)) == 2
        vault.time.pass_by(1)
        await self.tidy(vault)
        (left,) = await vault.secrets(held.application)
        assert left.expires == 0

    async def test_the_newest_stays_so_that_nobody_becomes_public(self, vault: Vault) -> None:
        held = await vault.client()
        await vault.rotate(held.id, HOUR)
        for secret in await vault.valid(held.id):
            await vault.revoke(held.id, secret.id)
        vault.time.pass_by(400 * DAY)
        await self.tidy(vault)
        assert len(await vault.secrets(held.application)) == 1
        assert not await vault.lets_in(held.id, "")
        assert not await vault.lets_in(held.id, "anything")
