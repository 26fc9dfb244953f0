# SPDX-License-Identifier: Apache-2.0
"""Who delivers to one webhook while it has something to be told of."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Counter

from service.clock import SECOND
from service.outgoing import OutgoingError
from service.webhooks import deliveries, payloads
from service.webhooks.deliveries import Delivered, Failed, Refused, Report
from service.webhooks.pace import retry_after
from service.webhooks.waiting import first_of

if TYPE_CHECKING:
    from service.changes.feed import ChangeFeed
    from service.clock import Clock
    from service.crypto.keyring import Keyring
    from service.outgoing import Outgoing
    from service.storage.store import Store, Tx
    from service.webhooks.deliveries import Receiver, Turn
    from service.webhooks.dispatch_queries import StoredDelivery
    from service.webhooks.pace import Pace

_LOG = structlog.get_logger(__name__)

_ATTEMPTS = Counter(
    "almoner_webhook_attempts_total",
    "Attempts to deliver to a webhook: delivered, refused with a status, or unanswered.",
    ("outcome",),
)
_GIVEN_UP = Counter("almoner_webhook_changes_given_up_total", "Changes that a webhook was not told of.")

GONE: Final = 410


class Courier:
    """Delivers to a webhook that this process has claimed, until nothing is left to be delivered soon.

    Attributes:
        fence: The fence of the claim; 0: there is none.
    """

    def __init__(
        self,
        webhook_id: int,
        *,
        store: Store,
        keyring: Keyring,
        clock: Clock,
        outgoing: Outgoing,
        feed: ChangeFeed,
        pace: Pace,
    ) -> None:
        """Has nothing under way yet."""
        self._webhook_id = webhook_id
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._outgoing = outgoing
        self._feed = feed
        self._pace = pace
        self._under_way: dict[asyncio.Task[Delivered | Failed | Refused], int] = {}
        self._width = pace.at_once
        self._leaving = asyncio.Event()
        self.fence = 0

    def leave(self) -> None:
        """Has what is under way end, and nothing new begin."""
        self._leaving.set()

    async def run(self, seen: int | None) -> None:
        """Claims the webhook, as its fence was seen, and delivers.

        Raises:
            StorageUnavailable: the database does not answer. What is under way is delivered again later.
        """
        try:
            fence = await self._store.write(lambda tx: deliveries.claim(tx, self._webhook_id, seen))
            if fence is not None:
                self.fence = fence
                await self._deliver()
        finally:
            for task in self._under_way:
                task.cancel()

    async def _deliver(self) -> None:
        alive = time.monotonic()
        outcomes: list[Delivered | Failed | Refused] = []
        while True:
            # Before the outbox is read: what comes after it must not be missed.
            changed = self._feed.changed
            renew = time.monotonic() - alive >= self._pace.sign_of_life
            turn = await self._take_turn(outcomes, renew=renew)
            if turn is None:
                return
            self.fence = turn.fence
            if renew:
                alive = time.monotonic()
            self._mourn(turn)
            for delivery in turn.due:
                task = asyncio.create_task(self._send(turn.receiver, delivery))
                self._under_way[task] = delivery.position
            if not turn.held:
                return
            outcomes = await self._wait(changed, turn.next_try)

    async def _take_turn(self, outcomes: list[Delivered | Failed | Refused], *, renew: bool) -> Turn | None:
        report = Report(
            outcomes=outcomes,
            under_way=frozenset(self._under_way.values()),
            room=max(self._width - len(self._under_way), 0),
            leave=self._leaving.is_set(),
        )
        now = self._clock()

        def rule(tx: Tx) -> Turn | None:
            work = deliveries.own_work(tx, self._keyring, now)
            return deliveries.take_turn(work, self._webhook_id, self.fence, report, renew=renew)

        return await self._store.write(rule)

    async def _wait(self, changed: asyncio.Event, next_try: int | None) -> list[Delivered | Failed | Refused]:
        """Waits until there is something to do, and returns what has become of deliveries."""
        if self._leaving.is_set():
            return await self._wait_for_the_last()
        seconds = self._pace.sign_of_life
        if len(self._under_way) >= self._width:  # news would only make for a turn that can begin nothing
            await first_of(self._under_way, (self._leaving,), seconds)
        else:
            until = seconds if next_try is None else (next_try - self._clock()) / SECOND
            await first_of(self._under_way, (changed, self._leaving), min(max(until, 0), seconds))
        done = [task for task in self._under_way if task.done()]
        for task in done:
            del self._under_way[task]
        return [task.result() for task in done]

    async def _wait_for_the_last(self) -> list[Delivered | Failed | Refused]:
        """Waits for what is under way, not for long, and returns what has become of it. The rest is sent again later."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self._pace.farewell)
        done = [task.result() for task in self._under_way if task.done()]
        for task in self._under_way:
            task.cancel()
        self._under_way.clear()
        return done

    async def _send(self, receiver: Receiver, delivery: StoredDelivery) -> Delivered | Failed | Refused:
        """Sends one change, and says what has become of it."""
        message = payloads.message(self._keyring, receiver, delivery, self._clock())
        wish = 0
        try:
            answer = await self._outgoing.post(
                receiver.url, message.body, message.headers, most=0, seconds=self._pace.timeout
            )
        except OutgoingError:
            # One that does not answer is asked by one at a time, until it does.
            _ATTEMPTS.labels("unanswered").inc()
            self._width = 1
        else:
            self._width = min(self._width + 1, self._pace.at_once)
            if 200 <= answer.status < 300:
                _ATTEMPTS.labels("delivered").inc()
                return Delivered(delivery.position, delivery.profile_id)
            _ATTEMPTS.labels("refused").inc()
            if answer.status == GONE:
                _LOG.warning("webhook.disabled", webhook=self._webhook_id)
                return Refused(delivery.position)
            wish = retry_after(answer.headers.get("Retry-After", ""), self._clock())
        next_try = self._clock() + self._pace.pause(delivery.attempts, wish)
        return Failed(delivery.position, delivery.profile_id, next_try)

    def _mourn(self, turn: Turn) -> None:
        for profile_id, lost in turn.given_up:
            _GIVEN_UP.inc(lost)
            _LOG.warning("webhook.given_up", webhook=self._webhook_id, profile=profile_id, changes=lost)
