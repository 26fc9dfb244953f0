# SPDX-License-Identifier: Apache-2.0
"""The unit of work: functions over a connection, and a store that decides where they run.

Depends on SQLAlchemy and service.errors only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection

Tx: TypeAlias = Connection
Result = TypeVar("Result")
UseCase: TypeAlias = Callable[[Tx], Result]


class Store(Protocol):
    """A database. Every method raises StorageUnavailable when it cannot be reached or refuses to work.

    A use case is a plain synchronous function. It may run on another thread, it does not wait for anything, and it has no effect outside its
    transaction: a write that loses a race is run again from the start.
    """

    async def read(self, use_case: UseCase[Result]) -> Result:
        """Runs a use case that only reads, and few rows: on SQLite it runs at once, on the event loop."""
        ...

    async def read_shared(self, use_case: UseCase[Result]) -> Result:
        """Runs a use case as `read` does, once for all who ask for the same one (by identity) meanwhile.

        The run begins after the caller has asked, or in the same turn of the event loop.
        """
        ...

    async def scan(self, use_case: UseCase[Result]) -> Result:
        """Runs a use case that only reads, and perhaps many rows, without holding up anybody else."""
        ...

    async def snapshot(self, use_case: UseCase[Result]) -> Result:
        """Runs a use case that only reads, all of it over one snapshot, for as long as it takes: see `scan`."""
        ...

    async def write(self, use_case: UseCase[Result]) -> Result:
        """Runs a use case that writes, and few rows, in a transaction of its own; returns once it is durable.

        If the use case raises, its transaction alone is rolled back and the error is passed on.
        """
        ...

    async def sweep(self, use_case: UseCase[Result]) -> Result:
        """Runs a write that may touch many rows, such as a cascade: like `write`, but holding up only other writes."""
        ...

    async def close(self) -> None:
        """Lets running writes end, then closes every connection. The store is of no use afterwards."""
        ...
