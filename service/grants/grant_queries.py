# SPDX-License-Identifier: Apache-2.0
"""Every statement over grants that were issued, built once. A grant is live until it expires or is revoked."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, true, update

from service.applications.tables import ApplicationKind, ApplicationRow
from service.directory.tables import UserRow
from service.grants.tables import AccessRuleRow, GrantRow, GrantType
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing
from service.storage.statements import one, run
from service.storage.tables import constant, table_of

if TYPE_CHECKING:
    from sqlalchemy import Select

    from service.grants.sight import Sight
    from service.storage.store import Tx


class StoredGrant:
    """A grant as it is read, without its tokens: and the names of the application and the user."""

    id: int
    application_number: int
    user_id: int
    grant_type: int
    scopes: str
    renewable: bool
    access_token_issued: int
    access_token_expires: int
    issued: int
    expires: int
    application_id: str
    organization: int
    username: str
    user_organization: int


class Selection(NamedTuple):
    """Some of the grants that are live.

    Attributes:
        now: When, epoch microseconds.
        sight: Whose.
        application_number: Of which application; 0: of any.
        user_id: Of which user; 0: of any.
    """

    now: int
    sight: Sight
    application_number: int = 0
    user_id: int = 0


class Count(NamedTuple):
    """How many grants, and how many users have them."""

    grants: int
    users: int


class Totals(NamedTuple):
    """How much there is of what."""

    applications: int
    access_rules: int
    grants: int


_GRANTS = table_of(GrantRow)
_RULES = table_of(AccessRuleRow)
_APPLICATIONS = table_of(ApplicationRow)
_USERS = table_of(UserRow)

_GRANT_TYPE_PREFIX = "GRANT_TYPE_"
_APPLICATION_ID = _APPLICATIONS.c.id.label("application_id")
_USERNAME = _USERS.c.username.label("username")
_LIVE = and_(_GRANTS.c.revoked == constant(0), _GRANTS.c.expires > bindparam("now"))
_WHOLE = (
    select(
        _GRANTS.c.id,
        _GRANTS.c.application_number,
        _GRANTS.c.user_id,
        _GRANTS.c.grant_type,
        _GRANTS.c.scopes,
        _GRANTS.c.renewable,
        _GRANTS.c.access_token_issued,
        _GRANTS.c.access_token_expires,
        _GRANTS.c.issued,
        _GRANTS.c.expires,
        _APPLICATION_ID,
        _APPLICATIONS.c.organization,
        _USERNAME,
        _USERS.c.organization.label("user_organization"),
    )
    .outerjoin(_APPLICATIONS, _APPLICATIONS.c.number == _GRANTS.c.application_number)
    .outerjoin(_USERS, _USERS.c.id == _GRANTS.c.user_id)
    .where(_LIVE)
)
_FIND = _WHOLE.where(_GRANTS.c.id == bindparam("id"))
_REVOKE = update(_GRANTS).where(_GRANTS.c.id == bindparam("grant_id")).values(revoked=bindparam("now"))


def _of_organizations(condition: Any) -> ColumnElement[bool]:
    """Grants for the applications, or to the users, of organizations: by columns of their own, which have indexes."""
    applications = select(_APPLICATIONS.c.number).where(condition(_APPLICATIONS.c.organization))
    users = select(_USERS.c.id).where(condition(_USERS.c.organization))
    return or_(_GRANTS.c.application_number.in_(applications), _GRANTS.c.user_id.in_(users))


_OWN = _GRANTS.c.user_id == bindparam("caller")
_VISIBLE = or_(
    _OWN,
    _GRANTS.c.application_number.in_(bindparam("applications", expanding=True)),
    _of_organizations(lambda organization: organization.in_(bindparam("organizations", expanding=True))),
)

GRANTS: Listing[StoredGrant] = Listing(
    "grants",
    _WHOLE,
    fields={
        "id": Field(_GRANTS.c.id, Kind.INTEGER),
        "application_id": Field(_APPLICATION_ID.element, Kind.TEXT),
        "application_number": Field(_GRANTS.c.application_number, Kind.INTEGER),
        "user_id": Field(_GRANTS.c.user_id, Kind.INTEGER),
        "username": Field(_USERNAME.element, Kind.TEXT),
        "grant_type": Field(
            _GRANTS.c.grant_type,
            Kind.ENUM,
            names={f"{_GRANT_TYPE_PREFIX}{kind.name}": kind.value for kind in GrantType},
            prefix=_GRANT_TYPE_PREFIX,
        ),
        "renewable": Field(_GRANTS.c.renewable, Kind.BOOLEAN),
        "issue_time": Field(_GRANTS.c.issued, Kind.TIMESTAMP),
        "access_token_issue_time": Field(_GRANTS.c.access_token_issued, Kind.TIMESTAMP),
        "access_token_expire_time": Field(_GRANTS.c.access_token_expires, Kind.TIMESTAMP),
        "expire_time": Field(_GRANTS.c.expires, Kind.TIMESTAMP),
    },
    orderable=(
        "id",
        "application_id",
        "user_id",
        "username",
        "issue_time",
        "access_token_issue_time",
        "access_token_expire_time",
        "expire_time",
    ),
    key="id",
    scopes={
        "organization": _of_organizations(lambda organization: organization == bindparam("organization")),
        "own": _OWN,
        "visible": _VISIBLE,
    },
    scattered=("organization", "visible"),
)


def find(tx: Tx, grant_id: int, now: int) -> StoredGrant | None:
    """Returns a grant that is live."""
    return one(tx, StoredGrant, _FIND, {"id": grant_id, "now": now})


def revoke(tx: Tx, grant_id: int, now: int) -> None:
    """Revokes a grant."""
    run(tx, _REVOKE, {"grant_id": grant_id, "now": now})


def count(tx: Tx, selection: Selection) -> Count:
    """Counts grants, and the users who have them."""
    counted = select(func.count(), func.count(_GRANTS.c.user_id.distinct())).select_from(_GRANTS)
    found = tx.execute(counted.where(*_conditions(*_key(selection))), _parameters(selection)).one()
    return Count(*found)


def ids_of(tx: Tx, selection: Selection, most: int) -> list[int]:
    """Returns the first grants of a selection."""
    selected = select(_GRANTS.c.id).where(*_conditions(*_key(selection))).order_by(_GRANTS.c.id)
    return list(tx.execute(selected.limit(bindparam("most")), {**_parameters(selection), "most": most}).scalars())


def revoke_all(tx: Tx, selection: Selection) -> int:
    """Revokes grants, and returns how many there were."""
    statement = update(_GRANTS).where(*_conditions(*_key(selection))).values(revoked=bindparam("now"))
    return tx.execute(statement, _parameters(selection)).rowcount


def totals(tx: Tx, organization: int, now: int) -> Totals:
    """Counts client applications, their access rules and their live grants, of an organization (0: of all)."""
    return Totals(*tx.execute(_totals(bool(organization)), {"organization": organization, "now": now}).one())


def _key(selection: Selection) -> tuple[bool, bool, bool, bool]:
    sight = selection.sight
    return bool(selection.application_number), bool(selection.user_id), sight.everywhere, sight.only_own


@lru_cache
def _conditions(
    by_application: bool,  # noqa: FBT001 - a key
    by_user: bool,  # noqa: FBT001
    everywhere: bool,  # noqa: FBT001
    only_own: bool,  # noqa: FBT001
) -> tuple[ColumnElement[bool], ...]:
    seen = true() if everywhere else _OWN if only_own else _VISIBLE
    conditions: list[ColumnElement[bool]] = [_LIVE, seen]
    if by_application:
        conditions.append(_GRANTS.c.application_number == bindparam("application"))
    if by_user:
        conditions.append(_GRANTS.c.user_id == bindparam("user"))
    return tuple(conditions)


def _parameters(selection: Selection) -> dict[str, Any]:
    which = {"application": selection.application_number, "user": selection.user_id}
    return {**selection.sight.parameters, **which, "now": selection.now}


@lru_cache
def _totals(of_organization: bool) -> Select[Any]:  # noqa: FBT001 - a key
    clients = select(_APPLICATIONS.c.number).where(_APPLICATIONS.c.kind == constant(ApplicationKind.CLIENT.value))
    if of_organization:
        clients = clients.where(_APPLICATIONS.c.organization == bindparam("organization"))
    return select(
        select(func.count()).select_from(clients.subquery()).scalar_subquery(),
        select(func.count()).where(_RULES.c.application_number.in_(clients)).scalar_subquery(),
        select(func.count()).where(_LIVE, _GRANTS.c.application_number.in_(clients)).scalar_subquery(),
    )
