# SPDX-License-Identifier: Apache-2.0
"""The provider as tests have it: a process of its own, and what steers it."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
import msgspec

from tests.broker_faults.provider.grants import Client, Tokens
from tests.broker_faults.provider.requests import Report

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.broker_faults.provider.faults import Fault

PATIENCE = 30.0
"""Seconds after which something that a test waits for will not happen any more."""

SCOPE = "read write"

_NUMBERS = itertools.count(1)


@dataclass
class ClientAtProvider:
    """One client as the provider sees it, and what the provider does with its requests."""

    provider: Provider
    registered: Client

    @property
    def endpoints(self) -> str:
        """What the URLs of its endpoints begin with: /authorize, /token and /revoke."""
        return f"{self.provider.url}/realms/{quote(self.registered.id, safe='')}"

    async def change(self, **members: Any) -> None:
        """Changes what the provider knows of it."""
        self.registered = replace(self.registered, **members)
        await self.provider.send("PUT", "/control/clients", asdict(self.registered))

    async def grant(self, scope: str = SCOPE) -> Tokens:
        """Returns the first tokens of a new grant."""
        path = f"/control/clients/{self.registered.id}/grants"
        return msgspec.json.decode(await self.provider.send("POST", path, scope.split()), type=Tokens)

    async def meets(self, *faults: Fault) -> None:
        """Lets its next requests meet these faults, one each; none: all is well again."""
        await self.provider.send(
            "PUT", f"/control/clients/{self.registered.id}/faults", [asdict(fault) for fault in faults]
        )

    async def release(self) -> None:
        """Lets its requests go on that are held."""
        await self.provider.send("POST", f"/control/clients/{self.registered.id}/release")

    async def report(self, **least: int) -> Report:
        """Returns what has come of it, once there were so many requests: `seen`, `held`, `processed`, `answered`."""
        query = "&".join(f"{what}={number}" for what, number in least.items())
        content = await self.provider.send("GET", f"/control/clients/{self.registered.id}?{query}")
        return msgspec.json.decode(content, type=Report)


@dataclass
class Provider:
    """A provider that runs.

    Attributes:
        url: Where it is, without a path.
        session: What tests reach it by.
    """

    url: str
    session: aiohttp.ClientSession

    async def client(self, **members: Any) -> ClientAtProvider:
        """Registers a client of a test's own."""
        number = next(_NUMBERS)
        registered = Client(**{"id": f"client {number}", "secret": f"secret/of+client {number}", **members})
        client = ClientAtProvider(self, registered)
        await client.change()
        return client

    async def admits(self, access_token: str) -> bool:
        """Whether an access token is good for anything."""
        headers = {"Authorization": f"Bearer {access_token}"}
        async with self.session.get(f"{self.url}/resource", headers=headers) as reply:
            return reply.status == 200

    async def send(self, method: str, path: str, body: Any = None) -> bytes:
        """Sends JSON, and returns the body of what must be a success."""
        data = None if body is None else msgspec.json.encode(body)
        async with asyncio.timeout(PATIENCE), self.session.request(method, self.url + path, data=data) as reply:
            assert reply.status == 200, await reply.text()
            return await reply.read()


@asynccontextmanager
async def provider_process() -> AsyncIterator[Provider]:
    """Runs a provider."""
    command = (sys.executable, "-m", "tests.broker_faults.provider", "--port", "0")
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), PATIENCE))
        async with aiohttp.ClientSession() as session:
            yield Provider(f"http://127.0.0.1:{port}", session)
    finally:
        process.kill()
        await process.wait()
