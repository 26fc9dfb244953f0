# SPDX-License-Identifier: Apache-2.0
"""Every statement that finds the applications and users between whom rules and grants are, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, exists, or_, select

from service.applications.tables import ApplicationRow
from service.directory.tables import UserRow
from service.grants.tables import AccessRuleRow, GrantRow
from service.storage.statements import one, scalar
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Exists, Table

    from service.grants.sight import Sight
    from service.storage.store import Tx


class Application:
    """An application that rules and grants can be for."""

    number: int
    id: str
    organization: int
    kind: int


class Person:
    """A user whom rules and grants can be for."""

    id: int
    username: str
    organization: int


_APPLICATIONS = table_of(ApplicationRow)
_USERS = table_of(UserRow)
_RULES = table_of(AccessRuleRow)
_GRANTS = table_of(GrantRow)

_APPLICATION = select(
    _APPLICATIONS.c.number, _APPLICATIONS.c.id, _APPLICATIONS.c.organization, _APPLICATIONS.c.kind
).where(_APPLICATIONS.c.id == bindparam("id"))
_PERSON = select(_USERS.c.id, _USERS.c.username, _USERS.c.organization).where(
    _USERS.c.id == bindparam("id"), _USERS.c.application_number.is_(None)
)
_ORGANIZATIONS_OF = (
    select(_APPLICATIONS.c.organization)
    .where(_APPLICATIONS.c.number.in_(bindparam("applications", expanding=True)))
    .distinct()
)


def _joined(table: Table) -> Exists:
    return exists().where(table.c.application_number == bindparam("application"), table.c.user_id == bindparam("user"))


def _seen_of_user(table: Table) -> Exists:
    return exists().where(
        table.c.user_id == bindparam("user"),
        table.c.application_number == _APPLICATIONS.c.number,
        or_(
            _APPLICATIONS.c.organization.in_(bindparam("organizations", expanding=True)),
            _APPLICATIONS.c.number.in_(bindparam("applications", expanding=True)),
        ),
    )


_JOINED = select(or_(_joined(_RULES), _joined(_GRANTS)))
_SEEN_OF_USER = select(or_(_seen_of_user(_RULES), _seen_of_user(_GRANTS)))


def find_application(tx: Tx, application_id: str) -> Application | None:
    """Returns an application by its id."""
    return one(tx, Application, _APPLICATION, {"id": application_id})


def find_person(tx: Tx, user_id: int) -> Person | None:
    """Returns a user who is a person."""
    return one(tx, Person, _PERSON, {"id": user_id})


def organizations_of(tx: Tx, applications: Collection[int]) -> set[int]:
    """Returns the organizations that applications belong to."""
    return set(tx.execute(_ORGANIZATIONS_OF, {"applications": list(applications)}).scalars()) if applications else set()


def are_joined(tx: Tx, application_number: int, user_id: int) -> bool:
    """Whether an application and a user have a rule or a grant, whatever became of it."""
    return bool(scalar(tx, _JOINED, {"application": application_number, "user": user_id}))


def is_seen_in(tx: Tx, user_id: int, sight: Sight) -> bool:
    """Whether a user has a rule or a grant for an application within sight."""
    parameters = {"user": user_id, "organizations": sight.organizations, "applications": sight.applications}
    return bool(tx.execute(_SEEN_OF_USER, parameters).scalar_one())
