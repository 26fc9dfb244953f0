# SPDX-License-Identifier: Apache-2.0
"""The network between a service and its PostgreSQL, which tests cut, mend and let hang."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.databases import settings_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from service.settings import Settings
    from tests.databases import PostgresTemplate


class Wire:
    """Carries bytes between a port of this machine and a server's socket."""

    def __init__(self, socket: str) -> None:
        """`socket` is the path of the server's."""
        self._socket = socket
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.port = 0

    async def mend(self) -> None:
        """Accepts connections, and lets bytes flow."""
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    def hang(self) -> None:
        """Accepts connections, but carries nothing."""
        self._flows.clear()

    async def cut(self) -> None:
        """Ends every connection and refuses new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for pair in list(self._pairs):
            pair.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._pairs.add(task)
        task.add_done_callback(self._pairs.discard)

    async def _carry(self, client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._socket)
        ways = [
            asyncio.create_task(self._copy(client_reader, server_writer)),
            asyncio.create_task(self._copy(server_reader, client_writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for writer in (client_writer, server_writer):
                writer.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def wired(template: PostgresTemplate, directory: Path, **overrides: Any) -> AsyncIterator[tuple[Wire, Settings]]:
    """Gives a wire, and the settings of a service whose database is at the other end of it."""
    async with template.copy(directory) as settings:
        parts = urlsplit(settings.database_url)
        wire = Wire(f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432")
        await wire.mend()
        url = f"postgresql://postgres@127.0.0.1:{wire.port}{parts.path}"
        try:
            yield wire, settings_for(directory, database_url=url, **overrides)
        finally:
            await wire.cut()
