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


class Known(NamedTuple):
    """Credentials that were right.

    Attributes:
        username: Whose they are.
        user_id: Id of the user, whose name another one may have later.
        revision: The credential revision that the password was checked against.
        expires: When the check must be repeated, epoch microseconds.
    """

    username: str
    user_id: int
    revision: int
    expires: int


class CredentialCache:
    """Which credentials were right, for which revision of the user's credential.

    Whoever asks compares the revision with the stored one for every request, so that a password changed on any replica
    ends the memory of it here. Keys are keyed digests (BLAKE2b) under a random key of this process: no password is
    kept.
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
        self._known: OrderedDict[bytes, Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, credentials: str) -> Known | None:
        """Returns whose credentials these were when they were checked, or None if they must be checked.

        Args:
            credentials: User name and password as they are presented, in whatever encoding.
        """
        key = self._key_of(credentials)
        known = self._known.get(key)
        if known is None:
            return None
        if known.expires <= self._clock():
            del self._known[key]
            return None
        self._known.move_to_end(key)
        return known

    def remember(self, credentials: str, username: str, *, user_id: int, revision: int) -> None:
        """Notes that credentials were right.

        Args:
            credentials: As they were presented.
            username: The name in them.
            user_id: Whose they are.
            revision: The credential revision that the password was checked against.
        """
        key = self._key_of(credentials)
        self._known[key] = Known(username, user_id, revision, self._clock() + self._lifetime)
        self._known.move_to_end(key)
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)

    def _key_of(self, credentials: str) -> bytes:
        return blake2b(credentials.encode("utf-8", "surrogateescape"), key=self._key, digest_size=32).digest()
