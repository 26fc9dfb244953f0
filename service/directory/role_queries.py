# SPDX-License-Identifier: Apache-2.0
"""Every statement over roles, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from sqlalchemy import bindparam, delete, insert, or_, select, update

from service.access.caller import SYSTEM
from service.directory.tables import OrganizationRow, RoleRow
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from service.storage.store import Tx


class StoredRole(Protocol):
    """A role as it is read: its row, and the id of its organization."""

    id: int
    organization: int
    organization_id: str
    name: str
    description: str
    permissions: str
    built_in: bool
    created: int
    updated: int
    revision: int


_ROLES = table_of(RoleRow)
_ORGANIZATIONS = table_of(OrganizationRow)

_WHOLE = select(*_ROLES.c, _ORGANIZATIONS.c.id.label("organization_id")).outerjoin(
    _ORGANIZATIONS, _ORGANIZATIONS.c.number == _ROLES.c.organization
)
_FIND = _WHOLE.where(_ROLES.c.id == bindparam("id"))
_FIND_MANY = _WHOLE.where(_ROLES.c.id.in_(bindparam("ids", expanding=True)))
_OF_ORGANIZATIONS = (
    select(_ROLES.c.organization, _ROLES.c.id)
    .where(_ROLES.c.organization.in_(bindparam("organizations", expanding=True)))
    .order_by(_ROLES.c.id)
)
_INSERT = insert(_ROLES).returning(_ROLES.c.id)
_UPDATE = update(_ROLES).where(_ROLES.c.id == bindparam("role_id"))
_DELETE = delete(_ROLES).where(_ROLES.c.id == bindparam("id"))
_DELETE_OF_ORGANIZATION = delete(_ROLES).where(_ROLES.c.organization == bindparam("number"))

ROLES: Listing[StoredRole] = Listing(
    "roles",
    _WHOLE,
    fields={
        "id": Field(_ROLES.c.id, Kind.INTEGER),
        "name": Field(_ROLES.c.name, Kind.TEXT),
        "description": Field(_ROLES.c.description, Kind.TEXT),
        "built_in": Field(_ROLES.c.built_in, Kind.BOOLEAN),
        "create_time": Field(_ROLES.c.created, Kind.TIMESTAMP),
        "update_time": Field(_ROLES.c.updated, Kind.TIMESTAMP),
    },
    orderable=("id", "name", "create_time", "update_time"),
    key="id",
    scopes={
        "organization": _ROLES.c.organization == bindparam("organization"),
        # The roles of the first organization are there for all.
        "visible": or_(
            _ROLES.c.organization.in_(bindparam("organizations", expanding=True)), _ROLES.c.organization == SYSTEM
        ),
    },
)


def find(tx: Tx, role_id: int) -> StoredRole | None:
    """Returns a role."""
    return cast("StoredRole | None", tx.execute(_FIND, {"id": role_id}).one_or_none())


def find_many(tx: Tx, role_ids: Collection[int]) -> dict[int, StoredRole]:
    """Returns those of the roles that exist, by id."""
    if not role_ids:
        return {}
    rows = cast("Sequence[StoredRole]", tx.execute(_FIND_MANY, {"ids": list(role_ids)}).all())
    return {role.id: role for role in rows}


def ids_of_organizations(tx: Tx, numbers: Collection[int]) -> dict[int, list[int]]:
    """Returns the ids of the roles of each of these organizations, ascending."""
    found: dict[int, list[int]] = {number: [] for number in numbers}
    if found:
        for organization, role_id in tx.execute(_OF_ORGANIZATIONS, {"organizations": list(found)}):
            found[organization].append(role_id)
    return found


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """Inserts a role and returns its id."""
    return int(tx.execute(_INSERT, values).scalar_one())


def change(tx: Tx, role_id: int, values: Mapping[str, object]) -> None:
    """Writes members of a role."""
    tx.execute(_UPDATE, {"role_id": role_id, **values})


def remove(tx: Tx, role_id: int) -> None:
    """Deletes a role with its bindings."""
    tx.execute(_DELETE, {"id": role_id})


def remove_of_organization(tx: Tx, number: int) -> None:
    """Deletes the roles of an organization with their bindings."""
    tx.execute(_DELETE_OF_ORGANIZATION, {"number": number})
