# SPDX-License-Identifier: Apache-2.0
"""Digests of chosen secrets (argon2id, RFC 9106), computed off the event loop, with a bound on how many wait.

Depends on argon2-cffi and service.errors.
"""

from __future__ import annotations

import asyncio
import base64
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import argon2
from argon2.exceptions import VerifyMismatchError

from service.errors import TooManyAttempts

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")

WORKERS: Final = 2

_NICENESS: Final = 10
"""Of the workers' threads: a tenth of the event loop's share of a core that both want."""

_SALT_BYTES: Final = 16
_DIGEST_BYTES: Final = 32


class Cost(NamedTuple):
    """What a digest costs whoever computes it (RFC 9106 section 3.1)."""

    memory_kib: int
    passes: int
    lanes: int = 1


# OWASP's password storage cheat sheet: the smallest memory it offers with two passes, because each worker needs it.
COST: Final = Cost(memory_kib=19_456, passes=2)
"""What digests cost."""


class PasswordHasher:
    """Makes and checks password digests on at most WORKERS threads of its own."""

    def __init__(self, *, waiting: int = 64, cost: Cost = COST) -> None:
        """Starts no thread yet.

        Args:
            waiting: How many checks may wait for a thread before further ones are refused.
            cost: Of the digests that are made; one that is there already says itself what it costs.
        """
        self._nobodys_digest = _nobodys_digest(cost)
        self._argon2 = argon2.PasswordHasher(
            time_cost=cost.passes,
            memory_cost=cost.memory_kib,
            parallelism=cost.lanes,
            hash_len=_DIGEST_BYTES,
            salt_len=_SALT_BYTES,
            type=argon2.Type.ID,
        )
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="passwords", initializer=_give_way)
        self._places = threading.BoundedSemaphore(WORKERS + waiting)

    def hash_blocking(self, password: str) -> str:
        """Returns the digest of a password in PHC string format. Takes tens of milliseconds: not for the event loop."""
        return self._argon2.hash(password)

    async def hash(self, password: str) -> str:
        """Returns the digest of a password in PHC string format.

        Raises:
            TooManyAttempts: Too many passwords are waiting already.
        """
        return await self._on_thread(lambda: self._argon2.hash(password))

    async def verify(self, digest: str, password: str) -> bool:
        """Returns whether the digest was made from the password.

        Raises:
            TooManyAttempts: Too many passwords are waiting already.
        """
        return await self._on_thread(lambda: self._matches(digest, password))

    async def verify_nothing(self) -> None:
        """Takes as long as a check does, so that time does not tell which users exist.

        Raises:
            TooManyAttempts: Too many passwords are waiting already.
        """
        await self.verify(self._nobodys_digest, "")

    def close(self) -> None:
        """Lets running checks finish and drops the waiting ones."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _matches(self, digest: str, password: str) -> bool:
        try:
            return self._argon2.verify(digest, password)
        except VerifyMismatchError:
            return False

    async def _on_thread(self, work: Callable[[], _Result]) -> _Result:
        if not self._places.acquire(blocking=False):
            raise TooManyAttempts
        future = self._threads.submit(work)
        # Not when the caller stops waiting: a check that runs keeps its place until it is done.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)


def _nobodys_digest(cost: Cost) -> str:
    """Returns what is well formed, so that checking it costs a whole computation, and the digest of no known password."""
    parameters = f"$argon2id$v={argon2.low_level.ARGON2_VERSION}$m={cost.memory_kib},t={cost.passes},p={cost.lanes}"
    encoded = [base64.b64encode(bytes(size)).decode().rstrip("=") for size in (_SALT_BYTES, _DIGEST_BYTES)]
    return "$".join([parameters, *encoded])


NOBODYS_DIGEST: Final = _nobodys_digest(COST)
"""The digest of no known password."""


def _give_way() -> None:
    """Lets the event loop go first on a machine whose cores are all busy: a check takes long either way.

    Linux has a priority for each thread.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
