# SPDX-License-Identifier: Apache-2.0
"""Every statement over memberships of client applications in organizations, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select, update

from service.applications.tables import ApplicationRow, ClientMembershipRow
from service.directory.tables import OrganizationRow
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing
from service.storage.statements import many, one, run, scalar
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.storage.store import Tx


class StoredMembership:
    """A membership as it is read: its row, and what it joins. `scopes` is JSON."""

    id: int
    application_number: int
    organization: int
    scopes: str
    created: int
    updated: int
    revision: int
    application_id: str
    application_name: str
    application_description: str
    application_organization_id: str
    application_organization_name: str
    organization_id: str


_MEMBERSHIPS = table_of(ClientMembershipRow)
_APPLICATIONS = table_of(ApplicationRow)
_ORGANIZATIONS = table_of(OrganizationRow)
_HOMES = _ORGANIZATIONS.alias("homes")

_APPLICATION_ID = _APPLICATIONS.c.id.label("application_id")
_APPLICATION_NAME = _APPLICATIONS.c.name.label("application_name")
_WHOLE = (
    select(
        *_MEMBERSHIPS.c,
        _APPLICATION_ID,
        _APPLICATION_NAME,
        _APPLICATIONS.c.description.label("application_description"),
        _HOMES.c.id.label("application_organization_id"),
        _HOMES.c.display_name.label("application_organization_name"),
        _ORGANIZATIONS.c.id.label("organization_id"),
    )
    .outerjoin(_APPLICATIONS, _APPLICATIONS.c.number == _MEMBERSHIPS.c.application_number)
    .outerjoin(_HOMES, _HOMES.c.number == _APPLICATIONS.c.organization)
    .outerjoin(_ORGANIZATIONS, _ORGANIZATIONS.c.number == _MEMBERSHIPS.c.organization)
)
_FIND = _WHOLE.where(
    _APPLICATIONS.c.id == bindparam("application_id"), _MEMBERSHIPS.c.organization == bindparam("organization")
)
_OF_APPLICATION = (
    select(_MEMBERSHIPS)
    .where(_MEMBERSHIPS.c.application_number == bindparam("number"))
    .order_by(_MEMBERSHIPS.c.organization)
)
_INSERT = insert(_MEMBERSHIPS).returning(_MEMBERSHIPS.c.id)
_UPDATE = update(_MEMBERSHIPS).where(_MEMBERSHIPS.c.id == bindparam("membership"))
_DELETE = delete(_MEMBERSHIPS).where(_MEMBERSHIPS.c.id == bindparam("id"))

MEMBERSHIPS: Listing[StoredMembership] = Listing(
    "client_memberships",
    _WHOLE,
    fields={
        "id": Field(_MEMBERSHIPS.c.id, Kind.INTEGER),
        "application_id": Field(_APPLICATION_ID.element, Kind.TEXT),
        "application_number": Field(_MEMBERSHIPS.c.application_number, Kind.INTEGER),
        "application_name": Field(_APPLICATION_NAME.element, Kind.TEXT),
        "create_time": Field(_MEMBERSHIPS.c.created, Kind.TIMESTAMP),
        "update_time": Field(_MEMBERSHIPS.c.updated, Kind.TIMESTAMP),
    },
    orderable=("id", "application_id", "application_name", "create_time", "update_time"),
    key="id",
    scopes={
        "organization": _MEMBERSHIPS.c.organization == bindparam("organization"),
        "visible": _MEMBERSHIPS.c.organization.in_(bindparam("organizations", expanding=True)),
    },
)


def find(tx: Tx, application_id: str, organization: int) -> StoredMembership | None:
    """Returns the membership of an application, by its id, in an organization."""
    return one(tx, StoredMembership, _FIND, {"application_id": application_id, "organization": organization})


def of_application(tx: Tx, number: int) -> list[ClientMembershipRow]:
    """Returns the memberships of an application, by organization."""
    return many(tx, ClientMembershipRow, _OF_APPLICATION, {"number": number})


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """Inserts a membership and returns its id."""
    return int(scalar(tx, _INSERT, values))


def change(tx: Tx, membership_id: int, values: Mapping[str, object]) -> None:
    """Writes members of a membership."""
    run(tx, _UPDATE, {"membership": membership_id, **values})


def remove(tx: Tx, membership_id: int) -> None:
    """Deletes a membership."""
    run(tx, _DELETE, {"id": membership_id})
