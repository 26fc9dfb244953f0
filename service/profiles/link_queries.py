# SPDX-License-Identifier: Apache-2.0
"""Every statement over profile links, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlalchemy import bindparam, delete, func, insert, or_, select, union, update

from service.directory.tables import OrganizationRow
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing
from service.profiles.tables import LinkKind, ProfileLinkRow, ProfileRow
from service.storage.statements import one, run, scalar
from service.storage.tables import constant, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.storage.store import Tx


class StoredLink:
    """A link as it is read: its row, and who owns and created its profile (0 where it has none)."""

    id: int
    organization: int
    organization_id: str
    creator_id: int
    kind: int
    profile_id: int
    external_id: str
    name: str
    description: str
    provider: str
    attributes: str
    created: int
    updated: int
    revision: int
    profile_owner_id: int
    profile_creator_id: int


_LINKS = table_of(ProfileLinkRow)
_PROFILES = table_of(ProfileRow)
_ORGANIZATIONS = table_of(OrganizationRow)

_KIND_PREFIX = "LINK_KIND_"
_PROFILE_ID = func.coalesce(_LINKS.c.profile_id, constant(0)).label("profile_id")
_WHOLE = (
    select(
        *(_PROFILE_ID if column.name == "profile_id" else column for column in _LINKS.c),
        _ORGANIZATIONS.c.id.label("organization_id"),
        func.coalesce(_PROFILES.c.owner_id, constant(0)).label("profile_owner_id"),
        func.coalesce(_PROFILES.c.creator_id, constant(0)).label("profile_creator_id"),
    )
    .outerjoin(_ORGANIZATIONS, _ORGANIZATIONS.c.number == _LINKS.c.organization)
    .outerjoin(_PROFILES, _PROFILES.c.id == _LINKS.c.profile_id)
)
_FIND = _WHOLE.where(_LINKS.c.id == bindparam("id"))
_TWIN = select(_LINKS.c.id).where(
    _LINKS.c.kind == bindparam("kind"),
    _LINKS.c.profile_id == bindparam("profile_id"),
    _LINKS.c.external_id == bindparam("external_id"),
)
_INSERT = insert(_LINKS).returning(_LINKS.c.id)
_UPDATE = update(_LINKS).where(_LINKS.c.id == bindparam("link_id"))
_DELETE = delete(_LINKS).where(_LINKS.c.id == bindparam("id"))
_UNBIND = (
    update(_LINKS)
    .where(_LINKS.c.profile_id == bindparam("profile"), _LINKS.c.kind != LinkKind.CUSTOMER.value)
    .values(profile_id=None, updated=bindparam("now"), revision=_LINKS.c.revision + 1)
)
_UNASSIGN = delete(_LINKS).where(_LINKS.c.profile_id == bindparam("profile"), _LINKS.c.kind == LinkKind.CUSTOMER.value)
_FORGET_CREATOR = update(_LINKS).where(_LINKS.c.creator_id == bindparam("user_id")).values(creator_id=0)

# By their ids, from the indexes of the three columns; see those of profiles.
_MINE = _LINKS.alias("mine")
_OF_MY_PROFILES = select(_MINE.c.id).join(_PROFILES, _PROFILES.c.id == _MINE.c.profile_id)
_OWN = _LINKS.c.id.in_(
    union(
        select(_MINE.c.id).where(_MINE.c.creator_id == bindparam("caller")),
        _OF_MY_PROFILES.where(_PROFILES.c.owner_id == bindparam("caller")).correlate(None),
        _OF_MY_PROFILES.where(_PROFILES.c.creator_id == bindparam("caller")).correlate(None),
    )
)

LINKS: Listing[StoredLink] = Listing(
    "profile_links",
    _WHOLE,
    fields={
        "id": Field(_LINKS.c.id, Kind.INTEGER),
        "kind": Field(
            _LINKS.c.kind,
            Kind.ENUM,
            names={f"{_KIND_PREFIX}{kind.name}": kind.value for kind in LinkKind},
            prefix=_KIND_PREFIX,
        ),
        "profile_id": Field(_PROFILE_ID, Kind.INTEGER),
        "external_id": Field(_LINKS.c.external_id, Kind.TEXT),
        "name": Field(_LINKS.c.name, Kind.TEXT),
        "provider": Field(_LINKS.c.provider, Kind.TEXT),
        "create_time": Field(_LINKS.c.created, Kind.TIMESTAMP),
        "update_time": Field(_LINKS.c.updated, Kind.TIMESTAMP),
    },
    orderable=("id", "name", "create_time", "update_time"),
    key="id",
    scopes={
        "organization": _LINKS.c.organization == bindparam("organization"),
        "own": _OWN,
        "visible": or_(_LINKS.c.organization.in_(bindparam("organizations", expanding=True)), _OWN),
    },
)


def find(tx: Tx, link_id: int) -> StoredLink | None:
    """Returns a link."""
    return one(tx, StoredLink, _FIND, {"id": link_id})


def find_twin(tx: Tx, kind: int, profile_id: int, external_id: str) -> int | None:
    """Returns the id of the link of a thing to a profile."""
    parameters = {"kind": kind, "profile_id": profile_id, "external_id": external_id}
    return cast("int | None", scalar(tx, _TWIN, parameters))


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """Inserts a link and returns its id."""
    return int(scalar(tx, _INSERT, values))


def change(tx: Tx, link_id: int, values: Mapping[str, object]) -> None:
    """Writes members of a link."""
    run(tx, _UPDATE, {"link_id": link_id, **values})


def remove(tx: Tx, link_id: int) -> None:
    """Deletes a link."""
    run(tx, _DELETE, {"id": link_id})


def unbind(tx: Tx, profile_id: int, now: int) -> int:
    """Takes a profile away from everything but customers, and returns how many there were."""
    return run(tx, _UNBIND, {"profile": profile_id, "now": now})


def unassign(tx: Tx, profile_id: int) -> int:
    """Takes a profile away from its customers, and returns how many there were."""
    return run(tx, _UNASSIGN, {"profile": profile_id})


def forget_creator(tx: Tx, user_id: int) -> None:
    """Takes a user who is deleted out of the links that they created."""
    run(tx, _FORGET_CREATOR, {"user_id": user_id})
