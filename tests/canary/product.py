# SPDX-License-Identifier: Apache-2.0
"""The whole product in a process of its own, watched from all sides."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

OBSERVED = Path(__file__).with_name("observed.py")
PATIENCE = 30.0


@dataclass
class Product:
    """A running `almoner serve`, and the files that it writes.

    Attributes:
        directory: Where its files are.
        addresses: HOST:PORT of its listeners: REST, gRPC, metrics.
    """

    directory: Path
    addresses: dict[str, str]

    @property
    def output(self) -> bytes:
        return (self.directory / "output").read_bytes()

    @property
    def logs(self) -> bytes:
        return (self.directory / "logs").read_bytes()

    @property
    def spans(self) -> bytes:
        return (self.directory / "spans").read_bytes()


async def start(directory: Path, environment: dict[str, str], *arguments: str) -> Process:
    """Starts the command with its output, logs and spans going to files."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALMONER_")}
    with (directory / "output").open("ab") as output, (directory / "logs").open("ab") as logs:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            str(OBSERVED),
            str(directory / "spans"),
            *arguments,
            cwd=directory,
            env={**kept, **environment},
            stdout=output,
            stderr=logs,
        )


@asynccontextmanager
async def serving(directory: Path, environment: dict[str, str]) -> AsyncIterator[Product]:
    """Serves until the end of the context, which waits until everything is written."""
    process = await start(directory, environment, "serve")
    try:
        async with asyncio.timeout(PATIENCE):
            while b"\n  Keys " not in (directory / "output").read_bytes():
                assert process.returncode is None, (directory / "logs").read_text()
                await asyncio.sleep(0.02)
        banner = (directory / "output").read_text()
        addresses = dict(re.findall(r"^  (REST|gRPC|metrics) +(?:http://)?([0-9.:]+)", banner, re.MULTILINE))
        yield Product(directory, addresses)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
