# SPDX-License-Identifier: Apache-2.0
"""Several processes on the same ports: a parent that starts them, restarts what dies, and ends them together.

A worker is this command once more, started afresh: nothing of gRPC survives a fork. The parent serves nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

import structlog

from service.command import banner, listening, worker
from service.command.failures import CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.command.serving import Plan
    from service.settings import Settings

_LOG = structlog.get_logger(__name__)

FIRST_PAUSE: Final = 0.1
"""Seconds before a worker that died is replaced; doubled while it goes on dying, up to LONGEST_PAUSE."""

LONGEST_PAUSE: Final = 30.0
"""Seconds between two tries at the most."""

STEADY: Final = 60.0
"""Seconds after which a worker that dies has died of something new."""

LAST_STEPS: Final = 10.0
"""Seconds beyond drain, grace and what a provider may take that a worker may need to end."""


async def supervise(settings: Settings, plan: Plan, asked: asyncio.Event) -> int:
    """Runs the workers until asked to stop, and returns the exit code.

    Raises:
        UsageError: the workers could not share a listener.
        CommandError: an address is taken, the database cannot be used, or a worker does not start.
    """
    wanted = plan.addresses(settings)
    flag_of = {name: f"--{setting.replace('_', '-')}" for name, setting in plan.listeners.items()}
    for name, address in wanted.items():
        if address.startswith(listening.UNIX):
            raise UsageError(f"{flag_of[name]}: workers cannot share a unix: socket")
    with ExitStack() as kept:
        addresses = {name: listening.reserve(name, address, kept) for name, address in wanted.items()}
        plan.open_tls(settings)  # what is wrong with it is said once, and here
        await plan.prepare(settings)
        flags = [f"{flag_of[name]}={address}" for name, address in addresses.items()]
        workers = [_Worker(index, flags, settings, asked) for index in range(settings.workers)]
        lives = [asyncio.create_task(each.live()) for each in workers]
        try:
            started = await asyncio.gather(*(each.ready for each in workers))
            if all(started):
                banner.ready(settings, addresses, database=plan.database)
        finally:
            if any(each.failed for each in workers):
                asked.set()
            await asyncio.gather(*lives)
    return 0


class _Worker:
    """One place among the workers, and the process that has it."""

    def __init__(self, index: int, flags: Sequence[str], settings: Settings, asked: asyncio.Event) -> None:
        self.ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Whether it serves; False if it was asked to stop before it did."""
        self._index = index
        # -P: a directory `service` where the command was typed is none of ours.
        self._command = (sys.executable, "-P", "-m", "service.cli", *sys.argv[1:], *flags)
        self._patience = settings.drain + settings.shutdown_grace + settings.provider_timeout + LAST_STEPS
        self._asked = asked

    @property
    def failed(self) -> bool:
        """Whether it did not even start."""
        return self.ready.done() and self.ready.exception() is not None

    async def live(self) -> None:
        """Keeps a process in the place until asked to stop."""
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while not self._asked.is_set():
            started = loop.time()
            code = await self._run_once()
            if self._asked.is_set():
                break
            if not self.ready.done():
                self.ready.set_exception(CommandError(f"worker {self._index} did not start"))
                return
            pause = FIRST_PAUSE if loop.time() - started > STEADY else min(2 * pause, LONGEST_PAUSE)
            _LOG.error("worker.died", worker=self._index, exit_code=code, restart_in=pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), pause)
        if not self.ready.done():
            self.ready.set_result(False)

    async def _run_once(self) -> int:
        """Runs one process to its end and returns its exit code."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            env={**os.environ, worker.INDEX: str(self._index)},
            stdin=subprocess.PIPE,  # never written to: that it ends tells the worker that the parent has
            stdout=subprocess.PIPE,
            # Ctrl-C reaches every process of the terminal's group; a worker is to hear of it once, from here.
            start_new_session=True,
        )
        stopper = asyncio.create_task(self._stop(process))
        try:
            if process.stdout is not None and await process.stdout.readline() == worker.READY and not self.ready.done():
                self.ready.set_result(True)
            return await process.wait()
        finally:
            stopper.cancel()

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        """Ends the process once asked to, gently first."""
        await self._asked.wait()
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self._patience)
        except TimeoutError:
            _LOG.warning("worker.killed", worker=self._index)
            with suppress(ProcessLookupError):
                process.kill()
