# SPDX-License-Identifier: Apache-2.0
"""When secrets of client applications were last used: noted in memory, and written now and then for all together.

A write at every use would make of each token that is issued a commit. What a process that is killed has noted is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.applications import secret_queries
from service.applications.secret_queries import Use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.storage.store import Store

BATCH: Final = 500
"""Secrets whose uses one write carries at the most."""


class SecretUses:
    """The uses that this process has seen since it last wrote them. Used from one thread (the event loop)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._noted: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._noted)

    def note(self, secret_id: int, time: int) -> None:
        """Notes that a secret was used at a time, which may be before one that was noted already."""
        if time > self._noted.get(secret_id, 0):
            self._noted[secret_id] = time

    def last_of(self, secret_id: int, written: int) -> int:
        """Returns when a secret was last used, as far as this process knows; 0: never.

        Args:
            secret_id: Id of the secret.
            written: What the database says.
        """
        return max(written, self._noted.get(secret_id, 0))

    async def write(self) -> None:
        """Writes what is noted. Other processes do so too: what is written never becomes older.

        Raises:
            StorageUnavailable: the database does not answer. What is not written stays noted.
        """
        # In the same order everywhere, so that processes do not wait for each other in a circle.
        noted = [Use(secret_id, time) for secret_id, time in sorted(self._noted.items())]
        for start in range(0, len(noted), BATCH):
            await self._write_some(noted[start : start + BATCH])

    async def _write_some(self, uses: Sequence[Use]) -> None:
        await self._store.sweep(lambda tx: secret_queries.note_uses(tx, uses))
        for secret_id, time in uses:
            if self._noted[secret_id] == time:
                del self._noted[secret_id]
