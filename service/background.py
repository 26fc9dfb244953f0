# SPDX-License-Identifier: Apache-2.0
"""What runs beside the calls: the health that follows the database, the audit chain, uses of secrets, refreshes, housekeeping."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from grpc_health.v1 import health_pb2
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from service.audit import rules as audit
from service.changes import rules as changes
from service.clock import HOUR
from service.consent import rules as consent
from service.crypto.keyring_file import KeyringError
from service.errors import StorageUnavailable
from service.grants import housekeeping
from service.rpc import once

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from grpc_health.v1._async import HealthServicer

    from service.applications.secret_uses import SecretUses
    from service.broker.refresher import Refresher
    from service.changes.feed import ChangeFeed
    from service.clock import Clock
    from service.consent.revoker import Revoker
    from service.crypto.keyring import Keyring
    from service.storage.database_clock import DatabaseClock
    from service.storage.store import Store, Tx
    from service.webhooks.dispatcher import WebhookDispatcher

_LOG = structlog.get_logger(__name__)

HEALTH_INTERVAL: Final = 1.0
"""Seconds between two looks at the database."""

HEALTH_TIMEOUT: Final = 2.0
"""Seconds that the database may take to answer such a look."""

SEAL_INTERVAL: Final = 1.0
"""Seconds between two rounds of sealing audit events."""

USES_INTERVAL: Final = 30.0
"""Seconds between two rounds of writing when secrets of clients were last used."""

REFRESH_INTERVAL: Final = 1.0
"""Seconds between two looks for tokens that are to be refreshed."""

REVOKE_INTERVAL: Final = 5.0
"""Seconds between two looks for grants that providers are still to revoke."""

CLOCK_INTERVAL: Final = 30.0
"""Seconds between two looks at the clock of the database."""

TIDY_INTERVAL: Final = 600.0
"""Seconds between two rounds of housekeeping."""

_PING: Final = text("SELECT 1 FROM facts")
"""Reads a table: without one SQLite would answer whatever had become of its file."""


class Background:
    """The tasks of one service."""

    def __init__(
        self,
        *,
        store: Store,
        keyring: Keyring,
        clock: Clock,
        health: HealthServicer,
        uses: SecretUses,
        feed: ChangeFeed,
        database_clock: DatabaseClock,
        refresher: Refresher,
        revoker: Revoker,
        dispatcher: WebhookDispatcher,
        keep_replies: int,
        keep_grants: int,
        keep_changes: int,
    ) -> None:
        """Prepares the tasks.

        Args:
            store: The database.
            keyring: Keys of the audit chain, and those that sign tokens.
            clock: The time.
            health: What is told whether the database answers.
            uses: Of secrets, which are written now and then.
            feed: Of changes of profiles.
            database_clock: What is set by the database's clock.
            refresher: What refreshes tokens without being asked.
            revoker: Has providers revoke the grants of profiles that were deleted.
            dispatcher: Of those to webhooks.
            keep_replies: Hours for which a request id is remembered.
            keep_grants: Hours for which a grant is kept after its end.
            keep_changes: Hours for which a change of a profile is kept.
        """
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._health = health
        self._uses = uses
        self._feed = feed
        self._database_clock = database_clock
        self._refresher = refresher
        self._revoker = revoker
        self._dispatcher = dispatcher
        self._keep_replies = keep_replies * HOUR
        self._keep_grants = keep_grants * HOUR
        self._keep_changes = keep_changes * HOUR
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Looks at the database once, then starts the tasks."""
        await self._follow_database()
        await _attempt(self._database_clock.set)
        self._tasks = [
            asyncio.create_task(_every(HEALTH_INTERVAL, self._follow_database)),
            asyncio.create_task(_every(SEAL_INTERVAL, self.seal)),
            asyncio.create_task(self._feed.run()),
            asyncio.create_task(self._dispatcher.run()),
            asyncio.create_task(_every(USES_INTERVAL, self._uses.write)),
            asyncio.create_task(_every(REFRESH_INTERVAL, self._refresher.look)),
            asyncio.create_task(_every(REVOKE_INTERVAL, self._revoker.retry)),
            asyncio.create_task(_every(CLOCK_INTERVAL, self._database_clock.set)),
            asyncio.create_task(_every(TIDY_INTERVAL, self._tidy)),
            asyncio.create_task(_every(TIDY_INTERVAL, self._drop_signing_keys)),
        ]

    async def stop(self) -> None:
        """Ends the tasks, and writes what was noted last."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._refresher.stop()
        await self._dispatcher.stop()
        await _attempt(self._uses.write)

    async def seal(self) -> None:
        """Covers every committed audit event with a seal."""
        if not await self._store.read(audit.has_unsealed):
            return
        while await self._store.write(self._seal_some) == audit.EVENTS_IN_A_SEAL:
            pass

    def _seal_some(self, tx: Tx) -> int:
        return audit.seal_some(tx, self._keyring, self._clock())

    async def _tidy(self) -> None:
        before = self._clock() - self._keep_replies
        await self._store.write(lambda tx: once.forget_before(tx, before))
        await self._tidy_grants()
        await self._tidy_changes()
        await self._tidy_authorizations()

    async def _tidy_grants(self) -> None:
        """Drops what has ended, some rows in each write: those of others get their turn in between."""
        now = self._clock()
        for stale in housekeeping.stale_at(now, self._keep_grants):
            while await self._store.read(stale.exists) and await self._store.sweep(stale.drop_some):
                pass

    async def _tidy_changes(self) -> None:
        before = self._clock() - self._keep_changes
        more = await self._store.read(lambda tx: changes.has_stale(tx, before))
        while more:
            more = await self._store.sweep(lambda tx: changes.drop_some(tx, before))

    async def _tidy_authorizations(self) -> None:
        now = self._database_clock()
        await self._store.sweep(lambda tx: consent.drop_expired(tx, now))

    async def _drop_signing_keys(self) -> None:
        # Seldom, but then it waits for the disk and for whoever else changes the file.
        await asyncio.to_thread(self._keyring.drop_signing_keys, self._clock)

    async def _follow_database(self) -> None:
        serving = False
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT):
                await self._store.read(lambda tx: tx.execute(_PING).first())
            serving = True
        except (StorageUnavailable, SQLAlchemyError, TimeoutError):
            _LOG.warning("health.database_unavailable")
        statuses = health_pb2.HealthCheckResponse
        await self._health.set("", statuses.SERVING if serving else statuses.NOT_SERVING)


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Repeats work for ever. A database or a keyring that is away or ill ends nothing: the next round may find it well."""
    while True:
        await asyncio.sleep(seconds)
        await _attempt(work)


async def _attempt(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except (StorageUnavailable, SQLAlchemyError, KeyringError) as error:
        _LOG.warning("background.failed", work=getattr(work, "__name__", "work"), error=type(error).__name__)
