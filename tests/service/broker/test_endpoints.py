# SPDX-License-Identifier: Apache-2.0
"""How many calls an endpoint gets at once, and the pause where all of them fail."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from service.broker.endpoints import FIRST_PAUSE, LONGEST_PAUSE, MOST_CALLS, MOST_FAILURES, PAUSED, Endpoints
from service.broker.token_endpoint import Lost, Outcome, Refused, Unavailable
from service.errors import ProviderUnavailable

HERE, THERE = "https://here.example/token", "https://there.example/token"
FAILED = Unavailable("http_503")


class Seconds:
    """A monotonic clock that goes on only when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def endpoints(clock: Seconds) -> Endpoints:
    return Endpoints(clock)


async def call(endpoints: Endpoints, outcome: Outcome, uri: str = HERE) -> None:
    async with endpoints.slot(uri) as endpoint:
        endpoint.report(outcome)


async def fail(endpoints: Endpoints, times: int = MOST_FAILURES) -> None:
    for _ in range(times):
        await call(endpoints, FAILED)


async def is_paused(endpoints: Endpoints, uri: str = HERE) -> bool:
    try:
        async with endpoints.slot(uri):
            return False
    except ProviderUnavailable as error:
        return error.metadata == {"error": PAUSED}


async def test_so_many_calls_at_once_and_no_more(endpoints: Endpoints) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(MOST_CALLS):
            assert not endpoints.is_busy(HERE)
            await stack.enter_async_context(endpoints.slot(HERE))
        assert endpoints.is_busy(HERE)
        waiting = asyncio.create_task(call(endpoints, Refused("no")))
        await asyncio.sleep(0)
        assert not waiting.done()
        await call(endpoints, Refused("no"), THERE)
    await waiting


async def test_an_endpoint_that_fails_gets_a_pause(endpoints: Endpoints) -> None:
    await fail(endpoints, MOST_FAILURES - 1)
    assert not await is_paused(endpoints)
    await fail(endpoints, 1)
    assert await is_paused(endpoints)


async def test_the_others_go_on(endpoints: Endpoints) -> None:
    await fail(endpoints)
    assert not await is_paused(endpoints, THERE)


@pytest.mark.parametrize("outcome", [Lost("unanswered"), FAILED])
async def test_what_counts_as_a_failure(endpoints: Endpoints, outcome: Outcome) -> None:
    for _ in range(MOST_FAILURES):
        await call(endpoints, outcome)
    assert await is_paused(endpoints)


async def test_a_refusal_is_none_and_ends_the_row(endpoints: Endpoints) -> None:
    await fail(endpoints, MOST_FAILURES - 1)
    await call(endpoints, Refused("invalid_grant"))
    await fail(endpoints, MOST_FAILURES - 1)
    assert not await is_paused(endpoints)


async def test_after_the_pause_one_tries_for_all(endpoints: Endpoints, clock: Seconds) -> None:
    await fail(endpoints)
    clock.now += FIRST_PAUSE
    async with endpoints.slot(HERE) as endpoint:
        assert await is_paused(endpoints)
        endpoint.report(Refused("invalid_grant"))
    assert not await is_paused(endpoints)


async def test_one_who_does_not_call_after_all_leaves_the_try_to_others(endpoints: Endpoints, clock: Seconds) -> None:
    await fail(endpoints)
    clock.now += FIRST_PAUSE
    async with endpoints.slot(HERE):
        pass
    assert not await is_paused(endpoints)


async def test_every_failure_after_that_makes_the_pause_longer(endpoints: Endpoints, clock: Seconds) -> None:
    await fail(endpoints)
    clock.now += FIRST_PAUSE
    await fail(endpoints, 1)
    clock.now += FIRST_PAUSE * 0.99
    assert await is_paused(endpoints)
    for _ in range(20):
        clock.now += LONGEST_PAUSE
        await fail(endpoints, 1)
    clock.now += LONGEST_PAUSE
    assert not await is_paused(endpoints)


async def test_endpoints_that_are_not_used_are_forgotten(endpoints: Endpoints) -> None:
    await call(endpoints, Refused("no"))
    assert not endpoints.known
    await fail(endpoints, 1)
    assert endpoints.known == {HERE}
