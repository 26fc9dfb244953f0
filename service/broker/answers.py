# SPDX-License-Identifier: Apache-2.0
"""Answers of providers, which may be the only copy of a token: they are stored whatever it takes, at the end, too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from service.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from service.storage.store import Result, Store, UseCase

FIRST_PAUSE: Final = 0.05
"""Seconds until an answer that was not stored is tried again; every further pause is twice as long."""

LONGEST_PAUSE: Final = 5.0

LAST_WRITES: Final = 2.0
"""Seconds that storing the last answers may take at the end."""


async def store_at_last(
    store: Store,
    make: Callable[[], UseCase[Result]],
    refused: Callable[[], None],
    *,
    longest_pause: float = LONGEST_PAUSE,
) -> Result:
    """Stores an answer, however long the database takes no writes, and returns what its use case returns.

    Args:
        store: The database.
        make: Makes the use case of each try.
        refused: Is told of every try that the database has refused.
        longest_pause: Seconds between two tries at the most.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            return await store.write(make())
        except StorageUnavailable:
            refused()
        await asyncio.sleep(pause)
        pause = min(2 * pause, longest_pause)


async def let_end(tasks: Collection[asyncio.Task[Any]], provider_timeout: float) -> int:
    """Lets tasks that wait for providers end and store what comes, and returns how many had to be given up.

    Args:
        tasks: The tasks.
        provider_timeout: Seconds that a provider may take to answer.
    """
    if not tasks:
        return 0
    _, late = await asyncio.wait(set(tasks), timeout=provider_timeout + LAST_WRITES)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return len(late)
