# SPDX-License-Identifier: Apache-2.0
"""What a rule works with: a transaction, the caller, the time, the keys and the ids of the request."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, NamedTuple

from service.access.caller import SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.access.caller import Caller
    from service.crypto.keyring import Keyring
    from service.storage.store import Result, Tx, UseCase


class Work(NamedTuple):
    """One unit of work of one caller.

    Attributes:
        tx: The connection, inside its transaction.
        caller: Who wants it done.
        now: The time of the whole unit, epoch microseconds.
        keyring: Seals, unseals and digests.
        request_id: Id under which log and audit know the request.
    """

    tx: Tx
    caller: Caller
    now: int
    keyring: Keyring
    request_id: str


class AnonymousWork(NamedTuple):
    """A unit of work that nobody has logged in for: what the call brings says whose it is. Members as in `Work`."""

    tx: Tx
    now: int
    keyring: Keyring
    request_id: str

    def by(self, caller: Caller) -> Work:
        """Returns the same unit as the work of a caller."""
        return Work(self.tx, caller, self.now, self.keyring, self.request_id)


def as_service(rule: Callable[[Work], Result], keyring: Keyring, now: int) -> UseCase[Result]:
    """Returns a rule as a use case of the service itself, under a request id of its own; `now` as in `Work`."""
    request_id = uuid.uuid4().hex
    return lambda tx: rule(Work(tx, SERVICE, now, keyring, request_id))
