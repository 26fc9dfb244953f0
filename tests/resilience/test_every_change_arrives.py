# SPDX-License-Identifier: Apache-2.0
"""Ten thousand changes, a watcher who is cut off, a receiver who fails half the time, servers that stop and die.

Every change is seen, and those of each profile in their order.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import defaultdict
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import grpc
import pytest

from almoner.v1 import directory_service_pb2, profile_service_pb2, profile_service_pb2_grpc
from service.access.caller import SYSTEM, Caller, Held, organization_place
from service.access.permissions import ALL
from service.clock import system_clock
from service.profiles import rules as profiles
from service.profiles.drafts import Draft
from service.profiles.rules import Which
from service.server import open_service
from service.webhooks import dispatcher
from service.webhooks.pace import Pace
from service.work import Work
from tests.running import running_on
from tests.service.profiles.desk import Desk, own, person
from tests.service.webhooks.office import Office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from service.server import Service
    from service.settings import Settings
    from service.storage.store import Tx
    from tests.databases import Template
    from tests.running import Almoner, Metadata

PROFILES = 100
CHANGES = {"sqlite": 10_000, "postgresql": 1_000}
"""Changes by backend: each takes a dozen round trips to PostgreSQL."""

IN_A_TRANSACTION = 25
PATIENCE = 100

FAST = Pace(
    at_once=24, timeout=2, first_pause=500, longest_pause=2_000, lease=0.3, sign_of_life=0.05, look=0.02, rest=0.02
)


async def serve_by_fits_and_starts(settings: Settings, address: str, chance: random.Random) -> None:
    """Runs one server after the other. Every other one stops as it should; the rest die, as far as others can see."""
    for number in range(1_000):
        service = open_service(settings)
        await service.background.start()
        server = service.grpc_server()
        server.add_insecure_port(address)
        await server.start()
        try:
            await asyncio.sleep(chance.uniform(0.5, 1.5))
            if number % 2:
                die(service)
            else:
                service.end_streams()
        finally:
            await server.stop(None if number % 2 else 1)
            await service.close()


def die(service: Service) -> None:
    """Has a server go without giving back what it holds, as kill -9 does."""
    background = service.background
    for task in (*background._tasks, *background._dispatcher._tasks):
        task.cancel()


@dataclass
class Watcher:
    """Who follows the changes, whichever server there is, and hangs up after `longest` messages at the latest."""

    channel: grpc.aio.Channel
    by: Metadata
    chance: random.Random
    longest: int
    seen: list[tuple[int, int]] = field(default_factory=list)
    cursor: str = ""
    streams: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self) -> None:
        while True:
            with suppress(grpc.aio.AioRpcError):
                await self._watch()
            await asyncio.sleep(0.01)

    async def _watch(self) -> None:
        stub: Any = profile_service_pb2_grpc.ProfileServiceStub(self.channel)
        request = profile_service_pb2.WatchProfilesRequest(cursor=self.cursor)
        call = stub.WatchProfiles(request, metadata=self.by, wait_for_ready=True)
        self.streams += 1
        for _ in range(self.chance.randint(50, self.longest)):
            message = await call.read()
            if message is grpc.aio.EOF:
                break
            if message.HasField("change"):
                self.seen.append((message.change.profile_id, int(message.change.etag.strip('"'))))
            self.cursor = message.cursor
            self.news.set()
        call.cancel()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.news.clear()
            await self.news.wait()


class Writer:
    """Who changes profiles, by the rules of the service, many in a transaction."""

    def __init__(self, almoner: Almoner) -> None:
        self._store = almoner.service.store
        self._keyring = almoner.service.keyring
        self._caller = Caller(1, "writer", SYSTEM, (Held(organization_place(SYSTEM), ALL),))

    async def write(self, ids: list[int], number: int) -> None:
        """Makes so many changes, of all profiles in turn."""
        whole = [ids[n % len(ids)] for n in range(number)]
        batches = [whole[n : n + IN_A_TRANSACTION] for n in range(0, number, IN_A_TRANSACTION)]
        for batch in batches:
            await self._store.write(self._use_case(batch))

    def _use_case(self, ids: list[int]) -> Callable[[Tx], None]:
        def rule(tx: Tx) -> None:
            work = Work(tx, self._caller, system_clock(), self._keyring, "")
            for profile_id in ids:
                draft = Draft(description=str(random.random()))  # noqa: S311 - any text
                profiles.update(work, Which(profile_id), draft, frozenset({"description"}), "")

        return rule


@asynccontextmanager
async def failing_receiver(seed: int) -> AsyncIterator[str]:
    """Runs the receiver and gives its URL."""
    script = Path(__file__).with_name("failing_receiver.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(seed), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    yield f"http://127.0.0.1:{port}/"
    process.kill()
    await process.wait()


async def asked(url: str) -> Any:
    """Returns the answer of the receiver."""
    async with aiohttp.ClientSession() as session, session.get(url) as reply:
        return await reply.json(content_type=None)


def in_order(arrivals: list[tuple[int, int]]) -> bool:
    """Whether the revisions of each profile first came in their order."""
    first: dict[int, list[int]] = defaultdict(list)
    for profile_id, revision in dict.fromkeys(arrivals):
        first[profile_id].append(revision)
    return all(later == earlier + 1 for revisions in first.values() for earlier, later in pairwise(revisions))


@asynccontextmanager
async def running_beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs work until the end of the context."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def desk(template: Template, tmp_path: Path) -> AsyncIterator[Desk]:
    """Profiles of the first organization, kept by a process that does nothing by itself."""
    async with (
        template.copy(tmp_path / "data", outgoing_allow_http=True, outgoing_allow_private=True) as settings,
        running_on(settings) as almoner,
    ):
        die(almoner.service)
        request = directory_service_pb2.GetOrganizationRequest(number=SYSTEM)
        found = await almoner.directory.GetOrganization(request, metadata=almoner.as_admin_token)
        yield Desk(almoner, found.organization, await person(almoner, "", roles=(1,)))


@pytest.mark.timeout(120)
async def test_every_change_arrives_in_the_order_of_its_profile(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "Pace", lambda: FAST)
    seed = random.randrange(2**32)  # noqa: S311 - told when the test fails, so that it can be repeated
    chance = random.Random(seed)  # noqa: S311 - likewise
    settings, address = desk.almoner.settings, f"unix:{tmp_path}/socket"
    changes = CHANGES["sqlite" if settings.sqlite_path else "postgresql"]
    ids = [(await desk.create(own())).id for _ in range(PROFILES)]
    expected = {(profile_id, 2 + n) for profile_id in ids for n in range(changes // PROFILES)}
    async with failing_receiver(seed) as url, grpc.aio.insecure_channel(address) as channel:
        watcher = Watcher(channel, desk.chief.by, chance, longest=changes // 10)
        async with running_beside(serve_by_fits_and_starts(settings, address, chance), watcher.follow()):
            async with asyncio.timeout(PATIENCE):
                await watcher.until(lambda: bool(watcher.cursor))
                await Office(desk).create(url)
                await Writer(desk.almoner).write(ids, changes)
                await watcher.until(lambda: len(watcher.seen) >= changes)
                while await asked(f"{url}count") < changes:  # noqa: ASYNC110 - another process tells nobody
                    await asyncio.sleep(0.1)
        taken = [(profile_id, revision) for profile_id, revision in await asked(url)]

    told = f"seed {seed}, {watcher.streams} streams, {len(taken) - len(expected)} deliveries came twice"
    assert len(watcher.seen) == changes, told
    assert set(watcher.seen) == expected, told
    assert in_order(watcher.seen), told
    assert set(taken) == expected, told
    assert in_order(taken), told
    assert watcher.streams > 3, told
