# SPDX-License-Identifier: Apache-2.0
"""Reads of PostgreSQL that share a round trip: the same statement for several use cases goes there and back as one.

A round trip costs the service some 12 microseconds and the server as much; one more execution in it costs each a fifth.

Depends on SQLAlchemy, asyncpg and this package only.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.util import await_only as await_
from sqlalchemy.util import greenlet_spawn

from service.storage.statements import FETCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Dialect

    from service.storage.kept_connections import KeptConnections
    from service.storage.store import Result, Tx, UseCase

    Rows = list[tuple[Any, ...]]

MOST: Final = 64
"""Executions in one round trip, at the most."""


class _Asked(NamedTuple):
    """Parameters of a statement, and who waits for the rows; None instead of them: it did not work."""

    parameters: Sequence[Any]
    rows: asyncio.Future[Rows | None]


class ReadFailedError(Exception):
    """A read beside Core has failed: Core is to try, and to say what is wrong its way."""


@contextmanager
def beside_core(driver: asyncpg.Connection[Any]) -> Iterator[None]:
    """Surrounds reads on asyncpg's own connection.

    Raises:
        ReadFailedError: the statement or the connection is at fault.
    """
    try:
        yield
    except asyncpg.InternalClientError:  # the server has said good-bye, and the connection has not ended yet
        driver.terminate()
        raise ReadFailedError from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        raise ReadFailedError from None


class SharedReads:
    """Runs use cases that read, each statement in autocommit."""

    def __init__(self, connections: KeptConnections, dialect: Dialect) -> None:
        """`connections` are lent to the statements."""
        self.connections = connections
        self.dialect = dialect
        self.options: Mapping[str, object] = {FETCH: self._fetch}
        self._under_way: set[str] = set()
        self._asked: dict[str, list[_Asked]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, use_case: UseCase[Result]) -> Result:
        """Runs a use case.

        Raises:
            DBAPIError: the database refuses it or cannot be reached; also OSError, and TimeoutError of the pool.
        """
        async with AsyncExitStack() as stack:
            return await greenlet_spawn(use_case, cast("Tx", _Reading(self, stack)))

    def _fetch(self, _tx: Tx, text: str, parameters: Sequence[Any]) -> Rows | None:
        return await_(self._rows(text, parameters))

    async def _rows(self, text: str, parameters: Sequence[Any]) -> Rows | None:
        """Returns what a statement finds. It is sent at once, or with others like it if one is under way already."""
        if text in self._under_way:
            return await self._ask(text, parameters)
        self._under_way.add(text)
        try:
            return (await self._execute(text, [parameters]))[0]
        except ReadFailedError:
            return None
        finally:
            self._under_way.discard(text)

    def _ask(self, text: str, parameters: Sequence[Any]) -> asyncio.Future[Rows | None]:
        """Asks with all others who do so in this turn of the event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Rows | None] = loop.create_future()
        asked = self._asked.get(text)
        if asked is None:
            asked = self._asked[text] = []
            loop.call_soon(self._send, text)
        asked.append(_Asked(parameters, future))
        return future

    def _send(self, text: str) -> None:
        asked = self._asked.pop(text)
        for first in range(0, len(asked), MOST):
            task = asyncio.create_task(self._answer(text, asked[first : first + MOST]))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _answer(self, text: str, asked: list[_Asked]) -> None:
        """Asks the database. Where that fails it is for Core to try, on another connection, and to say what is wrong."""
        try:
            found = await self._execute(text, [one.parameters for one in asked])
            for one, rows in zip(asked, found, strict=True):
                if not one.rows.done():  # whoever asked has given up meanwhile
                    one.rows.set_result(rows)
        except ReadFailedError:
            pass
        except (DBAPIError, PoolTimeoutError, OSError) as error:  # there is no connection
            for one in asked:
                if not one.rows.done():
                    one.rows.set_exception(error)
        finally:
            for one in asked:
                if not one.rows.done():
                    one.rows.set_result(None)

    async def _execute(self, text: str, parameters: list[Sequence[Any]]) -> list[Rows]:
        """Returns the rows of each execution.

        Raises:
            ReadFailedError: the statement or the connection is at fault.
        """
        async with self.connections.lent() as connection:
            driver = cast("asyncpg.Connection[Any]", (await connection.get_raw_connection()).driver_connection)
            with beside_core(driver):
                if len(parameters) == 1:
                    return [cast("Rows", await driver.fetch(text, *parameters[0]))]
                return await _fetch_many(driver, text, parameters)


async def _fetch_many(driver: asyncpg.Connection[Any], text: str, parameters: list[Sequence[Any]]) -> list[Rows]:
    """Runs a statement with each of many parameters, for which asyncpg returns one list: a first column tells whose.

    The rows of each stay in their order: PostgreSQL leaves a subquery alone that has one.
    """
    numbered = f"SELECT ${len(parameters[0]) + 1}::int4, found.* FROM ({text}) AS found"  # noqa: S608 - our own text
    found: list[Rows] = [[] for _ in parameters]
    for row in await driver.fetchmany(numbered, [(*one, number) for number, one in enumerate(parameters)]):
        found[row[0]].append(row[1:])
    return found


class _Reading:
    """What a use case takes for its connection. It has one of its own from what cannot be shared on, until it ends."""

    def __init__(self, reads: SharedReads, stack: AsyncExitStack) -> None:
        self.dialect = reads.dialect
        self._reads = reads
        self._stack = stack
        self._own: Connection | None = None

    def get_execution_options(self) -> Mapping[str, object]:
        """Returns what tells prebuilt statements how to run."""
        return self._reads.options if self._own is None else self._own.get_execution_options()

    def __getattr__(self, name: str) -> Any:
        """Returns whatever else a connection has, of one that the use case keeps."""
        if self._own is None:
            connection = await_(self._stack.enter_async_context(self._reads.connections.lent()))
            self._own = connection.sync_connection
        return getattr(self._own, name)
