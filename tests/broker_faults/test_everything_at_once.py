# SPDX-License-Identifier: Apache-2.0
"""Many profiles at providers that answer now well and now badly, over servers one of which is killed again and again."""

from __future__ import annotations

import asyncio
import random
import signal
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grpc.aio import AioRpcError

from almoner.v1.profile_service_pb2 import ListProfilesRequest
from almoner.v1.profile_service_pb2_grpc import ProfileServiceStub
from tests.broker_faults.held import hold_of, outcome
from tests.broker_faults.provider import faults
from tests.running import Almoner

if TYPE_CHECKING:
    from tests.broker_faults.held import Held
    from tests.broker_faults.house import House
    from tests.broker_faults.provider.faults import Fault
    from tests.broker_faults.provider.process import ClientAtProvider, Provider
    from tests.broker_faults.replicas import Replica
    from tests.broker_faults.window import Window

PROFILES = 16
ROUNDS = 8
KILLS = 3
CALLS = 30
"""Before each kill."""

HARMLESS = (faults.UNAVAILABLE, faults.TOO_MANY_REQUESTS, faults.REFUSED_WITHOUT_ANSWER, faults.BROKEN)
LOST = (faults.LOST, faults.CUT, faults.MALFORMED, faults.BROKEN_AFTER_ROTATION)

LEASE = 3.0
"""Seconds; far more than a refresh takes."""

CONSTANTS = {
    # Servers find by themselves what a killed one has left, and soon.
    "service.background.REFRESH_INTERVAL": 0.1,
    # Failures are tried again whatever there were before.
    "service.broker.endpoints.MOST_FAILURES": 1_000,
}


@dataclass
class Life:
    """One profile, and what happens to it.

    Attributes:
        loses: Whether a server was killed while it may have refreshed this one, or an answer gets lost.
    """

    client: ClientAtProvider
    held: Held
    loses: bool = False


@dataclass
class World:
    """All of it.

    Attributes:
        servers: Those that run, the youngest at the end.
        lives: The profiles.
        calls: Counts what was answered, or failed.
    """

    house: House
    stack: AsyncExitStack
    chance: random.Random
    servers: list[Replica] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    calls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def add_server(self) -> None:
        serving = self.house.serving(lease=LEASE, constants=CONSTANTS)
        self.servers.append(await self.stack.enter_async_context(serving))

    async def live(self, life: Life) -> None:
        """Has a profile refreshed time and again, through any server."""
        for _ in range(ROUNDS):
            held = life.held.at(self.chance.choice(self.servers).channel)
            with suppress(AioRpcError):  # the server may be the one that is killed
                await held.end_access_token()
            await outcome(held.token())
            self.calls.release()

    async def kill_one(self) -> None:
        """Kills the oldest server in the middle of its work, and starts another."""
        victim = self.servers.pop(0)
        victim.signal(signal.SIGKILL)
        stub: Any = ProfileServiceStub(self.servers[0].channel)
        request = ListProfilesRequest(filter="token_state = REFRESHING", page_size=PROFILES)
        reply = await stub.ListProfiles(request, metadata=Almoner.as_admin_token)
        left = {profile.id for profile in reply.profiles}
        for life in self.lives:
            life.loses |= life.held.profile_id in left
        await victim.end()
        await self.add_server()


def script(chance: random.Random) -> list[Fault]:
    """Returns what the requests of a client meet, one each: never two doubts in a row, and at most one loss."""
    script: list[Fault] = []
    for _ in range(ROUNDS):
        script += [faults.ORDINARY, chance.choice(HARMLESS)] if chance.random() < 0.3 else [faults.ORDINARY]
    if chance.random() < 0.25:
        script.insert(chance.randrange(ROUNDS), chance.choice(LOST))
    return script


async def test_every_profile_works_in_the_end_or_says_what_it_needs(
    provider: Provider, house: House, window: Window
) -> None:
    chance = random.Random(7)  # noqa: S311 - runs shall be alike
    async with AsyncExitStack() as stack:
        world = World(house, stack, chance)
        for _ in range(2):
            await world.add_server()
        for _ in range(PROFILES):
            client = await provider.client()
            life = Life(client, await hold_of(world.servers[0].channel, client))
            faults_to_come = script(chance)
            await client.meets(*faults_to_come)
            life.loses = any(fault in LOST for fault in faults_to_come)
            world.lives.append(life)

        lives = [asyncio.create_task(world.live(life)) for life in world.lives]
        for _ in range(KILLS):
            for _ in range(CALLS):
                await world.calls.acquire()
            await world.kill_one()
        await asyncio.gather(*lives)

        for life in world.lives:
            await life.client.meets()
            await judge(life, life.held.at(world.servers[0].channel), window)


async def judge(life: Life, held: Held, window: Window) -> None:
    """Has a profile refreshed once more while all is well, and compares its state with what has happened to it."""
    await held.settled()
    await held.end_access_token()
    while (token := await outcome(held.token())) == "UNAVAILABLE":
        pass
    state = await held.state()
    report = await life.client.report()
    window.note(refreshes=report.refreshes, reuses=report.reuses, lost=life.loses)
    if state == "OK":
        assert await life.client.provider.admits(token)
        assert report.reuses == 0
    else:
        assert (token, state) in {("FAILED_PRECONDITION", "NEEDS_CONSENT"), ("FAILED_PRECONDITION", "IN_DOUBT")}
        assert life.loses, f"{state} without a reason"
