# SPDX-License-Identifier: Apache-2.0
"""One refresh of a profile at a time, over as many processes as there are."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import cycle, islice
from typing import TYPE_CHECKING

import pytest

from tests.broker_faults.held import hold_of, outcome, outcomes, works
from tests.broker_faults.provider import faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.broker_faults.house import House
    from tests.broker_faults.provider.process import Provider
    from tests.broker_faults.replicas import Replica
    from tests.broker_faults.window import Window

CALLS = 200
PROCESSES = {"sqlite": 2, "postgresql": 4}


@pytest.fixture(scope="module")
async def replicas(house: House) -> AsyncIterator[list[Replica]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(house.serving()) for _ in range(PROCESSES[house.backend])]


async def test_many_calls_over_several_processes_make_one_refresh(
    provider: Provider, replicas: list[Replica], window: Window
) -> None:
    client = await provider.client()
    held = await hold_of(replicas[0].channel, client)

    tokens = await outcomes(held.at(replica.channel).token() for replica in islice(cycle(replicas), CALLS))

    assert len(set(tokens)) == 1
    assert await provider.admits(tokens[0])
    assert len((await client.report()).requests) == 1
    assert await works(held, client)
    await window.note_client(client)


async def test_calls_that_come_while_a_refresh_is_under_way_wait_for_it(
    provider: Provider, replicas: list[Replica], window: Window
) -> None:
    client = await provider.client()
    held = await hold_of(replicas[0].channel, client)
    await client.meets(faults.SLOW_ANSWER)

    first = asyncio.create_task(outcome(held.token()))
    await client.report(held=1)
    assert await held.state() == "REFRESHING"
    others = asyncio.create_task(outcomes(held.at(replica.channel).token() for replica in replicas))
    # Each of the servers answers this after it has begun with the call before it.
    for replica in replicas:
        await held.at(replica.channel).state()
    assert not others.done()
    await client.release()

    tokens = [await first, *await others]
    assert len(set(tokens)) == 1
    assert await provider.admits(tokens[0])
    assert len((await client.report()).requests) == 1
    assert await works(held, client)
    await window.note_client(client)
