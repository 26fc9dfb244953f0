# SPDX-License-Identifier: Apache-2.0
"""400 read-modify-write updates of one profile by 8 clients at once: with etags none is lost."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from almoner.v1.profile_pb2 import Profile
from tests.rest import ADMIN, CUSTOM_PROFILES, custom_body
from tests.service.profiles.desk import open_desk, own

if TYPE_CHECKING:
    from tests.command.processes import Almoner as Command
    from tests.running import Almoner

CLIENTS = 8
UPDATES = 50
"""Of each client."""

COUNTED = {str(client): UPDATES for client in range(CLIENTS)}


def count_up(text: str, client: int) -> str:
    """Returns what a profile says next: how many updates each client has made."""
    counts = json.loads(text)
    return json.dumps({**counts, str(client): counts[str(client)] + 1})


NOTHING_YET = json.dumps({str(client): 0 for client in range(CLIENTS)})


@pytest.mark.timeout(180)
async def test_over_grpc_messages(almoner: Almoner) -> None:
    desk = await open_desk(almoner)
    made = await desk.create(own(description=NOTHING_YET))
    lost_races = 0

    async def update_once(client: int) -> bool:
        read = await desk.get(made.id)
        changed = Profile(id=made.id, description=count_up(read.description, client))
        try:
            await desk.update(changed, "description", etag=read.etag)
        except AioRpcError as error:
            if error.code() != StatusCode.ABORTED:
                raise
            return False
        return True

    async def work(client: int) -> None:
        nonlocal lost_races
        for _ in range(UPDATES):
            while not await update_once(client):
                lost_races += 1

    await asyncio.gather(*(work(client) for client in range(CLIENTS)))

    final = await desk.get(made.id)
    assert json.loads(final.description) == COUNTED
    assert final.etag == f'"{1 + CLIENTS * UPDATES}"'
    assert len(await desk.events("profile.update")) == CLIENTS * UPDATES
    assert lost_races > 0


async def test_without_etags_updates_are_lost(almoner: Almoner) -> None:
    """What the test above would see if it were not for the etags."""
    desk = await open_desk(almoner)
    made = await desk.create(own(description=NOTHING_YET))

    async def work(client: int) -> None:
        for _ in range(5):
            read = await desk.get(made.id)
            await desk.update(Profile(id=made.id, description=count_up(read.description, client)), "description")

    await asyncio.gather(*(work(client) for client in range(CLIENTS)))
    final = await desk.get(made.id)
    assert final.etag == f'"{1 + CLIENTS * 5}"'
    assert sum(json.loads(final.description).values()) < CLIENTS * 5


@pytest.mark.timeout(180)
async def test_over_rest_with_two_worker_processes(command: Command) -> None:
    with command.serving("serve", "--workers", "2") as server:
        assert len(server.children()) == 2
        name, etag = await _update_over_rest(f"http://{server.rest}")
        assert server.stop() == 0
    assert json.loads(name) == COUNTED
    assert etag == f'"{1 + CLIENTS * UPDATES}"'


async def _update_over_rest(base: str) -> tuple[str, str]:
    """Makes all updates, each request over a connection of its own, so that both workers get their share."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(base, headers={"Authorization": ADMIN}, connector=connector) as session:

        async def send(method: str, path: str, **options: Any) -> tuple[Any, str]:
            async with session.request(method, path, **options) as reply:
                if reply.status == 412:
                    return None, ""
                assert reply.status == 200, await reply.text()
                return (await reply.json())["result"], reply.headers["ETag"]

        made, _ = await send("POST", CUSTOM_PROFILES, json=custom_body(name=NOTHING_YET))
        path = f"{CUSTOM_PROFILES}/{made['id']}"

        async def update_once(client: int) -> bool:
            read, etag = await send("GET", path)
            changed = custom_body(name=count_up(read["name"], client))
            written, _ = await send("PUT", path, json=changed, headers={"If-Match": etag})
            return written is not None

        async def work(client: int) -> None:
            for _ in range(UPDATES):
                while not await update_once(client):
                    pass

        await asyncio.gather(*(work(client) for client in range(CLIENTS)))
        final, etag = await send("GET", path)
        return final["name"], etag
