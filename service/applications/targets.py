# SPDX-License-Identifier: Apache-2.0
"""Whom applications exist for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.access.authorization import Target
from service.access.permissions import Permission
from service.errors import NotFound, Reason, Violation

if TYPE_CHECKING:
    from service.applications.queries import StoredApplication

KNOWN_TO: Final = frozenset(
    {Permission.APPLICATIONS_VIEW, Permission.APPLICATIONS_MANAGE, Permission.APPLICATIONS_UPDATE}
)
"""Permissions any of which makes the applications of an organization exist for whoever holds it there."""


def application_target(application: StoredApplication) -> Target:
    """Returns whom an application exists for: whoever does anything with it, or with all of its organization."""
    return Target(application.organization, reached_by=KNOWN_TO, application=application.number)


def application_not_found(key: str | int, *violations: Violation) -> NotFound:
    """Returns the error that hides an application, there or not.

    Args:
        key: Its id or number.
        violations: The members of the request that name it, where it is not the one that is asked for.
    """
    return NotFound(
        Reason.APPLICATION_NOT_FOUND,
        f"there is no application {key}",
        metadata={"id": str(key)},
        violations=violations,
    )
