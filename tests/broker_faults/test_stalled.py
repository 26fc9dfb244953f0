# SPDX-License-Identifier: Apache-2.0
"""A server that stands still in the middle for so long that another one takes over, and then goes on."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.broker_faults.held import hold_of, outcome, works
from tests.broker_faults.sabotage import Blow, Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.broker_faults.held import Held
    from tests.broker_faults.house import House
    from tests.broker_faults.provider.process import Provider
    from tests.broker_faults.replicas import Replica
    from tests.broker_faults.window import Window


@asynccontextmanager
async def standing_still(server: Replica, held: Held, step: Step) -> AsyncIterator[asyncio.Task[str]]:
    """Has a server refresh and stand still at a step; it goes on behind the block."""
    server.suffers(**{step: Blow.STALL})
    call = asyncio.create_task(outcome(held.at(server.channel).token()))
    await server.struck()
    yield call
    server.suffers()
    server.signal(signal.SIGCONT)


async def test_who_stood_still_before_the_call_does_not_make_it(
    provider: Provider, house: House, survivor: Replica, window: Window
) -> None:
    client = await provider.client()
    held = await hold_of(survivor.channel, client)

    # It stands still for longer than it would give the provider.
    async with house.serving(environment={"ALMONER_PROVIDER_TIMEOUT": "0.05"}) as server:
        async with standing_still(server, held, Step.INTENT_COMMITTED) as call:
            token = await outcome(held.token())
        assert await call == token

    assert await provider.admits(token)
    assert len((await client.report()).requests) == 1
    assert await works(held, client)
    await window.note_client(client)


async def test_who_stood_still_after_the_answer_does_not_overwrite_what_the_other_has_found(
    provider: Provider, house: House, survivor: Replica, window: Window
) -> None:
    client = await provider.client()
    held = await hold_of(survivor.channel, client)

    async with house.serving() as server:
        async with standing_still(server, held, Step.ANSWER) as call:
            assert await outcome(held.token()) == "FAILED_PRECONDITION"
            found = await held.profile()
        assert await call == "FAILED_PRECONDITION"

    assert await held.profile() == found
    assert await held.state() == "NEEDS_CONSENT"
    await window.note_client(client, lost=True)
