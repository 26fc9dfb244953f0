# SPDX-License-Identifier: Apache-2.0
"""The requests that came to the token endpoint, the faults that wait for the next ones, and what tests wait for."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.broker_faults.provider.faults import ORDINARY, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass
class Record:
    """One request to the token endpoint.

    Attributes:
        client_id: Who it says it is.
        grant_type: What it asks for.
        generation: Number of the refresh token that it brings, in its family; 0: none that is known.
        time: When it came, in seconds of the provider's monotonic clock.
        held: Whether it is being held.
        processed: Whether tokens were made for it.
        answered: Whether the provider is done with it.
        error: The error of RFC 6749 that it deserved, if any.
    """

    client_id: str
    grant_type: str
    generation: int
    time: float
    held: bool = False
    processed: bool = False
    answered: bool = False
    error: str = ""


@dataclass(frozen=True)
class Arrival:
    """A request that came to where a redirect leads, and whether it brought anything that is a secret."""

    method: str
    with_credentials: bool


@dataclass(frozen=True)
class Report:
    """What has come of one client.

    Attributes:
        requests: Its requests to the token endpoint, in the order in which they came.
        elsewhere: The requests that redirects have led elsewhere.
        reuses: How often the detector of used refresh tokens fired.
    """

    requests: list[Record]
    elsewhere: list[Arrival]
    reuses: int

    @property
    def refreshes(self) -> int:
        """How many refreshes the provider has made tokens for."""
        return sum(record.processed for record in self.requests if record.grant_type == "refresh_token")


class Requests:
    """All of them."""

    def __init__(self) -> None:
        self._records: dict[str, list[Record]] = defaultdict(list)
        self._arrivals: dict[str, list[Arrival]] = defaultdict(list)
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._held: dict[str, list[asyncio.Event]] = defaultdict(list)
        self._changed = asyncio.Condition()

    def script(self, client_id: str, faults: Iterable[Fault]) -> None:
        """Lets the next requests of a client meet these faults, one each, in place of those that are left."""
        self._faults[client_id] = deque(faults)

    async def begin(self, client_id: str, grant_type: str, generation: int) -> tuple[Record, Fault]:
        """Notes a request, and returns the fault that it meets."""
        record = Record(client_id, grant_type, generation, time.monotonic())
        self._records[client_id].append(record)
        await self.changed()
        faults = self._faults[client_id]
        return record, faults.popleft() if faults else ORDINARY

    async def hold(self, record: Record) -> None:
        """Waits until the requests of the client are released."""
        released = asyncio.Event()
        self._held[record.client_id].append(released)
        record.held = True
        await self.changed()
        await released.wait()
        record.held = False

    def release(self, client_id: str) -> None:
        """Lets the requests of a client go on that are held."""
        for released in self._held.pop(client_id, ()):
            released.set()

    async def arrived_elsewhere(self, client_id: str, arrival: Arrival) -> None:
        """Notes a request that came to where a redirect leads."""
        self._arrivals[client_id].append(arrival)
        await self.changed()

    async def changed(self) -> None:
        """Wakes whoever waits for something about requests."""
        async with self._changed:
            self._changed.notify_all()

    async def wait(self, client_id: str, least: dict[str, int]) -> None:
        """Waits until there were so many requests of a client: `seen`, `held`, `processed`, `answered`."""

        def enough() -> bool:
            records = self._records[client_id]
            return all(
                number <= (len(records) if what == "seen" else sum(getattr(record, what) for record in records))
                for what, number in least.items()
            )

        async with self._changed:
            await self._changed.wait_for(enough)

    def of(self, client_id: str) -> list[Record]:
        """Returns the requests of a client, in the order in which they came."""
        return self._records[client_id]

    def elsewhere(self, client_id: str) -> list[Arrival]:
        """Returns the requests that a redirect has led elsewhere."""
        return self._arrivals[client_id]
