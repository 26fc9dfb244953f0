# SPDX-License-Identifier: Apache-2.0
"""What a worker process knows of its parent: its index, when to say that it is ready, and when the parent is gone."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

INDEX: Final = "_ALMONER_WORKER"
"""Variable by which a parent tells a process that it is a worker, and which."""

READY: Final = b"ready\n"
"""What a worker writes to its standard output once it serves."""


def index() -> int | None:
    """Returns which worker this process is, from 0; None if it is none."""
    given = os.environ.get(INDEX)
    return None if given is None else int(given)


def announce_ready() -> None:
    """Tells the parent that this worker serves."""
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()


def follow_parent(loop: asyncio.AbstractEventLoop, ask: Callable[[int], None]) -> None:
    """Asks the worker to end when its parent has, however that ended: it holds the other end of standard input."""

    def look() -> None:
        if not os.read(0, 64):
            loop.remove_reader(0)
            ask(signal.SIGTERM)

    loop.add_reader(0, look)
