# SPDX-License-Identifier: Apache-2.0
"""Every statement over organizations, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from sqlalchemy import bindparam, delete, exists, insert, or_, select, update

from service.applications.tables import ApplicationRow
from service.directory.tables import OrganizationRow, UserRow
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing
from service.profiles.tables import ProfileLinkRow, ProfileRow
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.storage.store import Tx


class StoredOrganization(Protocol):
    """An organization as it is read: its row."""

    number: int
    id: str
    display_name: str
    description: str
    disabled: bool
    created: int
    updated: int
    revision: int


_ORGANIZATIONS = table_of(OrganizationRow)
_MEMBERS = tuple(table_of(row) for row in (UserRow, ApplicationRow, ProfileRow, ProfileLinkRow))

_WHOLE = select(_ORGANIZATIONS)
_FIND = _WHOLE.where(_ORGANIZATIONS.c.number == bindparam("number"))
_FIND_BY_ID = _WHOLE.where(_ORGANIZATIONS.c.id == bindparam("id"))
_HAS_MEMBERS = select(
    or_(*(exists().where(table.c.organization == bindparam("number")).select_from(table) for table in _MEMBERS))
)
_INSERT = insert(_ORGANIZATIONS).returning(_ORGANIZATIONS.c.number)
_UPDATE = update(_ORGANIZATIONS).where(_ORGANIZATIONS.c.number == bindparam("organization"))
_DELETE = delete(_ORGANIZATIONS).where(_ORGANIZATIONS.c.number == bindparam("number"))

ORGANIZATIONS: Listing[StoredOrganization] = Listing(
    "organizations",
    _WHOLE,
    fields={
        "id": Field(_ORGANIZATIONS.c.id, Kind.TEXT),
        "number": Field(_ORGANIZATIONS.c.number, Kind.INTEGER),
        "display_name": Field(_ORGANIZATIONS.c.display_name, Kind.TEXT),
        "description": Field(_ORGANIZATIONS.c.description, Kind.TEXT),
        "disabled": Field(_ORGANIZATIONS.c.disabled, Kind.BOOLEAN),
        "create_time": Field(_ORGANIZATIONS.c.created, Kind.TIMESTAMP),
    },
    orderable=("number", "display_name", "create_time"),
    key="number",
    scopes={"visible": _ORGANIZATIONS.c.number.in_(bindparam("organizations", expanding=True))},
)


def find_organization(tx: Tx, number: int) -> StoredOrganization | None:
    """Returns an organization."""
    return cast("StoredOrganization | None", tx.execute(_FIND, {"number": number}).one_or_none())


def find_organization_by_id(tx: Tx, organization_id: str) -> StoredOrganization | None:
    """Returns an organization by its UUID, whose digits may be of either case."""
    return cast("StoredOrganization | None", tx.execute(_FIND_BY_ID, {"id": organization_id.lower()}).one_or_none())


def has_members(tx: Tx, number: int) -> bool:
    """Whether there are users, applications, profiles or links of an organization."""
    return bool(tx.execute(_HAS_MEMBERS, {"number": number}).scalar_one())


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """Inserts an organization and returns its number."""
    return int(tx.execute(_INSERT, values).scalar_one())


def change(tx: Tx, number: int, values: Mapping[str, object]) -> None:
    """Writes members of an organization."""
    tx.execute(_UPDATE, {"organization": number, **values})


def remove(tx: Tx, number: int) -> None:
    """Deletes an organization, which nothing may belong to any more."""
    tx.execute(_DELETE, {"number": number})
