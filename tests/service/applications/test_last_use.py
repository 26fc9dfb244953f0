# SPDX-License-Identifier: Apache-2.0
"""When a secret was last used: noted where it was, and written now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.applications import secret_uses
from service.applications.secret_uses import SecretUses
from service.clock import HOUR, SECOND
from tests.running import running_on
from tests.service.applications.vault import Vault
from tests.service.grants.tokens.counter import Time, micros

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databases import Template

CHOSEN = "chosen by somebody"


async def written(vault: Vault, application: Any) -> list[int]:
    """Returns what the database says of the secrets of an application, the oldest first."""
    return [row.last_used for row in sorted(await vault.secrets(application))]


def uses_of(vault: Vault) -> SecretUses:
    return vault.almoner.service.background._uses


@pytest.mark.parametrize("secret", ["", CHOSEN])
async def test_a_use_is_seen_at_once_by_who_has_noted_it(vault: Vault, secret: str) -> None:
    held = await vault.client(secret)
    assert await vault.lets_in(held.id, held.secret)
    (shown,) = await vault.valid(held.id)
    assert micros(shown.last_use_time) == vault.time.now
    assert await written(vault, held.application) == [0]


async def test_the_last_of_many_is_written_for_all(vault: Vault) -> None:
    held = await vault.client()
    second = await vault.rotate(held.id, HOUR)
    for _ in range(3):
        vault.time.pass_by(SECOND)
        await vault.lets_in(held.id, held.secret)
    before = vault.time.now
    vault.time.pass_by(SECOND)
    await vault.lets_in(held.id, second.client_secret)
    await uses_of(vault).write()
    assert await written(vault, held.application) == [before, vault.time.now]
    assert micros((await vault.get(id=held.id)).client.secret_last_use_time) == vault.time.now
    (listed,) = [found for found in (await vault.page()).applications if found.id == held.id]
    assert micros(listed.client.secret_last_use_time) == vault.time.now
    assert len(uses_of(vault)) == 0


async def test_a_use_changes_no_revision(vault: Vault) -> None:
    held = await vault.client()
    await vault.lets_in(held.id, held.secret)
    await uses_of(vault).write()
    after = await vault.get(id=held.id)
    assert (after.etag, after.update_time) == (held.application.etag, held.application.update_time)


async def test_what_was_not_good_is_no_use(vault: Vault) -> None:
    held = await vault.client(CHOSEN)
    await vault.lets_in(held.id, "wrong")
    await vault.lets_in((await vault.client(public=True)).id, "")
    assert len(uses_of(vault)) == 0
    assert not (await vault.get(id=held.id)).client.HasField("secret_last_use_time")


async def test_the_own_rotation_is_a_use(vault: Vault) -> None:
    held = await vault.client()
    await vault.rotate_own(held.id, held.secret)
    newest, oldest = await vault.valid(held.id)
    assert micros(oldest.last_use_time) == vault.time.now
    assert not newest.HasField("last_use_time")


async def test_nothing_that_is_known_becomes_older(vault: Vault) -> None:
    held = await vault.client()
    (secret,) = await vault.valid(held.id)
    uses, elsewhere = uses_of(vault), SecretUses(vault.almoner.service.store)
    elsewhere.note(secret.id, 3)
    await elsewhere.write()
    uses.note(secret.id, 2)
    uses.note(secret.id, 1)
    assert uses.last_of(secret.id, 1) == 2
    assert uses.last_of(secret.id, 3) == 3
    await uses.write()
    assert await written(vault, held.application) == [3]
    uses.note(secret.id, 4)
    await uses.write()
    assert await written(vault, held.application) == [4]


async def test_a_secret_that_is_gone_is_no_error(vault: Vault) -> None:
    held = await vault.client()
    await vault.lets_in(held.id, held.secret)
    await vault.delete(id=held.id)
    await uses_of(vault).write()
    assert len(uses_of(vault)) == 0


async def test_many_uses_are_few_writes(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_uses, "BATCH", 2)
    holders = [await vault.client() for _ in range(5)]
    for _ in range(20):
        for held in holders:
            await vault.lets_in(held.id, held.secret)
    commits = 0

    class Counted:
        """The store, whose writes are counted."""

        async def sweep(self, use_case: Any) -> Any:
            nonlocal commits
            commits += 1
            return await vault.almoner.service.store.sweep(use_case)

    uses = uses_of(vault)
    monkeypatch.setattr(uses, "_store", Counted())
    await uses.write()
    assert commits == 3
    assert {time for held in holders for time in await written(vault, held.application)} == {vault.time.now}
    await uses.write()
    assert commits == 3


async def test_what_is_used_meanwhile_stays_noted(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    held = await vault.client()
    await vault.lets_in(held.id, held.secret)
    (secret,) = await vault.valid(held.id)
    uses = uses_of(vault)
    store = vault.almoner.service.store

    class Slow:
        """The store, during whose write the secret is used again."""

        async def sweep(self, use_case: Any) -> Any:
            uses.note(secret.id, vault.time.now + 1)
            return await store.sweep(use_case)

    monkeypatch.setattr(uses, "_store", Slow())
    await uses.write()
    assert uses.last_of(secret.id, 0) == vault.time.now + 1
    monkeypatch.setattr(uses, "_store", store)
    await uses.write()
    assert await written(vault, held.application) == [vault.time.now + 1]


async def test_what_was_noted_last_is_written_when_the_service_ends(template: Template, tmp_path: Path) -> None:
    time = Time()
    async with template.copy(tmp_path / "data") as settings:
        async with running_on(settings, clock=time) as almoner:
            vault = Vault(almoner, time)
            held = await vault.client()
            await vault.lets_in(held.id, held.secret)
        async with running_on(settings, clock=time) as almoner:
            assert micros((await Vault(almoner, time).get(id=held.id)).client.secret_last_use_time) == time.now


async def test_two_processes_agree(template: Template, tmp_path: Path) -> None:
    first, second = Time(), Time()
    second.pass_by(HOUR)
    async with (
        template.copy(tmp_path / "data") as settings,
        running_on(settings, clock=first) as almoner,
        running_on(settings, clock=second) as other,
    ):
        here, there = Vault(almoner, first), Vault(other, second)
        held = await here.client()
        assert await here.lets_in(held.id, held.secret)
        assert await there.lets_in(held.id, held.secret)
        await uses_of(there).write()
        await uses_of(here).write()
        for vault in (here, there):
            (shown,) = await vault.valid(held.id)
            assert micros(shown.last_use_time) == second.now
