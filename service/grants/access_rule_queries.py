# SPDX-License-Identifier: Apache-2.0
"""Every statement over access rules, built once."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, bindparam, delete, false, func, insert, or_, select, true, update

from service.applications.tables import ApplicationRow
from service.directory.tables import UserRow
from service.grants.tables import AccessRuleRow
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing
from service.storage.statements import one, run, scalar
from service.storage.tables import constant, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Select

    from service.grants.sight import Sight
    from service.storage.store import Tx


class StoredAccessRule:
    """An access rule as it is read: its row, and the names of what it joins. `allowed_scopes` is JSON."""

    id: int
    application_number: int
    user_id: int
    allowed_scopes: str
    description: str
    access_token_lifetime: int
    grant_lifetime: int
    renewable: bool | None
    created: int
    updated: int
    revision: int
    application_id: str
    organization: int
    username: str


_RULES = table_of(AccessRuleRow)
_APPLICATIONS = table_of(ApplicationRow)
_USERS = table_of(UserRow)

_MICROSECONDS: Final = constant(1_000_000)
_APPLICATION_ID = _APPLICATIONS.c.id.label("application_id")
_USERNAME = _USERS.c.username.label("username")
_WHOLE = (
    select(*_RULES.c, _APPLICATION_ID, _APPLICATIONS.c.organization, _USERNAME)
    .outerjoin(_APPLICATIONS, _APPLICATIONS.c.number == _RULES.c.application_number)
    .outerjoin(_USERS, _USERS.c.id == _RULES.c.user_id)
)
_FIND = _WHOLE.where(_RULES.c.id == bindparam("id"))
_FIND_PAIR = _WHOLE.where(
    _RULES.c.application_number == bindparam("application"), _RULES.c.user_id == bindparam("user")
)
_FIND_NAMED_PAIR = _WHOLE.where(_APPLICATIONS.c.id == bindparam("application"), _RULES.c.user_id == bindparam("user"))
_INSERT = insert(_RULES).returning(_RULES.c.id)
_UPDATE = update(_RULES).where(_RULES.c.id == bindparam("rule_id"))
_DELETE = delete(_RULES).where(_RULES.c.id == bindparam("id"))

# Where the permission is held for whole organizations, or for single applications.
_VISIBLE = or_(
    _APPLICATIONS.c.organization.in_(bindparam("organizations", expanding=True)),
    _RULES.c.application_number.in_(bindparam("applications", expanding=True)),
)

ACCESS_RULES: Listing[StoredAccessRule] = Listing(
    "access_rules",
    _WHOLE,
    fields={
        "id": Field(_RULES.c.id, Kind.INTEGER),
        "application_id": Field(_APPLICATION_ID.element, Kind.TEXT),
        "application_number": Field(_RULES.c.application_number, Kind.INTEGER),
        "user_id": Field(_RULES.c.user_id, Kind.INTEGER),
        "username": Field(_USERNAME.element, Kind.TEXT),
        "description": Field(_RULES.c.description, Kind.TEXT),
        "access_token_lifetime": Field(_RULES.c.access_token_lifetime // _MICROSECONDS, Kind.INTEGER),
        "grant_lifetime": Field(_RULES.c.grant_lifetime // _MICROSECONDS, Kind.INTEGER),
        "renewable": Field(func.coalesce(_RULES.c.renewable, false()), Kind.BOOLEAN),
        "create_time": Field(_RULES.c.created, Kind.TIMESTAMP),
        "update_time": Field(_RULES.c.updated, Kind.TIMESTAMP),
    },
    orderable=("id", "application_id", "user_id", "username", "create_time", "update_time"),
    only_ordered={
        "access_token_lifetime": Field(_RULES.c.access_token_lifetime, Kind.INTEGER),
        "grant_lifetime": Field(_RULES.c.grant_lifetime, Kind.INTEGER),
    },
    key="id",
    scopes={
        "organization": _APPLICATIONS.c.organization == bindparam("organization"),
        "visible": _VISIBLE,
    },
    scattered=("organization", "visible"),
)


def find(tx: Tx, rule_id: int) -> StoredAccessRule | None:
    """Returns an access rule."""
    return one(tx, StoredAccessRule, _FIND, {"id": rule_id})


def find_pair(tx: Tx, application_number: int, user_id: int) -> StoredAccessRule | None:
    """Returns the access rule that joins an application, by its number, and a user."""
    return one(tx, StoredAccessRule, _FIND_PAIR, {"application": application_number, "user": user_id})


def find_named_pair(tx: Tx, application_id: str, user_id: int) -> StoredAccessRule | None:
    """Returns the access rule that joins an application, by its id, and a user."""
    return one(tx, StoredAccessRule, _FIND_NAMED_PAIR, {"application": application_id, "user": user_id})


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """Inserts an access rule and returns its id."""
    return int(scalar(tx, _INSERT, values))


def change(tx: Tx, rule_id: int, values: Mapping[str, object]) -> None:
    """Writes members of an access rule."""
    run(tx, _UPDATE, {"rule_id": rule_id, **values})


def remove(tx: Tx, rule_id: int) -> None:
    """Deletes an access rule."""
    run(tx, _DELETE, {"id": rule_id})


def ids_of(tx: Tx, application_number: int, user_id: int, sight: Sight, most: int) -> list[int]:
    """Returns the first access rules of an application and a user (0: of any) that are within sight."""
    selected = _selected(bool(application_number), bool(user_id), sight.everywhere).order_by(_RULES.c.id)
    parameters = {"application": application_number, "user": user_id, "most": most, **sight.parameters}
    return list(tx.execute(selected.limit(bindparam("most")), parameters).scalars())


def remove_of(tx: Tx, application_number: int, user_id: int, sight: Sight) -> int:
    """Deletes the access rules of an application and a user (0: of any) within sight; returns how many there were."""
    selected = _selected(bool(application_number), bool(user_id), sight.everywhere)
    parameters = {"application": application_number, "user": user_id, **sight.parameters}
    return tx.execute(delete(_RULES).where(_RULES.c.id.in_(selected)), parameters).rowcount


@lru_cache
def _selected(by_application: bool, by_user: bool, everywhere: bool) -> Select[Any]:  # noqa: FBT001 - a key
    conditions: list[ColumnElement[bool]] = [true() if everywhere else _VISIBLE]
    if by_application:
        conditions.append(_RULES.c.application_number == bindparam("application"))
    if by_user:
        conditions.append(_RULES.c.user_id == bindparam("user"))
    of_applications = _APPLICATIONS.c.number == _RULES.c.application_number
    return select(_RULES.c.id).join(_APPLICATIONS, of_applications).where(*conditions)
