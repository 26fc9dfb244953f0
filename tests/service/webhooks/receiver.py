# SPDX-License-Identifier: Apache-2.0
"""A receiver of webhooks that checks signatures by itself, and answers as it is told to."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections import defaultdict
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

PATIENCE = 20
"""Seconds that something is waited for."""


class Received(NamedTuple):
    """One delivery, as it arrived.

    Attributes:
        headers: Header fields, names in lower case.
        body: The body.
        status: What it was answered with.
    """

    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def profile_id(self) -> int:
        return int(self.document["data"]["profile_id"])

    @property
    def revision(self) -> int:
        return int(self.document["data"]["etag"].strip('"'))

    def signed_by(self, secret: str) -> bool:
        """Whether one of the signatures is that of a secret: what the documentation has receivers do."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        content = f"{self.message_id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        return f"v1,{expected}" in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """A server on this machine.

    Attributes:
        url: Where it is.
        answer: Says with which status a delivery is answered, knowing how often the message came before; 0: with none.
        extra: Further lines of the head of every answer.
        received: All that came, in order.
    """

    url: str = ""
    answer: Callable[[Received, int], int] = lambda _received, _before: 204
    extra: str = ""
    received: list[Received] = field(default_factory=list)
    _seen: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                _, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
                body = await reader.readexactly(int(headers["content-length"]))
                status = self.take(headers, body)
                if not status:
                    await asyncio.Event().wait()
                writer.write(f"HTTP/1.1 {status} Said\r\n{self.extra}Content-Length: 0\r\n\r\n".encode())
        writer.close()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Returns the status of the answer to a delivery."""
        received = Received(headers, body, 0)
        status = self.answer(received, self._seen[received.message_id])
        self._seen[received.message_id] += 1
        self.received.append(received._replace(status=status))
        self._news.set()
        return status

    @property
    def taken(self) -> list[Received]:
        """What was answered with success."""
        return [received for received in self.received if received.status == 204]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for what comes to bring a condition about."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def take_next(self, number: int = 1) -> list[Received]:
        """Waits until so many were taken, and returns them."""
        await self.until(lambda: len(self.taken) >= number)
        return self.taken


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Runs a receiver."""
    receiver = Receiver()
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await receiver.serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?token=s3cr3t-p4th"
    yield receiver
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
