# SPDX-License-Identifier: Apache-2.0
"""Token endpoints that are called, each by itself: how many calls at once, and a pause where all of them fail.

A provider that hangs or fails must not hold up the others, and must not be called over and over.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from service.broker.token_endpoint import Lost, Unavailable
from service.errors import ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from service.broker.token_endpoint import Outcome

MOST_CALLS: Final = 8
"""Calls of one endpoint at once, by one process."""

MOST_FAILURES: Final = 5
"""Calls in a row that fail before there is a pause."""

FIRST_PAUSE: Final = 5.0
"""Seconds; every pause after a call that failed again is twice as long as the one before."""

LONGEST_PAUSE: Final = 120.0

PAUSED: Final = "paused"
"""What fails where an endpoint is not even called."""


class Endpoint:
    """One token endpoint."""

    __slots__ = ("_monotonic", "_probes", "_resumes", "failures", "slots", "users")

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.slots = asyncio.Semaphore(MOST_CALLS)
        self.users = 0
        self.failures = 0
        self._resumes = 0.0
        self._probes = False

    def require_open(self) -> None:
        """Makes sure that there is no pause. After one, the first who comes tries for all.

        Raises:
            ProviderUnavailable: there is.
        """
        if self.failures < MOST_FAILURES:
            return
        left = self._resumes - self._monotonic()
        if left > 0 or self._probes:
            raise ProviderUnavailable(PAUSED, max(1, round(left)))
        self._probes = True

    def report(self, outcome: Outcome) -> None:
        """Takes note of how a call ended."""
        self._probes = False
        if not isinstance(outcome, Unavailable | Lost):
            self.failures = 0
            return
        self.failures += 1
        excess = self.failures - MOST_FAILURES
        if excess >= 0:
            pause = min(FIRST_PAUSE * 2 ** min(excess, 10), LONGEST_PAUSE)
            self._resumes = self._monotonic() + pause * random.uniform(0.5, 1)  # noqa: S311 - a pause is no secret

    def leave(self) -> None:
        """Takes note of somebody who has not called after all."""
        self._probes = False


class Endpoints:
    """All of them, as far as they are in use or failing."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Knows none yet. `monotonic` is in seconds."""
        self._monotonic = monotonic
        self._known: dict[str, Endpoint] = {}

    @property
    def known(self) -> set[str]:
        """Those that are in use or failing."""
        return set(self._known)

    def is_busy(self, uri: str) -> bool:
        """Whether as many calls of an endpoint are under way as may be."""
        endpoint = self._known.get(uri)
        return endpoint is not None and endpoint.slots.locked()

    @asynccontextmanager
    async def slot(self, uri: str) -> AsyncIterator[Endpoint]:
        """Waits until an endpoint may be called, which its user then may.

        Raises:
            ProviderUnavailable: there is a pause.
        """
        endpoint = self._known.get(uri)
        if endpoint is None:
            endpoint = self._known[uri] = Endpoint(self._monotonic)
        endpoint.users += 1
        try:
            async with endpoint.slots:
                endpoint.require_open()
                try:
                    yield endpoint
                finally:
                    endpoint.leave()
        finally:
            endpoint.users -= 1
            if not endpoint.users and not endpoint.failures:
                self._known.pop(uri, None)
