# SPDX-License-Identifier: Apache-2.0
"""Servers of `almoner serve-grpc` as processes that tests kill: forked from one that has imported everything already.

Run as a module it is that process: it takes an order a line, and answers each. It ends when its standard input does, and
takes with it every server that is left.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.settings import Settings
    from tests.broker_faults.sabotage import Blow

PATIENCE = 30.0
"""Seconds after which something that a test waits for will not happen any more."""

_EAGER = (("grpc.initial_reconnect_backoff_ms", 20), ("grpc.max_reconnect_backoff_ms", 20))
"""A server that is not there yet is looked for again soon."""

_IMPORTED = (
    "asyncpg",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "uvloop",
    "service.command.serve_grpc",
    "service.command.service_half",
    "service.server",
    "tests.broker_faults.sabotage",
)
"""Everything that a server imports, and nothing that starts a thread."""

_NUMBERS = itertools.count(1)


class Replica:
    """A server that runs, or ran.

    Attributes:
        channel: To it.
    """

    def __init__(self, nursery: Nursery, pid: int, directory: Path) -> None:
        """`directory` is where its socket, its log and its orders are."""
        self._nursery = nursery
        self._pid = pid
        self._directory = directory
        self._code: int | None = None
        self.channel = grpc.aio.insecure_channel(f"unix:{directory}/s", _EAGER)

    @property
    def log(self) -> str:
        """What it has written to standard output and standard error."""
        return (self._directory / "log").read_text()

    async def ready(self) -> None:
        """Waits until it serves."""
        try:
            await asyncio.wait_for(self.channel.channel_ready(), PATIENCE)
        except TimeoutError:
            raise AssertionError(f"not ready:\n{self.log}") from None

    def suffers(self, **blows: Blow) -> None:
        """Says what happens to it at which `Step` from now on, and nothing else."""
        (self._directory / "struck").unlink(missing_ok=True)
        new = self._directory / "orders.new"
        new.write_text(json.dumps(blows))
        new.rename(self._directory / "orders")

    async def struck(self) -> None:
        """Waits until a blow has met it."""
        async with asyncio.timeout(PATIENCE):
            while not (self._directory / "struck").exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.005)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        os.kill(self._pid, number)

    async def end(self) -> int:
        """Waits for its end, and returns its exit code, which is negative for a signal."""
        if self._code is None:
            self._code = await self._nursery.order({"wait": self._pid})
        return self._code

    async def close(self) -> None:
        """Kills what is left of it."""
        if self._code is None:
            self.signal(signal.SIGKILL)
            await self.end()
        await self.channel.close()


class Nursery:
    """The process that servers are forked from."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._one_order = asyncio.Lock()

    @asynccontextmanager
    async def serving(
        self, settings: Settings, directory: Path, environment: dict[str, str] | None = None, **more: Any
    ) -> AsyncIterator[Replica]:
        """Runs a server, which is ready.

        Args:
            settings: Its database and its keyring.
            directory: Where its own directory is made: a short path, because that of the socket must be.
            environment: Further variables of its environment.
            more: `clock`, seconds by which its clock is wrong; `lease`, seconds after which it takes over what others
                have left in the middle; `constants`, values by `module.NAME`.
        """
        own = directory / str(next(_NUMBERS))
        own.mkdir()
        whole = {
            "ALMONER_DATA_DIR": str(settings.data_dir),
            "ALMONER_DATABASE_URL": settings.database_url,
            "ALMONER_GRPC_LISTEN": f"unix:{own}/s",
            "ALMONER_OUTGOING_ALLOW_HTTP": "true",
            "ALMONER_OUTGOING_ALLOW_PRIVATE": "true",
            **(environment or {}),
        }
        pid = await self.order({"serve": whole, "directory": str(own), **more})
        replica = Replica(self, pid, own)
        try:
            await replica.ready()
            yield replica
        finally:
            await replica.close()

    async def order(self, order: dict[str, Any]) -> Any:
        """Gives an order, and returns its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._one_order:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            return json.loads(await asyncio.wait_for(self._process.stdout.readline(), PATIENCE))


@asynccontextmanager
async def nursery_process() -> AsyncIterator[Nursery]:
    """Runs the process that servers are forked from."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALMONER_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __spec__.name, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=kept
    )
    assert process.stdin is not None
    try:
        yield Nursery(process)
    finally:
        process.stdin.close()
        await process.wait()


def _serve(order: dict[str, Any]) -> None:
    """Becomes a server; never returns."""
    from service.cli import main  # noqa: PLC0415 - not for who starts this process
    from tests.broker_faults.sabotage import Sabotage, shorten_leases, turn_clock  # noqa: PLC0415

    log = os.open(f"{order['directory']}/log", os.O_WRONLY | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, number in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(file, number)
    os.chdir(order["directory"])
    os.environ.update(order["serve"])
    Sabotage(Path(order["directory"], "orders")).install()
    turn_clock(order.get("clock", 0))
    if "lease" in order:
        shorten_leases(order["lease"])
    for path, value in order.get("constants", {}).items():
        module, _, name = path.rpartition(".")
        assert name in vars(import_module(module)), path
        vars(import_module(module))[name] = value
    code = 1
    try:
        code = main(["serve-grpc", "--log-level", "warning"])
    finally:
        sys.stdout.flush()
        os._exit(code)


def _obey() -> None:
    for module in _IMPORTED:
        import_module(module)
    # What the garbage collector looks at is copied for the server that does so.
    gc.freeze()
    children: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
            children.remove(order["wait"])
        else:
            answer = os.fork()
            if not answer:
                _serve(order)
            children.add(answer)
        print(json.dumps(answer), flush=True)  # noqa: T201 - its answers are what the program has to say
    for child in children:
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    _obey()
