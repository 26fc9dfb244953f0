# SPDX-License-Identifier: Apache-2.0
"""Every statement over applications and their secrets, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, cast

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from service.access.caller import PlaceKind
from service.applications.tables import ApplicationKind, ApplicationRow, ApplicationSecretRow
from service.directory.tables import OrganizationRow, RoleBindingRow
from service.grants.tables import AccessRuleRow, GrantRow
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing
from service.storage.statements import one
from service.storage.tables import constant, table_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from service.storage.store import Tx


class PlainApplication(Protocol):
    """An application as who hands out tokens reads it: its row. Lists are JSON."""

    number: int
    id: str
    organization: int
    organization_id: str
    owner_id: int
    kind: int
    name: str
    description: str
    provider: str
    authorize_uri: str
    token_uri: str
    scope: str
    client_id: str
    client_secret: bytes | None
    vendor: str
    uri: str
    required_scopes: str
    allowed_scopes: str
    grant_types: str
    redirect_uris: str
    access_token_lifetime: int
    grant_lifetime: int
    renewable: bool | None
    owner_only_secret_rotation: bool
    secret_rotation_lifetime: int | None
    client_authentication: int
    revocation_uri: str
    rotates_refresh_tokens: bool | None
    assumed_token_lifetime: int
    created: int
    updated: int
    revision: int


class StoredApplication(PlainApplication, Protocol):
    """An application as its owner reads it: also with what is known of its secrets, those that have ended too."""

    secret_count: int
    secret_last_used: int


_APPLICATIONS = table_of(ApplicationRow)
_SECRETS = table_of(ApplicationSecretRow)
_ORGANIZATIONS = table_of(OrganizationRow)
_BINDINGS = table_of(RoleBindingRow)
_RULES = table_of(AccessRuleRow)
_GRANTS = table_of(GrantRow)

_SECRET_COUNT = (
    select(func.count())
    .where(_SECRETS.c.application_number == _APPLICATIONS.c.number)
    .correlate(_APPLICATIONS)
    .scalar_subquery()
    .label("secret_count")
)
_SECRET_LAST_USED = (
    select(func.coalesce(func.max(_SECRETS.c.last_used), constant(0)))
    .where(_SECRETS.c.application_number == _APPLICATIONS.c.number)
    .correlate(_APPLICATIONS)
    .scalar_subquery()
    .label("secret_last_used")
)
_PLAIN = select(_APPLICATIONS, _ORGANIZATIONS.c.id.label("organization_id")).outerjoin(
    _ORGANIZATIONS, _ORGANIZATIONS.c.number == _APPLICATIONS.c.organization
)
_WHOLE = _PLAIN.add_columns(_SECRET_COUNT, _SECRET_LAST_USED)
_FIND_BY_NUMBER = _WHOLE.where(_APPLICATIONS.c.number == bindparam("key"))
_FIND_BY_ID = _WHOLE.where(_APPLICATIONS.c.id == bindparam("key"))
_NUMBER_OF = select(_APPLICATIONS.c.number).where(_APPLICATIONS.c.id == bindparam("id"))
_ORGANIZATIONS_OF = (
    select(_APPLICATIONS.c.organization)
    .where(_APPLICATIONS.c.number.in_(bindparam("applications", expanding=True)))
    .distinct()
)
_INSERT = insert(_APPLICATIONS).returning(_APPLICATIONS.c.number)
_UPDATE = update(_APPLICATIONS).where(_APPLICATIONS.c.number == bindparam("application"))
_DELETE = delete(_APPLICATIONS).where(_APPLICATIONS.c.number == bindparam("number"))
_UNBIND = delete(_BINDINGS).where(
    _BINDINGS.c.place_kind == PlaceKind.APPLICATION.value, _BINDINGS.c.place_number == bindparam("number")
)
_COUNT_RULES = select(func.count()).where(_RULES.c.application_number == bindparam("number"))
_COUNT_GRANTS = select(func.count()).where(_GRANTS.c.application_number == bindparam("number"))
CLIENT: Final = _PLAIN.where(
    _APPLICATIONS.c.id == bindparam("key"), _APPLICATIONS.c.kind == constant(ApplicationKind.CLIENT.value)
)
"""Selects a client application by its id, the parameter `key`, as a `PlainApplication`."""

_FORGET_OWNER = update(_APPLICATIONS).where(_APPLICATIONS.c.owner_id == bindparam("user_id")).values(owner_id=0)

# Roles can be bound to single applications: to whom they give the right to view, these are their own.
_OWN = _APPLICATIONS.c.number.in_(bindparam("applications", expanding=True))

APPLICATIONS: Listing[StoredApplication] = Listing(
    "applications",
    _WHOLE,
    fields={
        "id": Field(_APPLICATIONS.c.id, Kind.TEXT, has_trigrams=True),
        "number": Field(_APPLICATIONS.c.number, Kind.INTEGER),
        "kind": Field(
            _APPLICATIONS.c.kind, Kind.ENUM, names={kind.name.lower(): kind.value for kind in ApplicationKind}
        ),
        "name": Field(_APPLICATIONS.c.name, Kind.TEXT, has_trigrams=True),
        "description": Field(_APPLICATIONS.c.description, Kind.TEXT),
        "vendor": Field(_APPLICATIONS.c.vendor, Kind.TEXT),
        "provider": Field(_APPLICATIONS.c.provider, Kind.TEXT),
        "client_id": Field(_APPLICATIONS.c.client_id, Kind.TEXT),
        "owner_id": Field(_APPLICATIONS.c.owner_id, Kind.INTEGER),
        "create_time": Field(_APPLICATIONS.c.created, Kind.TIMESTAMP),
        "update_time": Field(_APPLICATIONS.c.updated, Kind.TIMESTAMP),
    },
    orderable=("number", "id", "name", "vendor", "provider", "create_time", "update_time"),
    key="number",
    only_ordered={"access_token_lifetime": Field(_APPLICATIONS.c.access_token_lifetime, Kind.INTEGER)},
    scopes={
        "organization": _APPLICATIONS.c.organization == bindparam("organization"),
        "own": _OWN,
        "visible": or_(_APPLICATIONS.c.organization.in_(bindparam("organizations", expanding=True)), _OWN),
    },
)


def find(tx: Tx, key: str | int) -> StoredApplication | None:
    """Returns an application by its id or its number."""
    statement = _FIND_BY_ID if isinstance(key, str) else _FIND_BY_NUMBER
    return cast("StoredApplication | None", tx.execute(statement, {"key": key}).one_or_none())


def find_client(tx: Tx, client_id: str) -> PlainApplication | None:
    """Returns a client application by its id."""
    return cast("PlainApplication | None", one(tx, object, CLIENT, {"key": client_id}))


def is_taken(tx: Tx, application_id: str) -> bool:
    """Whether an application has this id."""
    return tx.execute(_NUMBER_OF, {"id": application_id}).first() is not None


def organizations_of(tx: Tx, applications: Collection[int]) -> set[int]:
    """Returns the organizations that applications belong to."""
    return set(tx.execute(_ORGANIZATIONS_OF, {"applications": list(applications)}).scalars())


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """Inserts an application and returns its number."""
    return int(tx.execute(_INSERT, values).scalar_one())


def change(tx: Tx, number: int, values: Mapping[str, object]) -> None:
    """Writes members of an application."""
    tx.execute(_UPDATE, {"application": number, **values})


def remove(tx: Tx, number: int) -> None:
    """Deletes an application, which no profile may use any more, with its secrets, access rules and grants."""
    tx.execute(_DELETE, {"number": number})


def count_of_client(tx: Tx, number: int) -> dict[str, int]:
    """Returns how many access rules and grants go with an application, under the names that the audit trail uses."""
    return {
        "access_rules_deleted": tx.execute(_COUNT_RULES, {"number": number}).scalar_one(),
        "grants_deleted": tx.execute(_COUNT_GRANTS, {"number": number}).scalar_one(),
    }


def unbind(tx: Tx, number: int) -> int:
    """Removes the role bindings on an application, and returns how many there were."""
    return tx.execute(_UNBIND, {"number": number}).rowcount


def forget_owner(tx: Tx, user_id: int) -> None:
    """Takes a user who is deleted out of the applications that they own."""
    tx.execute(_FORGET_OWNER, {"user_id": user_id})
