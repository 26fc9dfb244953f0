# SPDX-License-Identifier: Apache-2.0
"""The audit trail of a running service as tests look at it, and as somebody with the database's password would."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from service.access.caller import Caller
from service.audit import rules as audit
from service.audit.tables import AuditEventRow
from service.storage.tables import table_of
from service.work import Work

if TYPE_CHECKING:
    from service.audit.rules import Verification
    from service.server import Service
    from service.storage.store import Tx, UseCase

NOBODY = Caller(0, "nobody", 1, ())


_NUMBERS = itertools.count(1)


class _UndoneError(Exception):
    """Rolls a transaction back that has been looked at."""

    def __init__(self, found: Verification) -> None:
        self.found = found


@dataclass
class Trail:
    """The audit trail of a service."""

    service: Service

    async def events(self, after: int = 0) -> list[Any]:
        """Returns the events with an id above `after`, in order."""
        table = table_of(AuditEventRow)
        statement = select(table).where(table.c.id > after).order_by(table.c.id)
        return await self.service.store.read(lambda tx: list(tx.execute(statement)))

    async def last(self) -> int:
        """Returns the id of the last event."""
        return int((await self.events())[-1].id)

    async def record(self, count: int = 1) -> None:
        """Writes events, each in a transaction of its own."""
        for _ in range(count):
            await self.record_at_once(1)

    async def record_at_once(self, count: int) -> None:
        """Writes events in one transaction."""
        now = self.service.clock()

        def write(tx: Tx) -> None:
            work = Work(tx, NOBODY, now, self.service.keyring, "request")
            for _ in range(count):
                audit.record(work, "thing.touch", f"things/{next(_NUMBERS)}", 1)

        await self.service.store.write(write)

    async def seal(self) -> None:
        await self.service.background.seal()

    async def verify(self) -> Verification:
        """Follows the chain, over one snapshot on each backend."""
        return await self.service.store.write(lambda tx: audit.verify(tx, self.service.keyring))

    async def what_if(self, *steps: str | UseCase[object]) -> Verification:
        """Returns what the chain says after changes behind the service's back, which are then undone."""

        def change_and_verify(tx: Tx) -> None:
            for step in steps:
                if isinstance(step, str):
                    assert tx.execute(text(step)).rowcount
                else:
                    step(tx)
            raise _UndoneError(audit.verify(tx, self.service.keyring))

        with pytest.raises(_UndoneError) as undone:
            await self.service.store.write(change_and_verify)
        return undone.value.found

    async def scalars(self, statement: str) -> list[Any]:
        """Returns a column of the database."""
        return await self.service.store.read(lambda tx: list(tx.execute(text(statement)).scalars()))
