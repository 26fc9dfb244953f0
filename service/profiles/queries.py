# SPDX-License-Identifier: Apache-2.0
"""Every statement over profiles, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, case, delete, func, insert, or_, select, union, update

from service.applications.tables import ApplicationRow
from service.directory.tables import OrganizationRow
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing
from service.profiles.tables import LinkKind, ProfileLinkRow, ProfileRow, TokenState
from service.storage.statements import many, one, run, scalar
from service.storage.tables import constant, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement

    from service.storage.store import Tx


class Kept:
    """What of a profile those are told by who watch it."""

    id: int
    organization: int
    owner_id: int
    creator_id: int
    token_state: int
    revision: int


class StoredProfile(Kept):
    """A profile as it is read: its row, what its application adds, and its links counted."""

    organization_id: str
    name: str
    description: str
    provider: str
    application_number: int
    client_id: str
    authorize_uri: str
    token_uri: str
    scope: str
    client_secret: bytes | None
    access_token: bytes | None
    refresh_token: bytes | None
    verification_token: bytes | None
    keep_fresh: bool
    token_expires: int
    token_scope: str
    token_refreshed: int
    token_next_try: int
    token_failures: int
    token_failure: str
    fence: int
    spent_refresh_digest: str | None
    created: int
    updated: int
    data_sources: int
    connections: int
    customers: int


_PROFILES = table_of(ProfileRow)
_APPLICATIONS = table_of(ApplicationRow)
_ORGANIZATIONS = table_of(OrganizationRow)
_LINKS = table_of(ProfileLinkRow)


def _links_of_kind(kind: LinkKind, name: str) -> ColumnElement[int]:
    count = select(func.count()).where(_LINKS.c.profile_id == _PROFILES.c.id, _LINKS.c.kind == constant(kind.value))
    return count.correlate(_PROFILES).scalar_subquery().label(name)


_STATE_PREFIX = "TOKEN_STATE_"
_APPLICATION = func.coalesce(_PROFILES.c.application_number, constant(0)).label("application_number")
_PROVIDER = case(
    (_PROFILES.c.application_number.is_(None), _PROFILES.c.provider), else_=_APPLICATIONS.c.provider
).label("provider")
_CLIENT_ID = case(
    (_PROFILES.c.application_number.is_(None), _PROFILES.c.client_id), else_=_APPLICATIONS.c.client_id
).label("client_id")
_WHOLE = (
    select(
        _PROFILES.c.id,
        _PROFILES.c.organization,
        _ORGANIZATIONS.c.id.label("organization_id"),
        _PROFILES.c.owner_id,
        _PROFILES.c.creator_id,
        _PROFILES.c.name,
        _PROFILES.c.description,
        _PROVIDER,
        _APPLICATION,
        _CLIENT_ID,
        func.coalesce(_APPLICATIONS.c.authorize_uri, constant("")).label("authorize_uri"),
        func.coalesce(_APPLICATIONS.c.token_uri, constant("")).label("token_uri"),
        func.coalesce(_APPLICATIONS.c.scope, constant("")).label("scope"),
        _PROFILES.c.client_secret,
        _PROFILES.c.access_token,
        _PROFILES.c.refresh_token,
        _PROFILES.c.verification_token,
        _PROFILES.c.keep_fresh,
        _PROFILES.c.token_state,
        _PROFILES.c.token_expires,
        _PROFILES.c.token_scope,
        _PROFILES.c.token_refreshed,
        _PROFILES.c.token_next_try,
        _PROFILES.c.token_failures,
        _PROFILES.c.token_failure,
        _PROFILES.c.fence,
        _PROFILES.c.spent_refresh_digest,
        _PROFILES.c.created,
        _PROFILES.c.updated,
        _PROFILES.c.revision,
        _links_of_kind(LinkKind.DATA_SOURCE, "data_sources"),
        _links_of_kind(LinkKind.CONNECTION, "connections"),
        _links_of_kind(LinkKind.CUSTOMER, "customers"),
    )
    .outerjoin(_ORGANIZATIONS, _ORGANIZATIONS.c.number == _PROFILES.c.organization)
    .outerjoin(_APPLICATIONS, _APPLICATIONS.c.number == _PROFILES.c.application_number)
)
_FIND = _WHOLE.where(_PROFILES.c.id == bindparam("id"))
_INSERT = insert(_PROFILES).returning(_PROFILES.c.id)
_UPDATE = update(_PROFILES).where(_PROFILES.c.id == bindparam("profile_id"))
_DELETE = delete(_PROFILES).where(_PROFILES.c.id == bindparam("id"))
_KEPT = select(*(_PROFILES.c[name] for name in Kept.__annotations__))
_OF_APPLICATION = _KEPT.where(_PROFILES.c.application_number == bindparam("number")).order_by(_PROFILES.c.id)
_COUNT_OF_APPLICATION = (
    select(func.count()).select_from(_PROFILES).where(_PROFILES.c.application_number == bindparam("number"))
)
_OF_OWNER = _KEPT.where(_PROFILES.c.owner_id == bindparam("owner_id")).order_by(_PROFILES.c.id)
_SOURCE = select(_APPLICATIONS.c.organization, _APPLICATIONS.c.kind).where(
    _APPLICATIONS.c.number == bindparam("number")
)
_FORGET_CREATOR = update(_PROFILES).where(_PROFILES.c.creator_id == bindparam("user_id")).values(creator_id=0)

# By their ids, from the indexes of the two columns, or a database might look through all of an organization for them.
_MINE = _PROFILES.alias("mine")
_OWN = _PROFILES.c.id.in_(
    union(
        select(_MINE.c.id).where(_MINE.c.owner_id == bindparam("caller")),
        select(_MINE.c.id).where(_MINE.c.creator_id == bindparam("caller")),
    )
)

PROFILES: Listing[StoredProfile] = Listing(
    "profiles",
    _WHOLE,
    fields={
        "id": Field(_PROFILES.c.id, Kind.INTEGER),
        "name": Field(_PROFILES.c.name, Kind.TEXT, has_trigrams=True),
        "description": Field(_PROFILES.c.description, Kind.TEXT),
        "provider": Field(_PROVIDER, Kind.TEXT),
        "application_number": Field(_APPLICATION, Kind.INTEGER),
        "client_id": Field(_CLIENT_ID, Kind.TEXT),
        "owner_id": Field(_PROFILES.c.owner_id, Kind.INTEGER),
        "creator_id": Field(_PROFILES.c.creator_id, Kind.INTEGER),
        "token_state": Field(
            _PROFILES.c.token_state,
            Kind.ENUM,
            names={f"{_STATE_PREFIX}{state.name}": state.value for state in TokenState},
            prefix=_STATE_PREFIX,
        ),
        "keep_fresh": Field(_PROFILES.c.keep_fresh, Kind.BOOLEAN),
        "create_time": Field(_PROFILES.c.created, Kind.TIMESTAMP),
        "update_time": Field(_PROFILES.c.updated, Kind.TIMESTAMP),
    },
    orderable=("id", "name", "provider", "create_time", "update_time"),
    key="id",
    scopes={
        "organization": _PROFILES.c.organization == bindparam("organization"),
        "own": _OWN,
        "visible": or_(_PROFILES.c.organization.in_(bindparam("organizations", expanding=True)), _OWN),
    },
)


def find(tx: Tx, profile_id: int) -> StoredProfile | None:
    """Returns a profile."""
    return one(tx, StoredProfile, _FIND, {"id": profile_id})


class Source:
    """What decides whether a profile may use an application."""

    organization: int
    kind: int


def find_source(tx: Tx, application_number: int) -> Source | None:
    """Returns the application that a profile wants to use."""
    return one(tx, Source, _SOURCE, {"number": application_number})


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """Inserts a profile and returns its id."""
    return int(scalar(tx, _INSERT, values))


def change(tx: Tx, profile_id: int, values: Mapping[str, object]) -> None:
    """Writes members of a profile."""
    run(tx, _UPDATE, {"profile_id": profile_id, **values})


def remove(tx: Tx, profile_id: int) -> None:
    """Deletes a profile, which nothing may refer to any more."""
    run(tx, _DELETE, {"id": profile_id})


def of_application(tx: Tx, number: int) -> list[Kept]:
    """Returns the profiles that use an application."""
    return many(tx, Kept, _OF_APPLICATION, {"number": number})


def count_of_application(tx: Tx, number: int) -> int:
    """Returns how many profiles use an application."""
    return int(tx.execute(_COUNT_OF_APPLICATION, {"number": number}).scalar_one())


def of_owner(tx: Tx, owner_id: int) -> list[Kept]:
    """Returns the profiles that a user owns."""
    return many(tx, Kept, _OF_OWNER, {"owner_id": owner_id})


def forget_creator(tx: Tx, user_id: int) -> None:
    """Takes a user who is deleted out of the profiles that they created for others."""
    run(tx, _FORGET_CREATOR, {"user_id": user_id})
