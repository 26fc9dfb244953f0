# SPDX-License-Identifier: Apache-2.0
"""The network between the service and its PostgreSQL, cut at the two moments that count."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from service.errors import StorageUnavailable
from tests.broker_faults.held import hold_of, outcome, works
from tests.broker_faults.provider import faults
from tests.resilience.wire import wired
from tests.running import running_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.broker_faults.provider.process import Provider
    from tests.broker_faults.window import Window
    from tests.databases import PostgresTemplate
    from tests.resilience.wire import Wire
    from tests.running import Almoner


@pytest.fixture
async def wire_and_almoner(postgres_template: PostgresTemplate, tmp_path: Path) -> AsyncIterator[tuple[Wire, Almoner]]:
    """A service, and the network to its database."""
    allowed = {"outgoing_allow_http": True, "outgoing_allow_private": True}
    async with wired(postgres_template, tmp_path, **allowed) as (wire, settings), running_on(settings) as almoner:
        yield wire, almoner


async def cut(wire: Wire, almoner: Almoner) -> None:
    """Cuts the network, and waits until the service feels it."""
    await wire.cut()
    with pytest.raises(StorageUnavailable):
        await almoner.service.store.write(lambda tx: tx.exec_driver_sql("SELECT 1"))


async def test_without_a_database_the_provider_is_not_called(
    wire_and_almoner: tuple[Wire, Almoner], provider: Provider, window: Window
) -> None:
    wire, almoner = wire_and_almoner
    client = await provider.client()
    held = await hold_of(almoner.channel, client)

    await cut(wire, almoner)
    assert await outcome(held.token()) == "UNAVAILABLE"
    assert (await client.report()).requests == []
    await wire.mend()

    assert await provider.admits(await outcome(held.token()))
    await window.note_client(client)


async def test_an_answer_that_comes_without_a_database_is_stored_when_there_is_one_again(
    wire_and_almoner: tuple[Wire, Almoner], provider: Provider, window: Window
) -> None:
    wire, almoner = wire_and_almoner
    client = await provider.client()
    held = await hold_of(almoner.channel, client)
    await client.meets(faults.SLOW_ANSWER)

    call = asyncio.create_task(outcome(held.token()))
    await client.report(held=1)
    await cut(wire, almoner)
    await client.release()
    await client.report(answered=1)
    assert not call.done(), "nobody is told before it is stored"
    await wire.mend()

    assert await provider.admits(await call)
    assert len((await client.report()).requests) == 1
    assert await works(held, client)
    await window.note_client(client)
