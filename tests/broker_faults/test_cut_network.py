# SPDX-License-Identifier: Apache-2.0
"""The network between a service and its PostgreSQL, cut at the two moments that count."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from service import background
from service.errors import StorageUnavailable
from tests.broker_faults.held import PATIENCE, hold_of, outcome, works
from tests.broker_faults.provider import faults
from tests.databases import settings_for
from tests.resilience.wire import wired
from tests.running import running_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.broker_faults.held import Held
    from tests.broker_faults.provider.process import Provider
    from tests.broker_faults.window import Window
    from tests.databases import PostgresTemplate
    from tests.resilience.wire import Wire
    from tests.running import Almoner


class Monotonic:
    """A clock that is put on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@dataclass
class Site:
    """Two services on one database.

    Attributes:
        wire: The network between the first and the database.
        almoner: The first.
        other: The second, which looks all the time after what is left in the middle.
        clock: By which it does so.
    """

    wire: Wire
    almoner: Almoner
    other: Almoner
    clock: Monotonic

    async def cut(self) -> None:
        """Cuts the network, and waits until the first service feels it."""
        await self.wire.cut()
        with pytest.raises(StorageUnavailable):
            await self.almoner.service.store.write(lambda tx: tx.exec_driver_sql("SELECT 1"))

    async def other_looks_at(self, held: Held) -> None:
        """Waits until the second service has once more seen that a profile is being refreshed."""
        now = self.clock()
        async with asyncio.timeout(PATIENCE):
            while self._last_look_at(held) <= now:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.005)

    def _last_look_at(self, held: Held) -> float:
        seen = self.other.service.broker.watch._seen.get(held.profile_id)
        return seen.last if seen else 0.0


@pytest.fixture
async def site(
    postgres_template: PostgresTemplate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    monkeypatch.setattr(background, "REFRESH_INTERVAL", 0.02)
    allowed = {"outgoing_allow_http": True, "outgoing_allow_private": True}
    async with wired(postgres_template, tmp_path, **allowed) as (wire, settings), running_on(settings) as almoner:
        database = postgres_template.url_of(urlsplit(settings.database_url).path[1:])
        async with running_on(settings_for(tmp_path, database_url=database, **allowed)) as other:
            clock = Monotonic()
            monkeypatch.setattr(other.service.broker.watch, "_monotonic", clock)
            yield Site(wire, almoner, other, clock)


async def test_without_a_database_the_provider_is_not_called(site: Site, provider: Provider, window: Window) -> None:
    client = await provider.client()
    held = await hold_of(site.almoner.channel, client)

    await site.cut()
    assert await outcome(held.token()) == "UNAVAILABLE"
    assert (await client.report()).requests == []
    await site.wire.mend()

    assert await provider.admits(await outcome(held.token()))
    await window.note_client(client)


async def test_an_answer_that_comes_without_a_database_is_stored_when_there_is_one_again(
    site: Site, provider: Provider, window: Window
) -> None:
    client = await provider.client()
    held = await hold_of(site.almoner.channel, client)
    await client.meets(faults.SLOW_ANSWER)

    call = asyncio.create_task(outcome(held.token()))
    await client.report(held=1)
    await site.other_looks_at(held)
    await site.cut()
    await client.release()
    await client.report(answered=1)
    assert not call.done(), "nobody is told before it is stored"
    site.clock.ahead += 3600
    await site.other_looks_at(held)
    await site.wire.mend()

    assert await provider.admits(await call)
    assert len((await client.report()).requests) == 1, "who has not looked for an hour does not take over at once"
    assert await works(held, client)
    await window.note_client(client)
