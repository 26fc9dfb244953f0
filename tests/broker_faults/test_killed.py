# SPDX-License-Identifier: Apache-2.0
"""kill -9 at every step of the protocol, and what another server then makes of it."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from tests.broker_faults.held import hold_of, outcome, works
from tests.broker_faults.provider import faults
from tests.broker_faults.sabotage import Step

if TYPE_CHECKING:
    from tests.broker_faults.held import Held
    from tests.broker_faults.house import House
    from tests.broker_faults.provider.process import ClientAtProvider, Provider
    from tests.broker_faults.replicas import Replica
    from tests.broker_faults.window import Window

BEFORE_THE_CALL = (Step.INTENT_WRITTEN, Step.INTENT_COMMITTED, Step.CALL)
IN_THE_WINDOW = (Step.ANSWER, Step.OUTCOME_WRITTEN)


@pytest.mark.parametrize("step", BEFORE_THE_CALL)
async def test_killed_before_the_call_nothing_is_lost(
    provider: Provider, house: House, survivor: Replica, window: Window, step: Step
) -> None:
    client = await provider.client()
    held = await hold_of(survivor.channel, client)

    await house.kill_refreshing(held, step)

    assert await provider.admits(await outcome(held.token()))
    assert len((await client.report()).requests) == 1
    assert await works(held, client)
    await window.note_client(client)


@pytest.mark.parametrize("step", IN_THE_WINDOW)
async def test_killed_between_the_answer_and_the_commit_it_is_found_out_and_said(
    provider: Provider, house: House, survivor: Replica, window: Window, step: Step
) -> None:
    client = await provider.client()
    held = await hold_of(survivor.channel, client)

    await house.kill_refreshing(held, step)

    assert await outcome(held.token()) == "FAILED_PRECONDITION"
    assert await held.state() == "NEEDS_CONSENT"
    await window.note_client(client, lost=True)


@pytest.mark.parametrize("step", [*BEFORE_THE_CALL, *IN_THE_WINDOW])
async def test_killed_anywhere_nothing_is_lost_where_refresh_tokens_do_not_rotate(
    provider: Provider, house: House, survivor: Replica, window: Window, step: Step
) -> None:
    client = await provider.client(rotates=False)
    held = await hold_of(survivor.channel, client)

    await house.kill_refreshing(held, step)

    assert await provider.admits(await outcome(held.token()))
    assert await works(held, client)
    await window.note_client(client)


async def test_killed_after_the_commit_the_token_is_there(
    provider: Provider, house: House, survivor: Replica, window: Window
) -> None:
    client = await provider.client()
    held = await hold_of(survivor.channel, client)

    await house.kill_refreshing(held, Step.OUTCOME_COMMITTED)

    assert await provider.admits(await outcome(held.token()))
    assert len((await client.report()).requests) == 1
    assert await works(held, client)
    await window.note_client(client)


async def test_a_server_finds_out_what_another_one_has_left_without_being_asked(
    provider: Provider, house: House, survivor: Replica, window: Window
) -> None:
    client = await provider.client()
    before_the_call, after_it = [await hold_of(survivor.channel, client) for _ in range(2)]
    await house.kill_refreshing(before_the_call, Step.CALL)
    await house.kill_refreshing(after_it, Step.ANSWER)
    assert {await before_the_call.state(), await after_it.state()} == {"REFRESHING"}

    async with house.serving(lease=0.1, constants={"service.background.REFRESH_INTERVAL": 0.05}):
        assert await before_the_call.settled() == "OK"
        assert await after_it.settled() == "NEEDS_CONSENT"

    assert len((await client.report()).requests) == 3
    await window.note_client(client, lost=True)


async def killed_during_the_call(house: House, held: Held, client: ClientAtProvider) -> None:
    """Has a server refresh, and kills it while the provider holds the request; then the provider goes on."""
    async with house.serving() as victim:
        call = asyncio.create_task(outcome(held.at(victim.channel).token()))
        await client.report(held=1)
        victim.signal(signal.SIGKILL)
        assert await call == "UNAVAILABLE"
        await victim.end()
    await client.release()
    await client.report(answered=1)


async def test_killed_during_a_call_that_the_provider_refuses_nothing_is_lost(
    provider: Provider, house: House, survivor: Replica, window: Window
) -> None:
    client = await provider.client()
    held = await hold_of(survivor.channel, client)
    await client.meets(faults.SLOW_REFUSAL)

    await killed_during_the_call(house, held, client)

    assert await provider.admits(await outcome(held.token()))
    assert await works(held, client)
    await window.note_client(client)


async def test_killed_during_a_call_that_the_provider_does_it_is_found_out_and_said(
    provider: Provider, house: House, survivor: Replica, window: Window
) -> None:
    client = await provider.client()
    held = await hold_of(survivor.channel, client)
    await client.meets(faults.SLOW)

    await killed_during_the_call(house, held, client)

    assert await outcome(held.token()) == "FAILED_PRECONDITION"
    assert await held.state() == "NEEDS_CONSENT"
    await window.note_client(client, lost=True)


async def test_a_server_that_is_asked_to_finish_waits_for_the_answer(
    provider: Provider, house: House, survivor: Replica, window: Window
) -> None:
    client = await provider.client()
    held = await hold_of(survivor.channel, client)
    await client.meets(faults.SLOW_ANSWER)

    async with house.serving() as server:
        call = asyncio.create_task(outcome(held.at(server.channel).token()))
        await client.report(held=1)
        server.signal(signal.SIGTERM)
        await client.release()
        token = await call
        assert await server.end() == 0

    assert await outcome(held.token()) == token
    assert await provider.admits(token)
    assert len((await client.report()).requests) == 1
    assert await works(held, client)
    await window.note_client(client)
