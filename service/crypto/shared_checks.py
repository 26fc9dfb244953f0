# SPDX-License-Identifier: Apache-2.0
"""Password checks of logins: identical ones that are wanted at the same time share one.

A client that opens a hundred connections presents one password a hundred times before the first check is done. Depends
on passwords; used from one thread (the event loop).
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.crypto.passwords import PasswordHasher


@dataclass(slots=True)
class _Check:
    """A check that runs, and how many callers wait for it."""

    task: asyncio.Task[bool]
    waiting: int = 0


class SharedChecks:
    """Checks passwords against digests.

    Two checks are the same if name, password and digest are: a password that is changed meanwhile has another digest.
    Running ones are found by a keyed digest (BLAKE2b) under a random key of this process, and forgotten at their end.
    """

    def __init__(self, passwords: PasswordHasher) -> None:
        self._passwords = passwords
        self._key = os.urandom(32)
        self._running: dict[bytes, _Check] = {}

    def __len__(self) -> int:
        return len(self._running)

    async def check(self, username: str, password: str, digest: str) -> bool:
        """Returns whether the digest was made from the password.

        Args:
            username: The name presented with it.
            password: The password presented.
            digest: The user's digest; empty where there is none, which takes as long and is never right.

        Raises:
            TooManyAttempts: too many passwords are waiting already.
        """
        key = self._key_of(username, password, digest)
        check = self._running.get(key)
        if check is None:
            check = self._running[key] = _Check(asyncio.create_task(self._run(password, digest)))
        check.waiting += 1
        try:
            return await asyncio.shield(check.task)
        finally:
            check.waiting -= 1
            if not check.waiting:
                # Either it is done, or nobody is left who wants to know.
                del self._running[key]
                check.task.cancel()

    async def _run(self, password: str, digest: str) -> bool:
        if digest:
            return await self._passwords.verify(digest, password)
        await self._passwords.verify_nothing()
        return False

    def _key_of(self, *texts: str) -> bytes:
        # The lengths keep ("ab", "c") and ("a", "bc") apart.
        data = "".join(f"{len(text)}:{text}" for text in texts)
        return blake2b(data.encode(), key=self._key, digest_size=32).digest()
