# SPDX-License-Identifier: Apache-2.0
"""A database that refuses what the broker writes, at every step of the protocol."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.broker_faults.held import hold_of, outcome, works
from tests.broker_faults.provider import faults
from tests.broker_faults.sabotage import Blow, Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.broker_faults.house import House
    from tests.broker_faults.provider.process import Provider
    from tests.broker_faults.replicas import Replica
    from tests.broker_faults.window import Window


@pytest.fixture(scope="module")
async def server(house: House) -> AsyncIterator[Replica]:
    """The server whose writes are refused; what it finds in the middle it soon takes over."""
    async with house.serving(lease=0.1) as replica:
        yield replica


@pytest.mark.parametrize("step", [Step.INTENT_WRITTEN, Step.INTENT_COMMITTED])
async def test_without_a_stored_intent_the_provider_is_not_called(
    provider: Provider, server: Replica, window: Window, step: Step
) -> None:
    client = await provider.client()
    held = await hold_of(server.channel, client)

    server.suffers(**{step: Blow.REFUSE})
    assert await outcome(held.token()) == "UNAVAILABLE"
    assert (await client.report()).requests == []
    server.suffers()

    assert await provider.admits(await outcome(held.token()))
    assert len((await client.report()).requests) == 1
    assert await works(held, client)
    await window.note_client(client)


@pytest.mark.parametrize("step", [Step.OUTCOME_WRITTEN, Step.OUTCOME_COMMITTED])
async def test_what_the_provider_answered_is_written_as_soon_as_that_can_be(
    provider: Provider, server: Replica, window: Window, step: Step
) -> None:
    client = await provider.client()
    held = await hold_of(server.channel, client)
    await client.meets(faults.SLOW_ANSWER)

    call = asyncio.create_task(outcome(held.token()))
    await client.report(held=1)
    server.suffers(**{step: Blow.REFUSE})
    await client.release()
    await client.report(answered=1)
    await server.struck()
    assert not call.done(), "nobody is told before it is stored"
    server.suffers()

    assert await provider.admits(await call)
    assert len((await client.report()).requests) == 1
    assert await works(held, client)
    await window.note_client(client)


@pytest.mark.parametrize("step", [Step.OUTCOME_WRITTEN, Step.OUTCOME_COMMITTED])
async def test_a_doubt_is_written_once(provider: Provider, server: Replica, window: Window, step: Step) -> None:
    client = await provider.client()
    held = await hold_of(server.channel, client)
    await client.meets(faults.SLOW_FAILURE)

    call = asyncio.create_task(outcome(held.token()))
    await client.report(held=1)
    server.suffers(**{step: Blow.REFUSE})
    await client.release()
    await server.struck()
    assert not call.done(), "nobody is told before it is stored"
    server.suffers()

    await call
    assert await provider.admits(await outcome(held.token())), "one more try finds out"
    assert len((await client.report()).requests) == 2
    assert await works(held, client)
    await window.note_client(client)
