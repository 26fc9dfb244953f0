# SPDX-License-Identifier: Apache-2.0
"""Exchanges authorization codes for tokens at their providers (RFC 6749 section 4.1.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import structlog

from service.broker import answers, token_endpoint
from service.consent import rules
from service.consent.rules import Completed, Taken
from service.work import AnonymousWork

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.access.caller import Caller
    from service.clock import Clock
    from service.consent.rules import CodeAnswer
    from service.crypto.keyring import Keyring
    from service.outgoing import Outgoing
    from service.storage.store import Store, Tx

Result = TypeVar("Result")

_LOG = structlog.get_logger(__name__)


class Exchanges:
    """The exchanges of one process."""

    def __init__(
        self, *, store: Store, keyring: Keyring, clock: Clock, outgoing: Outgoing, provider_timeout: float
    ) -> None:
        """None is under way yet.

        Args:
            store: The database.
            keyring: Finds states, and opens and seals what belongs to them.
            clock: The time that all processes agree on.
            outgoing: Makes the requests.
            provider_timeout: Seconds that a provider may take to answer.
        """
        self._store = store
        self._keyring = keyring
        self.clock = clock
        self._outgoing = outgoing
        self._timeout = provider_timeout
        self._running: set[asyncio.Task[Completed]] = set()

    async def complete(self, answer: CodeAnswer, caller: Caller | None, request_id: str) -> Completed:
        """Makes tokens of the answer of a provider, and stores them.

        Once the state is spent it goes on when its caller gives up: the code is good once.

        Args:
            answer: The answer.
            caller: Who brings it, if they have logged in.
            request_id: Id of the request.

        Raises:
            FailedPrecondition: the state is of no use, or the provider has refused.
            ProviderRefused: the provider refuses the code.
            ConsentLost: the provider did not answer; it has to begin again.
            NotFound: the profile is gone.
            PermissionDenied: who began may not change it any more.
            StorageUnavailable: the database takes no writes; the state is still good.
        """
        taken = await self._store.write(self._work(request_id, lambda work: rules.take(work, answer, caller)))
        if not isinstance(taken, Taken):
            raise taken
        exchange = asyncio.create_task(self._exchange(taken, answer.code, request_id))
        self._running.add(exchange)
        exchange.add_done_callback(self._done)
        return await asyncio.shield(exchange)

    async def finish(self) -> None:
        """Lets the exchanges that are under way end: what they bring would be lost otherwise."""
        await answers.let_end(self._running, self._timeout)

    def _done(self, exchange: asyncio.Task[Completed]) -> None:
        self._running.discard(exchange)
        if not exchange.cancelled():
            exchange.exception()  # whoever waited for it may be gone

    async def _exchange(self, taken: Taken, code: str, request_id: str) -> Completed:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": taken.redirect_uri,
            "code_verifier": taken.code_verifier,
        }
        outcome = await token_endpoint.ask(
            self._outgoing, taken.registration, taken.token_uri, form, seconds=self._timeout
        )
        use_case = self._work(request_id, lambda work: rules.settle(work, taken, outcome))
        settled = await answers.store_at_last(
            self._store, lambda: use_case, lambda: _LOG.warning("consent.not_stored", profile=taken.profile_id)
        )
        if not isinstance(settled, Completed):
            _LOG.warning("consent.failed", profile=taken.profile_id, error=getattr(outcome, "error", ""))
            raise settled
        return settled

    def _work(self, request_id: str, rule: Callable[[AnonymousWork], Result]) -> Callable[[Tx], Result]:
        now = self.clock()
        return lambda tx: rule(AnonymousWork(tx, now, self._keyring, request_id))
