# SPDX-License-Identifier: Apache-2.0
"""Has providers revoke the grants of profiles that were deleted: at once, and what that leaves, again and again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from service.consent import revocations
from service.consent.revocation_endpoint import Revocation, revoke
from service.errors import StorageUnavailable
from service.work import Work, as_service

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.clock import Clock
    from service.consent.revocation_endpoint import RevocationRequest
    from service.crypto.keyring import Keyring
    from service.outgoing import Outgoing
    from service.storage.store import Store, Tx

Result = TypeVar("Result")

PATIENCE: Final = 15.0
"""Seconds that a provider may take while nobody waits."""

AT_ONCE: Final = 20
"""Revocations that are tried at the same time."""

_LOG = structlog.get_logger(__name__)


class Revoker:
    """The revocations of one process."""

    def __init__(self, *, store: Store, keyring: Keyring, clock: Clock, outgoing: Outgoing) -> None:
        """`clock` is the time that all processes agree on."""
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._outgoing = outgoing

    async def revoke(self, revocation_id: str, seconds: float) -> Revocation:
        """Tries a revocation for the first time, right after it was committed.

        Whatever fails, the deletion is done and the revocation is tried again.
        """
        try:
            request = await self._store.read(lambda tx: revocations.first_request(tx, self._keyring, revocation_id))
            return await self._try(revocation_id, request, seconds) if request else Revocation.DONE
        except StorageUnavailable:
            return Revocation.PENDING

    async def retry(self) -> None:
        """Tries everything again that is due.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        while True:
            due = await self._store.read(lambda tx: revocations.due(tx, self._clock(), AT_ONCE))
            for failure in await asyncio.gather(*map(self._retry, due), return_exceptions=True):
                if failure is not None:
                    raise failure
            if len(due) < AT_ONCE:
                return

    async def _retry(self, revocation_id: str) -> None:
        request = await self._store.write(self._work(lambda work: revocations.next_request(work, revocation_id)))
        if request is not None:
            await self._try(revocation_id, request, PATIENCE)

    async def _try(self, revocation_id: str, request: RevocationRequest, seconds: float) -> Revocation:
        outcome = await revoke(self._outgoing, request, seconds=seconds)
        if outcome.failure:
            _LOG.warning(
                "revocation.failed",
                profile=request.profile_id,
                outcome=outcome.revocation.name.lower(),
                error=outcome.failure,
            )
        await self._store.write(self._work(lambda work: revocations.settle(work, revocation_id, outcome)))
        return outcome.revocation

    def _work(self, rule: Callable[[Work], Result]) -> Callable[[Tx], Result]:
        """Returns a rule as a use case of the service itself."""
        return as_service(rule, self._keyring, self._clock())
