# SPDX-License-Identifier: Apache-2.0
"""Every statement over users, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from sqlalchemy import and_, bindparam, delete, exists, insert, not_, or_, select, update

from service.access.caller import SYSTEM, PlaceKind
from service.access.permissions import Permission
from service.directory.tables import OrganizationRow, RoleBindingRow, RoleRow, UserRow
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing
from service.storage.statements import scalar
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement

    from service.storage.store import Tx


class StoredUser(Protocol):
    """A user as they are read: their row, and the id of their organization."""

    id: int
    organization: int
    organization_id: str
    username: str
    display_name: str
    email: str
    password_digest: str
    password_expires: int
    credential_revision: int
    disabled: bool
    locked: bool
    permissions: str
    created: int
    updated: int
    revision: int


_USERS = table_of(UserRow)
_ORGANIZATIONS = table_of(OrganizationRow)
_BINDINGS = table_of(RoleBindingRow)
_ROLES = table_of(RoleRow)


def _administers(permissions: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether stored permissions have ADMINISTRATOR, which is the first of all and the start of no other."""
    return permissions.startswith(Permission.ADMINISTRATOR.name)


_WHOLE = select(*_USERS.c, _ORGANIZATIONS.c.id.label("organization_id")).outerjoin(
    _ORGANIZATIONS, _ORGANIZATIONS.c.number == _USERS.c.organization
)
_PEOPLE = _WHOLE.where(_USERS.c.application_number.is_(None))
_FIND = _PEOPLE.where(_USERS.c.id == bindparam("id"))
_FIND_ANYBODY = _WHOLE.where(_USERS.c.id == bindparam("id"))
_FIND_BY_USERNAME = _PEOPLE.where(_USERS.c.username == bindparam("username"))
_FIND_MANY = _PEOPLE.where(_USERS.c.id.in_(bindparam("ids", expanding=True)))
_ID_OF_CLIENT = select(_USERS.c.id).where(_USERS.c.application_number == bindparam("number"))
_INSERT = insert(_USERS).returning(_USERS.c.id)
_UPDATE = update(_USERS).where(_USERS.c.id == bindparam("user_id"))
_TOUCH = (
    update(_USERS)
    .where(_USERS.c.id.in_(bindparam("ids", expanding=True)))
    .values(updated=bindparam("now"), revision=_USERS.c.revision + 1)
)
_DELETE = delete(_USERS).where(_USERS.c.id == bindparam("id"))

_ACTIVE = and_(
    _ORGANIZATIONS.c.number == _USERS.c.organization,
    not_(_USERS.c.disabled),
    not_(_USERS.c.locked),
    not_(_ORGANIZATIONS.c.disabled),
)
_ADMINISTRATOR_BY_ROLE = exists().where(
    _ACTIVE,
    _BINDINGS.c.user_id == _USERS.c.id,
    _BINDINGS.c.role_id == _ROLES.c.id,
    _administers(_ROLES.c.permissions),
    or_(
        _BINDINGS.c.place_kind == PlaceKind.SERVER.value,
        and_(_BINDINGS.c.place_kind == PlaceKind.ORGANIZATION.value, _BINDINGS.c.place_number == SYSTEM),
    ),
)
_ADMINISTRATOR_DIRECTLY = exists().where(_ACTIVE, _USERS.c.organization == SYSTEM, _administers(_USERS.c.permissions))
_HAS_ADMINISTRATOR = select(or_(_ADMINISTRATOR_BY_ROLE, _ADMINISTRATOR_DIRECTLY))

_OWN = _USERS.c.id == bindparam("caller")

USERS: Listing[StoredUser] = Listing(
    "users",
    _PEOPLE,
    fields={
        "id": Field(_USERS.c.id, Kind.INTEGER),
        "username": Field(_USERS.c.username, Kind.TEXT),
        "display_name": Field(_USERS.c.display_name, Kind.TEXT),
        "email": Field(_USERS.c.email, Kind.TEXT),
        "disabled": Field(_USERS.c.disabled, Kind.BOOLEAN),
        "locked": Field(_USERS.c.locked, Kind.BOOLEAN),
        "create_time": Field(_USERS.c.created, Kind.TIMESTAMP),
        "update_time": Field(_USERS.c.updated, Kind.TIMESTAMP),
    },
    orderable=("id", "username", "create_time", "update_time"),
    key="id",
    scopes={
        "organization": _USERS.c.organization == bindparam("organization"),
        "own": _OWN,
        "visible": or_(_USERS.c.organization.in_(bindparam("organizations", expanding=True)), _OWN),
    },
)


def find(tx: Tx, user_id: int) -> StoredUser | None:
    """Returns a user who is a person."""
    return cast("StoredUser | None", tx.execute(_FIND, {"id": user_id}).one_or_none())


def find_anybody(tx: Tx, user_id: int) -> StoredUser | None:
    """Returns a user, who may be a client application."""
    return cast("StoredUser | None", tx.execute(_FIND_ANYBODY, {"id": user_id}).one_or_none())


def id_of_client(tx: Tx, application_number: int) -> int:
    """Returns the id of the user that a client application is, 0 if it is none."""
    return cast("int", scalar(tx, _ID_OF_CLIENT, {"number": application_number}) or 0)


def find_by_username(tx: Tx, username: str) -> StoredUser | None:
    """Returns a person by name."""
    return cast("StoredUser | None", tx.execute(_FIND_BY_USERNAME, {"username": username}).one_or_none())


def find_many(tx: Tx, user_ids: Collection[int]) -> Sequence[StoredUser]:
    """Returns those of the users who exist, and are people."""
    return cast("Sequence[StoredUser]", tx.execute(_FIND_MANY, {"ids": list(user_ids)}).all()) if user_ids else ()


def has_administrator(tx: Tx) -> bool:
    """Whether anybody who can log in administers the server."""
    return bool(tx.execute(_HAS_ADMINISTRATOR).scalar_one())


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """Inserts a user and returns their id."""
    return int(tx.execute(_INSERT, values).scalar_one())


def change(tx: Tx, user_id: int, values: Mapping[str, object]) -> None:
    """Writes members of a user."""
    tx.execute(_UPDATE, {"user_id": user_id, **values})


def touch(tx: Tx, user_ids: Collection[int], now: int) -> None:
    """Makes a new revision of users whose roles have changed."""
    if user_ids:
        tx.execute(_TOUCH, {"ids": list(user_ids), "now": now})


def remove(tx: Tx, user_id: int) -> None:
    """Deletes a user, with their bindings and API tokens."""
    tx.execute(_DELETE, {"id": user_id})
