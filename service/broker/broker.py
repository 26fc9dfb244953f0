# SPDX-License-Identifier: Apache-2.0
"""Refreshes tokens: one refresh of a profile at a time, in this process and all others, and none that is forgotten."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Final, TypeVar, cast

import structlog
from prometheus_client import Counter

from service.broker import answers, claims, queries, registrations, token_endpoint
from service.broker.claims import Claim, Held, Settled
from service.broker.endpoints import Endpoints
from service.broker.token_endpoint import Granted, Unavailable
from service.clock import MINUTE, SECOND
from service.leases import Watch
from service.profiles.rules import not_found
from service.profiles.tables import TokenState
from service.work import Work, as_service

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.broker.endpoints import Endpoint
    from service.broker.token_endpoint import Outcome
    from service.clock import Clock
    from service.crypto.keyring import Keyring
    from service.outgoing import Outgoing
    from service.storage.store import Store, Tx

Result = TypeVar("Result")

FIRST_PAUSE: Final = 2 * SECOND
"""Until a refresh that failed is tried again; every further one doubles it."""

LONGEST_PAUSE: Final = 15 * MINUTE

FIRST_LOOK: Final = 0.02
"""Seconds until what another process refreshes is looked at again; every further look is half as far again."""

LONGEST_LOOK: Final = 0.5

_LOG = structlog.get_logger(__name__)
_REFRESHES = Counter("almoner_refreshes_total", "Refreshes of tokens at providers.", ("outcome",))


class Broker:
    """The broker of one process."""

    def __init__(
        self,
        *,
        store: Store,
        keyring: Keyring,
        clock: Clock,
        outgoing: Outgoing,
        provider_timeout: float,
        wrote: Callable[[], None],
    ) -> None:
        """Nothing is under way yet.

        Args:
            store: The database.
            keyring: Opens and seals tokens.
            clock: The time that all processes agree on.
            outgoing: Makes the requests.
            provider_timeout: Seconds that a provider may take to answer.
            wrote: Is told of every refresh whose end is stored.
        """
        self._wrote = wrote
        self._store = store
        self._keyring = keyring
        self.clock = clock
        self._outgoing = outgoing
        self._timeout = provider_timeout
        self._endpoints = Endpoints()
        # A holder calls within one time-out of its claim, or not at all, and the call takes another.
        self.watch: Watch[int] = Watch(3 * provider_timeout)
        self._flights: dict[tuple[int, str], asyncio.Task[Granted | None]] = {}
        self._calling: set[asyncio.Task[Granted | None]] = set()

    async def refresh(self, profile_id: int, seen: int, scope: str = "") -> Granted | None:
        """Refreshes the tokens of a profile, together with all who want the same. What came is stored.

        It goes on when its caller gives up.

        Args:
            profile_id: Id of the profile.
            seen: The fence of the tokens that will not do: who has refreshed them since has done it for all.
            scope: A narrower scope than that of the grant, for a token that is not stored; empty: all of it.

        Returns:
            What the provider has given; None where another process was faster, and the profile is to be looked at again.

        Raises:
            NotFound: there is no such profile.
            FailedPrecondition: it cannot be refreshed.
            ProviderRefused: the provider refuses.
            ProviderUnavailable: it did not answer, or is not to be asked now.
            StorageUnavailable: the database takes no writes; the provider was not asked.
        """
        return await asyncio.shield(self._flight(profile_id, scope, seen=None if scope else seen))

    async def refresh_due(self, profile_id: int) -> None:
        """Refreshes a profile that is due, unless its provider has enough to do: then it waits for a little.

        Raises: as `refresh`.
        """
        token_uri = await self._token_uri(profile_id)
        if self._endpoints.is_busy(token_uri):
            await self.postpone(profile_id)
        else:
            await asyncio.shield(self._flight(profile_id, only_due=True))

    async def postpone(self, profile_id: int) -> None:
        """Has a profile that is due wait for some seconds, not all for the same time."""
        until = self.clock() + _between(5 * SECOND, 15 * SECOND)
        await self._store.write(lambda tx: claims.postpone(tx, profile_id, until))

    async def take_over(self, profile_id: int, fence: int) -> None:
        """Finds out what became of a claim that was abandoned, by another try.

        Raises: as `refresh`.
        """
        await asyncio.shield(self._flight(profile_id, take_over=fence))

    async def finish(self) -> None:
        """Lets the calls of providers end whose answers would be lost otherwise, and gives everything else up."""
        for flight in set(self._flights.values()) - self._calling:
            flight.cancel()
        if abandoned := await answers.let_end(self._calling, self._timeout):
            _LOG.warning("broker.abandoned", refreshes=abandoned)

    def _flight(
        self,
        profile_id: int,
        scope: str = "",
        *,
        seen: int | None = None,
        take_over: int | None = None,
        only_due: bool = False,
    ) -> asyncio.Task[Granted | None]:
        key = (profile_id, scope)
        flight = self._flights.get(key)
        if flight is None:
            work = self._fly(profile_id, scope, seen=seen, take_over=take_over, only_due=only_due)
            flight = self._flights[key] = asyncio.create_task(work)
            flight.add_done_callback(lambda done: self._landed(key, done))
        return flight

    def _landed(self, key: tuple[int, str], flight: asyncio.Task[Granted | None]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # everybody who waited for it may be gone

    async def _fly(
        self, profile_id: int, scope: str, *, seen: int | None, take_over: int | None, only_due: bool
    ) -> Granted | None:
        token_uri = await self._token_uri(profile_id)
        while True:
            async with self._endpoints.slot(token_uri) as endpoint:
                began = time.monotonic()
                claimed = await self._claim(profile_id, seen, take_over, only_due=only_due)
                if isinstance(claimed, Claim):
                    self.watch.forget(profile_id)
                    return await self._exchange(claimed, scope, endpoint, began)
            if claimed is None:
                return None
            take_over = await self._wait_for(profile_id, claimed)
            if take_over is None and not scope:
                return None

    async def _claim(
        self, profile_id: int, seen: int | None, take_over: int | None, *, only_due: bool
    ) -> Claim | Held | None:
        def rule(work: Work) -> Claim | Held | None:
            return claims.claim(work, profile_id, seen=seen, take_over=take_over, only_due=only_due)

        return await self._store.write(self.as_service(rule))

    async def _token_uri(self, profile_id: int) -> str:
        registration = await self._store.read(lambda tx: registrations.find(tx, self._keyring, profile_id))
        if registration is None:
            raise not_found(profile_id)
        return registration.token_uri

    async def _wait_for(self, profile_id: int, held: Held) -> int | None:
        """Waits until another process has settled its claim. Returns the fence of one that it has abandoned."""
        fence, pause = held.fence, FIRST_LOOK
        while True:
            if self.watch.is_abandoned(profile_id, fence):
                return fence
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_LOOK)
            found = await self._store.read(lambda tx: queries.find_claim(tx, profile_id))
            if found is None or found.token_state != TokenState.REFRESHING:
                self.watch.forget(profile_id)
                return None
            fence = found.fence

    async def _exchange(self, claimed: Claim, scope: str, endpoint: Endpoint, began: float) -> Granted | None:
        """Calls the provider, and stores what it answers before anybody learns of it."""
        flight = cast("asyncio.Task[Granted | None]", asyncio.current_task())
        self._calling.add(flight)
        try:
            outcome = await self._call(claimed, scope, began)
            endpoint.report(outcome)
            settled = await self._settle(claimed, outcome, scope)
        finally:
            self._calling.discard(flight)
        _REFRESHES.labels(type(outcome).__name__.lower()).inc()
        self._wrote()
        if settled is None:
            _LOG.warning("broker.claim_lost", profile=claimed.profile_id, fence=claimed.fence)
            return None
        if settled.error is not None:
            _LOG.warning("broker.failed", profile=claimed.profile_id, error=settled.error.reason.value)
            raise settled.error
        return outcome if isinstance(outcome, Granted) else None

    async def _call(self, claimed: Claim, scope: str, began: float) -> Outcome:
        if time.monotonic() - began > self._timeout:
            # The commit took so long that others may soon think that this claim was abandoned.
            return Unavailable("late")
        return await token_endpoint.refresh(
            self._outgoing,
            claimed.registration,
            claimed.token_uri,
            claimed.refresh_token,
            scope,
            seconds=self._timeout,
        )

    async def _settle(self, claimed: Claim, outcome: Outcome, scope: str) -> Settled | None:
        """Stores an outcome, however long the database takes no writes; see `claims.settle`."""
        pause = max(outcome.retry_after if isinstance(outcome, Unavailable) else 0, _backoff(claimed.failures))
        return await answers.store_at_last(
            self._store,
            lambda: self.as_service(lambda work: claims.settle(work, claimed, outcome, scope, pause)),
            lambda: _LOG.warning("broker.not_stored", profile=claimed.profile_id),
            # Far less than others leave before they take over.
            longest_pause=min(answers.LONGEST_PAUSE, self._timeout / 3),
        )

    def as_service(self, rule: Callable[[Work], Result]) -> Callable[[Tx], Result]:
        """Returns a rule as a use case of the service itself."""
        return as_service(rule, self._keyring, self.clock())


def _between(least: int, most: int) -> int:
    return random.randint(least, most)  # noqa: S311 - a pause is no secret


def _backoff(failures: int) -> int:
    """Returns the pause after so many failures before this one, in microseconds."""
    longest = min(FIRST_PAUSE * 2 ** min(failures, 16), LONGEST_PAUSE)
    return _between(longest // 2, longest)
