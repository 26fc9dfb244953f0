# SPDX-License-Identifier: Apache-2.0
"""Every statement over role bindings, and over the applications that they can be for, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select

from service.access.caller import Place, PlaceKind
from service.applications.tables import ApplicationRow
from service.directory.tables import OrganizationRow, RoleBindingRow, RoleRow, UserRow
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing
from service.storage.statements import many
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from service.storage.store import Tx


class StoredBinding(Protocol):
    """A binding as it is read: its row, what its role allows, and where its user and its place belong.

    `place_organization` is 0 on the server; `organization_id` and `application_id` are empty where the place is
    something else.
    """

    id: int
    user_id: int
    role_id: int
    place_kind: int
    place_number: int
    created: int
    permissions: str
    user_organization: int
    place_organization: int
    organization_id: str
    application_id: str


class ApplicationPlace(Protocol):
    """An application as a place of bindings."""

    number: int
    organization: int


_BINDINGS = table_of(RoleBindingRow)
_USERS = table_of(UserRow)
_ROLES = table_of(RoleRow)
_ORGANIZATIONS = table_of(OrganizationRow)
_APPLICATIONS = table_of(ApplicationRow)

_PLACE_ORGANIZATION = func.coalesce(_ORGANIZATIONS.c.number, _APPLICATIONS.c.organization, 0)

_WHOLE = (
    select(
        *_BINDINGS.c,
        _ROLES.c.permissions,
        _USERS.c.organization.label("user_organization"),
        _PLACE_ORGANIZATION.label("place_organization"),
        func.coalesce(_ORGANIZATIONS.c.id, "").label("organization_id"),
        func.coalesce(_APPLICATIONS.c.id, "").label("application_id"),
    )
    .outerjoin(_USERS, _USERS.c.id == _BINDINGS.c.user_id)
    .outerjoin(_ROLES, _ROLES.c.id == _BINDINGS.c.role_id)
    .outerjoin(
        _ORGANIZATIONS,
        and_(
            _BINDINGS.c.place_kind == PlaceKind.ORGANIZATION.value,
            _ORGANIZATIONS.c.number == _BINDINGS.c.place_number,
        ),
    )
    .outerjoin(
        _APPLICATIONS,
        and_(
            _BINDINGS.c.place_kind == PlaceKind.APPLICATION.value,
            _APPLICATIONS.c.number == _BINDINGS.c.place_number,
        ),
    )
)
# What somebody who binds roles sees: bindings in whole organizations, and on single applications.
_BOUND_BY_CALLER = or_(
    _PLACE_ORGANIZATION.in_(bindparam("binding_organizations", expanding=True)),
    and_(
        _BINDINGS.c.place_kind == PlaceKind.APPLICATION.value,
        _BINDINGS.c.place_number.in_(bindparam("applications", expanding=True)),
    ),
)
_IN_PLACE = and_(_BINDINGS.c.place_kind == bindparam("kind"), _BINDINGS.c.place_number == bindparam("number"))
_FIND = _WHOLE.where(_BINDINGS.c.id == bindparam("id"))
_OF_USER = _WHOLE.where(_BINDINGS.c.user_id == bindparam("user")).order_by(_BINDINGS.c.id)
_TWIN = select(_BINDINGS.c.id).where(
    _BINDINGS.c.user_id == bindparam("user"), _BINDINGS.c.role_id == bindparam("role"), _IN_PLACE
)
_PLACES_OF_ROLE = (
    select(_BINDINGS.c.place_kind, _BINDINGS.c.place_number)
    .where(_BINDINGS.c.role_id == bindparam("role"))
    .distinct()
    .order_by(_BINDINGS.c.place_kind, _BINDINGS.c.place_number)
)
_BOUND_TO_ROLE = select(_BINDINGS.c.user_id).where(_BINDINGS.c.role_id == bindparam("role")).distinct()
_USERS_OF_ROLE = (
    select(_BINDINGS.c.user_id).where(_BINDINGS.c.role_id == bindparam("role"), _IN_PLACE).order_by(_BINDINGS.c.user_id)
)
_ROLES_AT_HOME = (
    select(_BINDINGS.c.user_id, _BINDINGS.c.role_id)
    .join(_USERS, _USERS.c.id == _BINDINGS.c.user_id)
    .where(
        _BINDINGS.c.user_id.in_(bindparam("users", expanding=True)),
        _BINDINGS.c.place_kind == PlaceKind.ORGANIZATION.value,
        _BINDINGS.c.place_number == _USERS.c.organization,
    )
    .order_by(_BINDINGS.c.role_id)
)
_INSERT = insert(_BINDINGS).returning(_BINDINGS.c.id)
_INSERT_MANY = insert(_BINDINGS)
_DELETE = delete(_BINDINGS).where(_BINDINGS.c.id == bindparam("id"))
_DELETE_MANY = delete(_BINDINGS).where(
    _BINDINGS.c.user_id.in_(bindparam("users", expanding=True)),
    _BINDINGS.c.role_id.in_(bindparam("roles", expanding=True)),
    _IN_PLACE,
)
_DELETE_OF_PLACE = delete(_BINDINGS).where(_IN_PLACE)
_APPLICATION = select(_APPLICATIONS.c.number, _APPLICATIONS.c.organization)
_APPLICATION_BY_ID = _APPLICATION.where(_APPLICATIONS.c.id == bindparam("id"))
_APPLICATION_BY_NUMBER = _APPLICATION.where(_APPLICATIONS.c.number == bindparam("number"))
_ORGANIZATIONS_OF_APPLICATIONS = (
    select(_APPLICATIONS.c.organization)
    .where(_APPLICATIONS.c.number.in_(bindparam("applications", expanding=True)))
    .distinct()
)

BINDINGS: Listing[StoredBinding] = Listing(
    "role_bindings",
    _WHOLE,
    fields={
        "id": Field(_BINDINGS.c.id, Kind.INTEGER),
        "user_id": Field(_BINDINGS.c.user_id, Kind.INTEGER),
        "role_id": Field(_BINDINGS.c.role_id, Kind.INTEGER),
        "create_time": Field(_BINDINGS.c.created, Kind.TIMESTAMP),
    },
    orderable=("id", "create_time"),
    key="id",
    scopes={
        "organization": _USERS.c.organization == bindparam("organization"),
        "own": _BOUND_BY_CALLER,
        "visible": or_(_USERS.c.organization.in_(bindparam("organizations", expanding=True)), _BOUND_BY_CALLER),
    },
)


def find(tx: Tx, binding_id: int) -> StoredBinding | None:
    """Returns a binding."""
    return cast("StoredBinding | None", tx.execute(_FIND, {"id": binding_id}).one_or_none())


def of_user(tx: Tx, user_id: int) -> list[StoredBinding]:
    """Returns all bindings of a user, in the order in which they were made."""
    return cast("list[StoredBinding]", many(tx, object, _OF_USER, {"user": user_id}))


def find_twin(tx: Tx, user_id: int, role_id: int, place: Place) -> int | None:
    """Returns the id of the binding of a role to a user in a place."""
    parameters = {"user": user_id, "role": role_id, **_place(place)}
    return cast("int | None", tx.execute(_TWIN, parameters).scalar_one_or_none())


def places_of_role(tx: Tx, role_id: int) -> list[Place]:
    """Returns where a role is bound to anybody."""
    return [Place(PlaceKind(kind), number) for kind, number in tx.execute(_PLACES_OF_ROLE, {"role": role_id})]


def bound_to_role(tx: Tx, role_id: int) -> list[int]:
    """Returns the users who have a role anywhere."""
    return list(tx.execute(_BOUND_TO_ROLE, {"role": role_id}).scalars())


def users_of_role(tx: Tx, role_id: int, place: Place) -> list[int]:
    """Returns the users who have a role in a place, ascending."""
    return list(tx.execute(_USERS_OF_ROLE, {"role": role_id, **_place(place)}).scalars())


def roles_at_home(tx: Tx, user_ids: Collection[int]) -> dict[int, list[int]]:
    """Returns the roles of each of these users in their own organization, ascending."""
    found: dict[int, list[int]] = {user_id: [] for user_id in user_ids}
    if found:
        for user_id, role_id in tx.execute(_ROLES_AT_HOME, {"users": list(found)}):
            found[user_id].append(role_id)
    return found


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """Inserts a binding and returns its id."""
    return int(tx.execute(_INSERT, values).scalar_one())


def add_many(tx: Tx, rows: Sequence[Mapping[str, object]]) -> None:
    """Inserts bindings."""
    if rows:
        tx.execute(_INSERT_MANY, rows)


def remove(tx: Tx, binding_id: int) -> None:
    """Deletes a binding."""
    tx.execute(_DELETE, {"id": binding_id})


def remove_many(tx: Tx, user_ids: Collection[int], role_ids: Collection[int], place: Place) -> None:
    """Deletes the bindings of any of these roles to any of these users in a place."""
    if user_ids and role_ids:
        tx.execute(_DELETE_MANY, {"users": list(user_ids), "roles": list(role_ids), **_place(place)})


def remove_of_place(tx: Tx, place: Place) -> None:
    """Deletes every binding in a place."""
    tx.execute(_DELETE_OF_PLACE, _place(place))


def find_application(tx: Tx, application_id: str) -> ApplicationPlace | None:
    """Returns an application by its id."""
    return cast("ApplicationPlace | None", tx.execute(_APPLICATION_BY_ID, {"id": application_id}).one_or_none())


def find_application_by_number(tx: Tx, number: int) -> ApplicationPlace | None:
    """Returns an application by its number."""
    return cast("ApplicationPlace | None", tx.execute(_APPLICATION_BY_NUMBER, {"number": number}).one_or_none())


def organizations_of_applications(tx: Tx, numbers: Collection[int]) -> set[int]:
    """Returns the organizations that applications belong to."""
    return set(tx.execute(_ORGANIZATIONS_OF_APPLICATIONS, {"applications": list(numbers)}).scalars())


def _place(place: Place) -> dict[str, int]:
    return {"kind": place.kind.value, "number": place.number}
