# SPDX-License-Identifier: Apache-2.0
"""How a server process lives: on uvloop, until SIGTERM or SIGINT asks it to finish; a second one ends it at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, TypeAlias

from service.command import worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Serve: TypeAlias = Callable[[asyncio.Event], Awaitable[int]]


def run(serve: Serve) -> int:
    """Runs a server to its end and returns its exit code.

    Args:
        serve: Serves until the event that it is given is set, then finishes what is running.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_until_asked(serve))


async def _until_asked(serve: Serve) -> int:
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def ask(number: int) -> None:
        if asked.is_set():
            # Nothing that was answered is lost: it is durable already.
            os._exit(128 + number)
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        # asyncio.run alone would die of SIGTERM without running any `finally`.
        loop.add_signal_handler(number, ask, number)
    if worker.index() is not None:
        worker.follow_parent(loop, ask)
    return await serve(asked)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - there is none for every platform

    return uvloop.new_event_loop
