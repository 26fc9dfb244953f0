# SPDX-License-Identifier: Apache-2.0
"""Memory of recent successful password checks, because one check costs tens of milliseconds of CPU.

Depends on the clock only. Used from one thread (the event loop).
"""

from __future__ import annotations

import os
from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from service.clock import MINUTE

if TYPE_CHECKING:
    from service.clock import Clock

CAPACITY: Final = 10_000
LIFETIME: Final = 5 * MINUTE


class _Success(NamedTuple):
    user_id: int
    revision: int
    expires: int


class CredentialCache:
    """Which username and password were right, for which revision of the user's credential.

    The revision is read from the database for every request, so that a password changed on any replica ends the
    memory of it here. Keys are keyed digests (BLAKE2b) under a random key of this process: no password is kept.
    """

    def __init__(self, clock: Clock, *, capacity: int = CAPACITY, lifetime: int = LIFETIME) -> None:
        """Makes an empty cache.

        Args:
            clock: Read at every call.
            capacity: Entries kept; beyond it the one unused for longest goes.
            lifetime: Microseconds from the check until it must be repeated.
        """
        self._clock = clock
        self._capacity = capacity
        self._lifetime = lifetime
        self._key = os.urandom(32)
        self._successes: OrderedDict[bytes, _Success] = OrderedDict()

    def __len__(self) -> int:
        return len(self._successes)

    def find(self, username: str, password: str, revision: int) -> int | None:
        """Returns the id of the user whose password this is, or None if it must be checked.

        Args:
            username: The name presented.
            password: The password presented.
            revision: The user's credential revision as it is now.
        """
        key = self._key_of(username, password)
        success = self._successes.get(key)
        if success is None:
            return None
        if success.revision != revision or success.expires <= self._clock():
            del self._successes[key]
            return None
        self._successes.move_to_end(key)
        return success.user_id

    def remember(self, username: str, password: str, *, user_id: int, revision: int) -> None:
        """Notes that a password was right.

        Args:
            username: The name presented.
            password: The password presented.
            user_id: Whose password it is.
            revision: The credential revision that it was checked against.
        """
        key = self._key_of(username, password)
        self._successes[key] = _Success(user_id, revision, self._clock() + self._lifetime)
        self._successes.move_to_end(key)
        if len(self._successes) > self._capacity:
            self._successes.popitem(last=False)

    def _key_of(self, username: str, password: str) -> bytes:
        # The length keeps ("ab", "c") and ("a", "bc") apart.
        return blake2b(f"{len(username)}:{username}{password}".encode(), key=self._key, digest_size=32).digest()
