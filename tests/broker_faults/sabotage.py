# SPDX-License-Identifier: Apache-2.0
"""Strikes a server at a step of the broker's protocol: kills it, has it stand still, or refuses its write.

The steps are seen from outside: in what a transaction does to the state of a profile's tokens, and in the requests that
leave for a token endpoint. So nothing in the service knows of this, and nothing here knows how the service is built.
"""

from __future__ import annotations

import json
import os
import signal
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from service.errors import StorageUnavailable
from service.leases import Watch
from service.outgoing import Outgoing
from service.profiles.tables import ProfileRow, TokenState
from service.storage.postgresql import PostgresStore
from service.storage.sqlite import SqliteStore
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.storage.store import Tx


class Step(StrEnum):
    """A step of the protocol."""

    INTENT_WRITTEN = "intent_written"
    """The claim is in a transaction that is not committed."""
    INTENT_COMMITTED = "intent_committed"
    """The claim is committed."""
    CALL = "call"
    """The request to the token endpoint is about to leave."""
    ANSWER = "answer"
    """The answer has arrived; nothing has been done about it."""
    OUTCOME_WRITTEN = "outcome_written"
    """What came of the call is in a transaction that is not committed."""
    OUTCOME_COMMITTED = "outcome_committed"
    """It is committed, and nobody has been told."""


class Blow(StrEnum):
    """What happens at a step."""

    KILL = "kill"
    """The process is gone, as kill -9 would have it."""
    REFUSE = "refuse"
    """The database says no: before a commit nothing is written, after it only the answer of the database is lost."""
    STALL = "stall"
    """The process stands still until a test sends SIGCONT."""


class Sabotage:
    """Reads in a file what is to happen, so that a test can decide that while the server runs."""

    def __init__(self, orders: Path) -> None:
        """`orders` is the file: a JSON object of a blow by step; one that is not there orders nothing."""
        self._orders = orders

    def install(self) -> None:
        """Puts itself between the broker, and the database and the network."""
        for store in (SqliteStore, PostgresStore):
            self._watch_writes(store)
        self._watch_calls()

    def _watch_writes(self, store_class: Any) -> None:
        write = store_class.write

        async def watched(store: Any, use_case: Any) -> Any:
            if not self._read():
                return await write(store, use_case)
            steps: list[str] = []

            def observed(tx: Tx) -> Any:
                before = _states(tx)
                result = use_case(tx)
                steps[:] = _moves(before, _states(tx))
                for step in steps:
                    self._reach(f"{step}_written")
                return result

            result = await write(store, observed)
            for step in steps:
                self._reach(f"{step}_committed")
            return result

        store_class.write = watched

    def _watch_calls(self) -> None:
        post = Outgoing.post

        async def watched(outgoing: Outgoing, *arguments: Any, **named: Any) -> Any:
            self._reach(Step.CALL)
            answer = await post(outgoing, *arguments, **named)
            self._reach(Step.ANSWER)
            return answer

        vars_of: Any = Outgoing
        vars_of.post = watched

    def _reach(self, step: str) -> None:
        blow = self._read().get(step)
        if blow is None:
            return
        self._orders.with_name("struck").touch()
        if blow == Blow.REFUSE:
            raise StorageUnavailable
        os.kill(os.getpid(), signal.SIGKILL if blow == Blow.KILL else signal.SIGSTOP)

    def _read(self) -> dict[str, str]:
        try:
            orders: dict[str, str] = json.loads(self._orders.read_text())
        except FileNotFoundError:
            return {}
        return orders


_PROFILES: Final = table_of(ProfileRow)
_STATES: Final = select(_PROFILES.c.id, _PROFILES.c.token_state, _PROFILES.c.doubtful)


def _states(tx: Tx) -> dict[int, tuple[int, bool]]:
    """Returns of every profile its state and whether it is doubtful: a test has few."""
    return {row.id: (row.token_state, bool(row.doubtful)) for row in tx.execute(_STATES)}


def _moves(before: dict[int, tuple[int, bool]], after: dict[int, tuple[int, bool]]) -> Iterator[str]:
    """Returns what a transaction was for: an intent claims a profile, an outcome gives it up.

    Who claims one that another process has left in the middle makes it doubtful; a holder only keeps it alive.
    """
    for profile_id in before.keys() & after.keys():
        was, now = before[profile_id], after[profile_id]
        if was != now and now[0] == TokenState.REFRESHING:
            yield "intent"
        elif was[0] == TokenState.REFRESHING != now[0]:
            yield "outcome"


def turn_clock(seconds: int) -> None:
    """Lets this process believe that it is so much later than it is."""
    now = time.time_ns
    clock: Any = time
    clock.time_ns = lambda: now() + seconds * 1_000_000_000
    clock.time = lambda: clock.time_ns() / 1_000_000_000


def shorten_leases(seconds: float) -> None:
    """Lets this process take over what others have left in the middle after so many seconds."""
    watch: Any = Watch
    initialize = watch.__init__
    watch.__init__ = lambda self, _lease: initialize(self, seconds)
