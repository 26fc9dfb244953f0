# SPDX-License-Identifier: Apache-2.0
"""Every statement over device authorizations, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select, update

from service.applications.tables import ApplicationRow
from service.grants.tables import Decision, DeviceAuthorizationRow
from service.storage.statements import one, run, scalar
from service.storage.tables import constant, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.storage.store import Tx


class StoredDevice:
    """A device that waits, as it is read: its row without its codes, and the application that it has."""

    id: int
    application_number: int
    application_id: str
    application_name: str
    organization: int
    scopes: str
    decision: int
    user_id: int | None
    polled: int
    expires: int


_DEVICES = table_of(DeviceAuthorizationRow)
_APPLICATIONS = table_of(ApplicationRow)

_WHOLE = select(
    *(column for column in _DEVICES.c if column.name not in ("device_code", "user_code")),
    _APPLICATIONS.c.id.label("application_id"),
    _APPLICATIONS.c.name.label("application_name"),
    _APPLICATIONS.c.organization,
).join(_APPLICATIONS, _APPLICATIONS.c.number == _DEVICES.c.application_number)
_FIND_BY_DEVICE_CODE = _WHOLE.where(_DEVICES.c.device_code == bindparam("device_code"))
_FIND_BY_USER_CODE = _WHOLE.where(_DEVICES.c.user_code == bindparam("user_code"))
_IS_TAKEN = select(_DEVICES.c.id).where(_DEVICES.c.user_code == bindparam("user_code"))
_WAITING = (
    select(_DEVICES.c.id)
    .where(_DEVICES.c.application_number == bindparam("application"), _DEVICES.c.expires > bindparam("now"))
    .limit(1)
    .offset(bindparam("most"))
)
_INSERT = insert(_DEVICES).inline()
_POLL = update(_DEVICES).where(_DEVICES.c.id == bindparam("device")).values(polled=bindparam("now"))
_DECIDE = (
    update(_DEVICES)
    .where(_DEVICES.c.id == bindparam("device"), _DEVICES.c.decision == constant(Decision.PENDING.value))
    .values(decision=bindparam("said"), user_id=bindparam("user"))
)
_DELETE = delete(_DEVICES).where(_DEVICES.c.id == bindparam("device"))


def find_by_device_code(tx: Tx, digest: bytes) -> StoredDevice | None:
    """Returns the device with this code."""
    return one(tx, StoredDevice, _FIND_BY_DEVICE_CODE, {"device_code": digest})


def find_by_user_code(tx: Tx, digest: bytes) -> StoredDevice | None:
    """Returns the device that waits for whoever knows this code."""
    return one(tx, StoredDevice, _FIND_BY_USER_CODE, {"user_code": digest})


def is_taken(tx: Tx, digest: bytes) -> bool:
    """Whether a device has this user code."""
    return scalar(tx, _IS_TAKEN, {"user_code": digest}) is not None


def are_too_many(tx: Tx, application: int, most: int, now: int) -> bool:
    """Whether `most` devices of an application wait already."""
    return scalar(tx, _WAITING, {"application": application, "now": now, "most": most - 1}) is not None


def add(tx: Tx, values: Mapping[str, object]) -> None:
    """Inserts a device that waits."""
    run(tx, _INSERT, values)


def poll(tx: Tx, device: int, now: int) -> None:
    """Notes that a device has asked."""
    run(tx, _POLL, {"device": device, "now": now})


def decide(tx: Tx, device: int, decision: Decision, user_id: int) -> bool:
    """Notes what a user has said, and returns whether nobody had yet."""
    return run(tx, _DECIDE, {"device": device, "said": decision.value, "user": user_id}) == 1


def remove(tx: Tx, device: int) -> None:
    """Deletes a device that waits no more."""
    run(tx, _DELETE, {"device": device})
