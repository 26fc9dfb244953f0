# SPDX-License-Identifier: Apache-2.0
"""What gives changes their positions, and wakes up those who wait for them: one per process.

Changes that this process writes are seen right away, those of other processes when the outbox is next looked at.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from service.changes import rules
from service.errors import ServerStopping, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.store import Store

_LOG = structlog.get_logger(__name__)

POLL: Final = 0.2
"""Seconds between two looks at the outbox while somebody follows it."""

REST: Final = 5.0
"""Seconds between two looks while nobody does."""


class ChangeFeed:
    """The outbox, as those who follow it know it."""

    def __init__(self, store: Store) -> None:
        """Follows nothing yet."""
        self._store = store
        self._followers = 0
        self._position = -1
        self._wake = asyncio.Event()
        self._news = asyncio.Event()
        self._closed = False

    def wake(self) -> None:
        """Has the outbox looked at now, if anybody follows it: this process has written something."""
        if self._followers:
            self._wake.set()

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Has the outbox looked at often while the context lasts."""
        self._followers += 1
        self._wake.set()
        try:
            yield
        finally:
            self._followers -= 1

    @property
    def changed(self) -> asyncio.Event:
        """What is set when more has positions than now. To be asked for before the outbox is read."""
        return self._news

    def news(self) -> asyncio.Event:
        """Returns the same for those who go when the server does.

        Raises:
            ServerStopping: it does.
        """
        if self._closed:
            raise ServerStopping
        return self._news

    async def wait(self, news: asyncio.Event, seconds: float) -> None:
        """Waits for news, so long at the most.

        Raises:
            ServerStopping: there will be none.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await news.wait()
        if self._closed:
            raise ServerStopping

    async def catch_up(self) -> None:
        """Gives every change that is committed its position, and tells whoever waits.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        while await self._store.read(rules.has_unplaced):
            await self._store.write(rules.place_some)
        position = (await self._store.read(rules.newest)).position
        if position != self._position:
            self._position = position
            self._announce()

    async def run(self) -> None:
        """Catches up for ever."""
        while True:
            self._wake.clear()
            try:
                await self.catch_up()
            except (StorageUnavailable, SQLAlchemyError) as error:
                _LOG.warning("changes.failed", error=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL if self._followers else REST):
                    await self._wake.wait()

    def close(self) -> None:
        """Sends everybody away who waits, or will."""
        self._closed = True
        self._announce()

    def _announce(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
