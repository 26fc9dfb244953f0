# SPDX-License-Identifier: Apache-2.0
"""Servers over one database whose clocks are an hour off, each in another direction."""

from __future__ import annotations

from contextlib import AsyncExitStack
from itertools import product
from typing import TYPE_CHECKING

import pytest

from tests.broker_faults.held import hold_of, outcome, works

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.broker_faults.house import House
    from tests.broker_faults.provider.process import Provider
    from tests.broker_faults.replicas import Replica
    from tests.broker_faults.window import Window

HOUR = 3600


@pytest.fixture(scope="module")
async def replicas(house: House) -> AsyncIterator[list[Replica]]:
    """Servers that are an hour late, right, and an hour early, or one that is late: a file belongs to one machine."""
    clocks = (-HOUR, 0, HOUR) if house.backend == "postgresql" else (-HOUR,)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(house.serving(clock=seconds)) for seconds in clocks]


async def test_a_token_is_good_for_all_of_them_for_as_long_as_it_is(
    provider: Provider, replicas: list[Replica], window: Window
) -> None:
    for first in replicas:
        client = await provider.client(expires_in=HOUR // 2)
        held = await hold_of(first.channel, client)
        token = await outcome(held.token())

        assert {await outcome(held.at(replica.channel).token()) for replica in replicas} == {token}

        assert len((await client.report()).requests) == 1
        assert await works(held, client)
        await window.note_client(client)


async def test_none_of_them_hands_out_a_token_that_has_ended(
    provider: Provider, replicas: list[Replica], window: Window
) -> None:
    client = await provider.client(expires_in=1)
    held = await hold_of(replicas[0].channel, client)

    pairs = list(product(replicas, repeat=2))
    for first, second in pairs:
        await outcome(held.at(first.channel).token())
        assert await provider.admits(await outcome(held.at(second.channel).token()))

    report = await client.report()
    assert report.refreshes == 2 * len(pairs)
    await window.note_client(client)
