# SPDX-License-Identifier: Apache-2.0
"""What the broker does without being asked: profiles that are kept fresh, and claims that somebody has abandoned.

Every process does so. Which of them gets a profile is decided by the claim; that they look in different orders keeps them
out of each other's way.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from service.broker import claims, queries
from service.broker.endpoints import PAUSED
from service.crypto.keyring import UnsealError
from service.errors import DomainError, FailedPrecondition, ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from service.broker.broker import Broker
    from service.storage.store import Store

MOST_AT_ONCE: Final = 32
"""Profiles that one process refreshes by itself at once."""

_LOG = structlog.get_logger(__name__)


class Refresher:
    """The part of one process."""

    def __init__(self, store: Store, broker: Broker) -> None:
        """Nothing is under way yet."""
        self._store = store
        self._broker = broker
        self._running: dict[int, asyncio.Task[None]] = {}

    async def look(self) -> None:
        """Begins what is due, as far as there is room.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        found = await self._store.read(queries.open_claims)
        self._broker.watch.keep_only({claim.id for claim in found})
        for claim in found:
            if self._broker.watch.is_abandoned(claim.id, claim.fence):
                self._begin(claim.id, self._broker.take_over(claim.id, claim.fence))
        room = MOST_AT_ONCE - len(self._running)
        if room <= 0:
            return
        now = self._broker.clock()
        due = await self._store.read(lambda tx: queries.due(tx, now, 2 * MOST_AT_ONCE))
        for profile_id in random.sample(due, min(room, len(due))):
            self._begin(profile_id, self._keep(profile_id))

    async def stop(self) -> None:
        """Ends what waits; what has been claimed goes on in the broker."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _begin(self, profile_id: int, work: Coroutine[Any, Any, None]) -> None:
        if profile_id in self._running:
            work.close()
            return
        task = self._running[profile_id] = asyncio.create_task(_quietly(profile_id, work))
        task.add_done_callback(lambda _: self._running.pop(profile_id, None))

    async def _keep(self, profile_id: int) -> None:
        try:
            await self._broker.refresh_due(profile_id)
        except ProviderUnavailable as error:
            if error.metadata.get("error") == PAUSED:
                await self._broker.postpone(profile_id)
            raise
        except (FailedPrecondition, UnsealError):
            await self._store.write(lambda tx: claims.give_up_due(tx, profile_id))
            raise


async def _quietly(profile_id: int, work: Coroutine[Any, Any, None]) -> None:
    """Does work that nobody waits for. Its failures are in the state of the profile, and in the log."""
    try:
        await work
    except (DomainError, SQLAlchemyError, UnsealError) as error:
        _LOG.info("refresher.failed", profile=profile_id, error=getattr(error, "reason", type(error).__name__))
