# SPDX-License-Identifier: Apache-2.0
"""Units of work for servicers: a rule, run for the current caller in a transaction of the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from service.listing.listing import PageQuery
from service.rpc.call import current_call, current_caller
from service.rpc.once import Repeatable, once
from service.work import AnonymousWork, Work

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from service.clock import Clock
    from service.crypto.keyring import Keyring
    from service.storage.store import Store, Tx

Result = TypeVar("Result")
Reply = TypeVar("Reply", bound="Message")
Rule: TypeAlias = Callable[[Work], Result]
AnonymousRule: TypeAlias = Callable[[AnonymousWork], Result]

QUICK_ROWS = 200
"""Rows that a list may touch at once on the event loop; what may touch more is a scan."""


class ListRequest(Protocol):
    """The members that every List request has."""

    page_size: int
    page_token: str
    skip: int
    filter: str
    order_by: str


class Units:
    """Runs rules. Every servicer has the same one."""

    def __init__(self, store: Store, keyring: Keyring, clock: Clock, wrote: Callable[[], None] = lambda: None) -> None:
        """`wrote` is told of every write of a caller that was committed."""
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._wrote = wrote

    async def read(self, rule: Rule[Result]) -> Result:
        """Runs a rule that reads few rows."""
        return await self._store.read(self._use_case(rule))

    async def scan(self, rule: Rule[Result]) -> Result:
        """Runs a rule that reads perhaps many rows, where it holds up nobody else."""
        return await self._store.scan(self._use_case(rule))

    async def read_anonymous(self, rule: AnonymousRule[Result]) -> Result:
        """Runs a rule that reads few rows, for a method that takes no caller."""
        return await self._store.read(self._anonymous(rule))

    async def write_anonymous(self, rule: AnonymousRule[Result]) -> Result:
        """Runs a rule in a transaction of its own, for a method that takes no caller; it may run more than once."""
        return await self._store.write(self._anonymous(rule))

    async def write(self, rule: Rule[Result]) -> Result:
        """Runs a rule in a transaction of its own; it may run more than once."""
        result = await self._store.write(self._use_case(rule))
        self._wrote()
        return result

    async def sweep(self, rule: Rule[Result]) -> Result:
        """Runs a rule that may write many rows, as `write` does but holding up less."""
        result = await self._store.sweep(self._use_case(rule))
        self._wrote()
        return result

    async def write_once(self, request: Repeatable, reply_type: type[Reply], rule: Rule[Reply]) -> Reply:
        """Runs a rule as `write` does, unless the same request was answered before (see `once`)."""
        method = current_call().method
        return await self.write(lambda work: once(work, method, request, reply_type, rule))

    async def page(
        self,
        request: ListRequest,
        rule: Callable[[Work, PageQuery], Result],
        *,
        sparse: bool = False,
        count_all: bool = False,
    ) -> Result:
        """Runs a rule that reads a page, where it holds up nobody else.

        Args:
            request: The List request.
            rule: What reads the page.
            sparse: Whether the rows of a short page may lie far apart among others.
            count_all: Whether all rows are counted, too.
        """
        query = PageQuery(
            request.page_size, request.page_token, request.skip, request.filter, request.order_by, count_all
        )
        touches_few = not sparse and not count_all and query.limit + query.skip <= QUICK_ROWS
        quick = touches_few and not query.filter and not query.order_by
        run = self._store.read if quick else self._store.scan
        return await run(self._use_case(lambda work: rule(work, query)))

    def _use_case(self, rule: Rule[Result]) -> Callable[[Tx], Result]:
        # The caller is bound here: a store may run the rule on another thread, which has no current call.
        caller, request_id, keyring, now = current_caller(), current_call().request_id, self._keyring, self._clock()
        return lambda tx: rule(Work(tx, caller, now, keyring, request_id))

    def _anonymous(self, rule: AnonymousRule[Result]) -> Callable[[Tx], Result]:
        request_id, keyring, now = current_call().request_id, self._keyring, self._clock()
        return lambda tx: rule(AnonymousWork(tx, now, keyring, request_id))
