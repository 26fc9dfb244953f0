# SPDX-License-Identifier: Apache-2.0
"""Devices that cannot show a login page, and wait until their user has let them in elsewhere (RFC 8628)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.applications.clients import find_client
from service.applications.secrets import client_invalid
from service.audit import rules as audit
from service.clock import MINUTE, SECOND
from service.crypto.tokens import USER_CODE_LETTERS, new_token, new_user_code
from service.directory.escalation import require_all_of
from service.errors import (
    FailedPrecondition,
    PermissionDenied,
    Reason,
    SlowDown,
    TooManyAttempts,
)
from service.grants import device_queries as queries
from service.grants import digests
from service.grants.issuing import Wanted, issue, require_allowed, require_way
from service.grants.scopes import check_wanted, require_within, to_stored
from service.grants.tables import Decision, GrantType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.errors import DomainError
    from service.grants.device_queries import StoredDevice
    from service.grants.issuing import Tokens
    from service.work import AnonymousWork, Work

LIFETIME: Final = 5 * MINUTE
INTERVAL: Final = 5 * SECOND

MOST_WAITING: Final = 1_000
"""Devices of one application that may wait at once: the more do, the easier is the code of one of them to guess."""

_DECIDED: Final = {True: Decision.APPROVED, False: Decision.DENIED}


class Started(NamedTuple):
    """The codes of a device that waits, told once."""

    device_code: str
    user_code: str
    expires: int

    def __repr__(self) -> str:
        return f"Started(expires={self.expires})"


def start(work: AnonymousWork, client_id: str, scopes: Sequence[str]) -> Started:
    """Makes the two codes of a device.

    Raises:
        Unauthenticated: the application is gone.
        InvalidField: a scope is no scope token.
        FailedPrecondition: the application, or its organization's policy, does not allow the grant type.
        PermissionDenied: the application does not allow a scope.
        TooManyAttempts: MOST_WAITING devices of the application wait already.
    """
    check_wanted(scopes)
    client = find_client(work.tx, client_id)
    if client is None:
        raise client_invalid()
    require_way(work.tx, client, GrantType.DEVICE_CODE)
    require_within(scopes, client.allowed_scopes)
    if queries.are_too_many(work.tx, client.number, MOST_WAITING, work.now):
        raise TooManyAttempts("too many devices of the application are waiting; try again")
    device_code, user_code = new_token(), new_user_code()
    while queries.is_taken(work.tx, _digest(work, user_code)):
        user_code = new_user_code()
    expires = work.now + LIFETIME
    queries.add(
        work.tx,
        {
            "application_number": client.number,
            "device_code": digests.of_device_code(work.keyring, device_code),
            "user_code": _digest(work, user_code),
            "scopes": to_stored(scopes),
            "decision": Decision.PENDING.value,
            "user_id": None,
            "polled": 0,
            "expires": expires,
        },
    )
    return Started(device_code, user_code, expires)


def get(work: Work, user_code: str) -> StoredDevice:
    """Returns the device that waits for somebody to decide about this code.

    Raises:
        FailedPrecondition: there is none, or it has been decided about.
    """
    device = _waiting(work, user_code)
    if device.decision != Decision.PENDING:
        raise _expired()
    return device


def decide(work: Work, user_code: str, *, approve: bool) -> StoredDevice:
    """Lets a device have tokens of the caller, or refuses it. To say the same twice changes nothing.

    Raises:
        PermissionDenied: the caller is limited to scopes; or no access rule lets them have such tokens; or who acts
            for them holds less than those would be worth.
        FailedPrecondition: there is no such device, another has been said, or its grant type is not allowed any more.
    """
    caller = work.caller
    if caller.scopes is not None:
        raise PermissionDenied(
            Reason.SCOPE_MISSING, "an access token lets no device in: log in yourself", metadata={"scope": ""}
        )
    device = _waiting(work, user_code)
    decision = _DECIDED[approve]
    if device.decision == decision and device.user_id == caller.user_id:
        return device
    if approve:
        _require_approvable(work, device)
    if not queries.decide(work.tx, device.id, decision, caller.user_id):
        raise _expired()
    changes = {"decision": [Decision.PENDING.name, decision.name], "scopes": [None, device.scopes]}
    action = "device.approve" if approve else "device.deny"
    audit.record(work, action, f"device_authorizations/{device.id}", device.organization, changes)
    return device


def poll(work: AnonymousWork, client_id: str, device_code: str) -> Tokens | DomainError:
    """Issues the tokens of a device whose user has let it in.

    Whether it still may is looked at again: the user, the rule and the application may have changed since.

    Returns:
        The tokens; or the error to answer where the time of asking is kept, which an error raised would undo.

    Raises:
        FailedPrecondition: there is no such code of this client, it has expired, or the user has refused.
        Unauthenticated: the application is gone, or the user is, disabled or locked.
        PermissionDenied: the user may not have the tokens any more.
    """
    device = queries.find_by_device_code(work.tx, digests.of_device_code(work.keyring, device_code))
    if device is None or device.application_id != client_id or device.expires <= work.now:
        raise _expired()
    if device.decision == Decision.DENIED:
        raise FailedPrecondition(Reason.AUTHORIZATION_DENIED, "the user has refused the device")
    if device.decision == Decision.APPROVED and device.user_id is not None:
        tokens = issue(work, Wanted(client_id, device.user_id, device.scopes.split(), GrantType.DEVICE_CODE))
        queries.remove(work.tx, device.id)
        return tokens
    queries.poll(work.tx, device.id, work.now)
    if work.now - device.polled < INTERVAL:
        return SlowDown(INTERVAL // SECOND)
    return FailedPrecondition(Reason.AUTHORIZATION_PENDING, "nobody has decided about the device yet")


def _require_approvable(work: Work, device: StoredDevice) -> None:
    client = find_client(work.tx, device.application_id)
    if client is None:
        raise _expired()
    scopes = device.scopes.split()
    require_allowed(work.tx, client, work.caller.user_id, scopes, GrantType.DEVICE_CODE)
    require_all_of(work, work.caller.user_id, scopes)


def _waiting(work: Work, user_code: str) -> StoredDevice:
    letters = "".join(letter for letter in user_code.upper() if letter not in "- ")
    if not letters or not set(USER_CODE_LETTERS).issuperset(letters):
        raise _expired()
    device = queries.find_by_user_code(work.tx, digests.of_user_code(work.keyring, letters))
    if device is None or device.expires <= work.now:
        raise _expired()
    return device


def _digest(work: AnonymousWork, user_code: str) -> bytes:
    return digests.of_user_code(work.keyring, user_code.replace("-", ""))


def _expired() -> FailedPrecondition:
    return FailedPrecondition(Reason.DEVICE_CODE_EXPIRED, "the code has expired or is unknown")
