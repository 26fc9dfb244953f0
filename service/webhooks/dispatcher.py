# SPDX-License-Identifier: Apache-2.0
"""What finds the webhooks that have something to be told of, and sends a courier to each: one per process.

A receiver that hangs holds up its own courier only.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from service.errors import StorageUnavailable
from service.leases import Watch
from service.webhooks import deliveries
from service.webhooks.courier import Courier
from service.webhooks.pace import Pace
from service.webhooks.waiting import first_of

if TYPE_CHECKING:
    from service.changes.feed import ChangeFeed
    from service.clock import Clock
    from service.crypto.keyring import Keyring
    from service.outgoing import Outgoing
    from service.storage.store import Store
    from service.webhooks.dispatch_queries import Claimable

_LOG = structlog.get_logger(__name__)


class WebhookDispatcher:
    """Delivers changes of profiles to webhooks."""

    def __init__(
        self,
        *,
        store: Store,
        keyring: Keyring,
        clock: Clock,
        outgoing: Outgoing,
        feed: ChangeFeed,
        pace: Pace | None = None,
    ) -> None:
        """Does nothing yet."""
        self._store = store
        self._clock = clock
        self._feed = feed
        self._pace = pace or Pace()
        self._hire = partial(
            Courier,
            store=store,
            keyring=keyring,
            clock=clock,
            outgoing=outgoing,
            feed=feed,
            pace=self._pace,
        )
        self._watch: Watch[int] = Watch(self._pace.lease)
        # Webhooks that a courier of this process left without giving them back, and their fences.
        self._left: dict[int, int] = {}
        self._couriers: dict[int, Courier] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Has webhooks looked for now: one was made or changed."""
        self._wake.set()

    async def run(self) -> None:
        """Sends couriers for ever."""
        while True:
            self._wake.clear()
            changed = self._feed.changed
            wanted = await self._look()
            with self._feed.followed() if wanted else nullcontext():
                await first_of((), (changed, self._wake), self._pace.look if wanted else self._pace.rest)

    async def stop(self) -> None:
        """Lets what is under way end, and gives every webhook back."""
        for courier in self._couriers.values():
            courier.leave()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2 * self._pace.farewell)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self) -> bool:
        """Sends couriers to the webhooks that need one, and returns whether there is any webhook at all."""
        try:
            if not await self._store.read(deliveries.any_enabled):
                return False
            now = self._clock()
            found = await self._store.scan(lambda tx: deliveries.with_work(tx, now))
        except (StorageUnavailable, SQLAlchemyError) as error:
            _LOG.warning("webhooks.failed", error=type(error).__name__)
            return True
        self._watch.keep_only({webhook.id for webhook in found})
        for webhook in found:
            if webhook.id not in self._couriers and self._is_free(webhook):
                self._send(webhook)
        return True

    def _is_free(self, webhook: Claimable) -> bool:
        """Whether nobody is at a webhook, or whoever was is gone."""
        if webhook.fence is None or not webhook.held or self._left.get(webhook.id) == webhook.fence:
            return True
        return self._watch.is_abandoned(webhook.id, webhook.fence)

    def _send(self, webhook: Claimable) -> None:
        courier = self._couriers[webhook.id] = self._hire(webhook.id)
        task = asyncio.create_task(courier.run(webhook.fence))
        self._tasks.add(task)
        task.add_done_callback(partial(self._welcome, webhook.id, courier))

    def _welcome(self, webhook_id: int, courier: Courier, task: asyncio.Task[None]) -> None:
        """Takes note of a courier's return, which may have been hasty."""
        self._tasks.discard(task)
        del self._couriers[webhook_id]
        self._left.pop(webhook_id, None)
        if not task.cancelled() and (error := task.exception()):
            _LOG.warning("webhooks.failed", webhook=webhook_id, error=type(error).__name__)
            self._left[webhook_id] = courier.fence
        else:
            # What came up while it was on its way back has not been looked at.
            self._wake.set()
