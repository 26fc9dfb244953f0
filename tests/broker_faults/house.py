# SPDX-License-Identifier: Apache-2.0
"""A database that several tests share, and servers over it that come and go."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, Final

from tests.broker_faults.held import outcome
from tests.broker_faults.sabotage import Blow

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from service.settings import Settings
    from tests.broker_faults.held import Held
    from tests.broker_faults.replicas import Nursery, Replica
    from tests.broker_faults.sabotage import Step

CONSTANTS: Final = {
    # What failed may be tried again at once, and is not by anybody but the test.
    "service.broker.broker.FIRST_PAUSE": 2,
    "service.background.REFRESH_INTERVAL": 3600.0,
    # Who waits for another server looks often.
    "service.broker.broker.LONGEST_LOOK": 0.02,
}


class House:
    """The database.

    Attributes:
        backend: Which kind it is.
    """

    def __init__(self, backend: str, nursery: Nursery, settings: Settings, directory: Path) -> None:
        """`directory` is where servers have theirs."""
        self.backend = backend
        self._nursery = nursery
        self._settings = settings
        self._directory = directory

    def serving(
        self, *, constants: dict[str, float] | None = None, **more: Any
    ) -> AbstractAsyncContextManager[Replica]:
        """Runs a server; see `Nursery.serving`."""
        return self._nursery.serving(self._settings, self._directory, constants=CONSTANTS | (constants or {}), **more)

    async def kill_refreshing(self, held: Held, step: Step) -> None:
        """Has a server refresh, and die at a step of that."""
        async with self.serving() as victim:
            victim.suffers(**{step: Blow.KILL})
            assert await outcome(held.at(victim.channel).token()) == "UNAVAILABLE"
            assert await victim.end() == -signal.SIGKILL
