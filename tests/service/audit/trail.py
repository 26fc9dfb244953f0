# SPDX-License-Identifier: Apache-2.0
"""The audit trail of a running service as tests look at it, and as somebody with the database's password would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text

from service.access.caller import Caller
from service.audit import rules as audit
from service.audit.tables import AuditEventRow
from service.storage.tables import table_of
from service.work import Work

if TYPE_CHECKING:
    from service.audit.rules import Verification
    from service.server import Service
    from service.storage.store import Tx

NOBODY = Caller(0, "nobody", 1, ())


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

    async def record(self, count: int = 1, resource: str = "things/1") -> None:
        """Writes events, each in a transaction of its own."""
        now = self.service.clock()

        def write(tx: Tx) -> None:
            audit.record(Work(tx, NOBODY, now, self.service.keyring, "request"), "thing.touch", resource, 1)

        for _ in range(count):
            await self.service.store.write(write)

    async def record_at_once(self, count: int) -> None:
        """Writes events in one transaction."""
        now = self.service.clock()

        def write(tx: Tx) -> None:
            work = Work(tx, NOBODY, now, self.service.keyring, "request")
            for _ in range(count):
                audit.record(work, "thing.touch", "things/1", 1)

        await self.service.store.write(write)

    async def seal(self) -> None:
        await self.service.background.seal()

    async def verify(self) -> Verification:
        """Follows the chain, over one snapshot on each backend."""
        return await self.service.store.write(lambda tx: audit.verify(tx, self.service.keyring))

    async def run(self, statement: str, **parameters: Any) -> int:
        """Changes the database behind the service's back, and returns how many rows."""
        return await self.service.store.write(lambda tx: tx.execute(text(statement), parameters).rowcount)

    async def scalars(self, statement: str) -> list[Any]:
        """Returns a column of the database."""
        return await self.service.store.read(lambda tx: list(tx.execute(text(statement)).scalars()))
