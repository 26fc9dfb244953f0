# SPDX-License-Identifier: Apache-2.0
"""Every statement over JWT mappings, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, func, insert, select, update

from service.directory.tables import OrganizationRow, UserRow
from service.grants.tables import JwtMappingRow
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing
from service.storage.statements import many, one, run, scalar
from service.storage.tables import constant, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.storage.store import Tx


class StoredJwtMapping:
    """A JWT mapping as it is read: its row, and names. `user_id` is 0 and `username` empty where a claim names them."""

    id: int
    organization: int
    organization_id: str
    name: str
    issuer_uri: str
    purpose_field: str
    purpose_match: str
    id_field: str
    id_match: str
    user_id: int
    username: str
    created: int
    updated: int
    revision: int


_MAPPINGS = table_of(JwtMappingRow)
_USERS = table_of(UserRow)
_ORGANIZATIONS = table_of(OrganizationRow)

_USER_ID = func.coalesce(_MAPPINGS.c.user_id, constant(0)).label("user_id")
_WHOLE = (
    select(
        *(_USER_ID if column.name == "user_id" else column for column in _MAPPINGS.c),
        _ORGANIZATIONS.c.id.label("organization_id"),
        func.coalesce(_USERS.c.username, constant("")).label("username"),
    )
    .outerjoin(_ORGANIZATIONS, _ORGANIZATIONS.c.number == _MAPPINGS.c.organization)
    .outerjoin(_USERS, _USERS.c.id == _MAPPINGS.c.user_id)
)
_FIND = _WHOLE.where(_MAPPINGS.c.organization == bindparam("organization"), _MAPPINGS.c.name == bindparam("name"))
_OF_ISSUER = _WHOLE.where(
    _MAPPINGS.c.organization == bindparam("organization"), _MAPPINGS.c.issuer_uri == bindparam("issuer_uri")
).order_by(_MAPPINGS.c.id)
_INSERT = insert(_MAPPINGS).returning(_MAPPINGS.c.id)
_UPDATE = update(_MAPPINGS).where(_MAPPINGS.c.id == bindparam("mapping_id"))
_DELETE = delete(_MAPPINGS).where(_MAPPINGS.c.id == bindparam("id"))

JWT_MAPPINGS: Listing[StoredJwtMapping] = Listing(
    "jwt_mappings",
    _WHOLE,
    fields={
        "id": Field(_MAPPINGS.c.id, Kind.INTEGER),
        "name": Field(_MAPPINGS.c.name, Kind.TEXT),
        "issuer_uri": Field(_MAPPINGS.c.issuer_uri, Kind.TEXT),
        "user_id": Field(_USER_ID.element, Kind.INTEGER),
        "create_time": Field(_MAPPINGS.c.created, Kind.TIMESTAMP),
        "update_time": Field(_MAPPINGS.c.updated, Kind.TIMESTAMP),
    },
    orderable=("id", "name", "issuer_uri", "create_time", "update_time"),
    key="id",
    scopes={
        "organization": _MAPPINGS.c.organization == bindparam("organization"),
        "visible": _MAPPINGS.c.organization.in_(bindparam("organizations", expanding=True)),
    },
)


def find(tx: Tx, organization: int, name: str) -> StoredJwtMapping | None:
    """Returns a mapping of an organization by its name."""
    return one(tx, StoredJwtMapping, _FIND, {"organization": organization, "name": name})


def of_issuer(tx: Tx, organization: int, issuer_uri: str) -> list[StoredJwtMapping]:
    """Returns the mappings of an organization for the JWTs of an issuer, oldest first."""
    return many(tx, StoredJwtMapping, _OF_ISSUER, {"organization": organization, "issuer_uri": issuer_uri})


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """Inserts a mapping and returns its id."""
    return int(scalar(tx, _INSERT, values))


def change(tx: Tx, mapping_id: int, values: Mapping[str, object]) -> None:
    """Writes members of a mapping."""
    run(tx, _UPDATE, {"mapping_id": mapping_id, **values})


def remove(tx: Tx, mapping_id: int) -> None:
    """Deletes a mapping."""
    run(tx, _DELETE, {"id": mapping_id})
