# SPDX-License-Identifier: Apache-2.0
"""The two between whom access rules and grants are, an application and a user, and for whom they exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.access.authorization import Target, reaches
from service.access.permissions import Permission
from service.applications.targets import KNOWN_TO, application_not_found
from service.directory.targets import user_target
from service.directory.users import not_found as user_not_found
from service.grants import party_queries
from service.grants.sight import Sight, sight_of

if TYPE_CHECKING:
    from service.grants.party_queries import Application, Person
    from service.work import Work

OF_RULES: Final = frozenset({Permission.RULES_VIEW, Permission.RULES_MANAGE})
"""Permissions any of which makes the access rules of an application exist for whoever holds it there."""

OF_GRANTS: Final = frozenset({Permission.GRANTS_VIEW, Permission.GRANTS_REVOKE})
"""The same for grants."""

_OF_APPLICATIONS: Final = OF_RULES | OF_GRANTS | KNOWN_TO


def application_target(application: Application) -> Target:
    """Returns whom an application exists for: whoever does anything with it, its rules or its grants."""
    return Target(application.organization, reached_by=_OF_APPLICATIONS, application=application.number)


def known_application(work: Work, application_id: str) -> Application:
    """Returns an application that the caller sees, or that they have rules or grants of themselves.

    Raises:
        NotFound: there is none.
    """
    found = party_queries.find_application(work.tx, application_id)
    if found is None or not (
        reaches(work.caller, application_target(found))
        or party_queries.are_joined(work.tx, found.number, work.caller.user_id)
    ):
        raise application_not_found(application_id)
    return found


def known_person(work: Work, user_id: int, needed: Permission) -> Person:
    """Returns a user whom the caller knows.

    From the directory; from the organization, or that of the application, where they hold the permission; or from a
    rule or a grant that they see.

    Raises:
        NotFound: there is none.
    """
    found = party_queries.find_person(work.tx, user_id)
    if found is None or not (
        reaches(work.caller, user_target(found.id, found.organization))
        or _works_for(work, found, sight_of(work.caller, needed))
    ):
        raise user_not_found(user_id)
    return found


def _works_for(work: Work, person: Person, sight: Sight) -> bool:
    return (
        sight.everywhere
        or person.organization in sight.organizations
        or person.organization in party_queries.organizations_of(work.tx, sight.applications)
        or party_queries.is_seen_in(work.tx, person.id, sight)
    )
