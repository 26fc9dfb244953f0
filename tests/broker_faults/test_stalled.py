# SPDX-License-Identifier: Apache-2.0
"""A server that stands still in the middle for so long that another one takes over, and then goes on."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from tests.broker_faults.held import hold_of, outcome
from tests.broker_faults.sabotage import Blow, Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.broker_faults.house import House
    from tests.broker_faults.provider.process import Provider
    from tests.broker_faults.replicas import Replica
    from tests.broker_faults.window import Window


@pytest.fixture(scope="module")
async def stalling(house: House) -> AsyncIterator[Replica]:
    """The server that stands still; it gives a provider less time than others give it."""
    async with house.serving(environment={"ALMONER_PROVIDER_TIMEOUT": "0.05"}) as replica:
        yield replica


async def test_who_stood_still_before_the_call_does_not_make_it(
    provider: Provider, stalling: Replica, survivor: Replica, window: Window
) -> None:
    client = await provider.client()
    held = await hold_of(survivor.channel, client)

    stalling.suffers(**{Step.INTENT_COMMITTED: Blow.STALL})
    call = asyncio.create_task(outcome(held.at(stalling.channel).token()))
    await stalling.struck()
    token = await outcome(held.token())
    stalling.suffers()
    stalling.signal(signal.SIGCONT)

    assert await call == token
    assert await provider.admits(token)
    report = await client.report()
    assert len(report.requests) == 1
    window.note(refreshes=report.refreshes, reuses=report.reuses, lost=False)


async def test_who_stood_still_after_the_answer_does_not_overwrite_what_the_other_has_found(
    provider: Provider, stalling: Replica, survivor: Replica, window: Window
) -> None:
    client = await provider.client()
    held = await hold_of(survivor.channel, client)

    stalling.suffers(**{Step.ANSWER: Blow.STALL})
    call = asyncio.create_task(outcome(held.at(stalling.channel).token()))
    await stalling.struck()
    assert await outcome(held.token()) == "FAILED_PRECONDITION"
    found = await held.profile()
    stalling.suffers()
    stalling.signal(signal.SIGCONT)

    assert await call == "FAILED_PRECONDITION"
    assert await held.profile() == found
    assert await held.state() == "NEEDS_CONSENT"
    report = await client.report()
    window.note(refreshes=report.refreshes, reuses=report.reuses, lost=True)
