# SPDX-License-Identifier: Apache-2.0
"""Where a caller holds a permission, and so which access rules, grants and mappings they see in a list.

What belongs to applications is seen on the server, in whole organizations, or on single applications.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from service.directory.scopes import (
    EVERY_ORGANIZATION,
    ORGANIZATION,
    OWN,
    VISIBLE,
    number_of,
    organization_not_found,
)
from service.grants import party_queries
from service.listing.listing import Scope

if TYPE_CHECKING:
    from service.access.caller import Caller
    from service.access.permissions import Permission
    from service.work import Work

NOBODY: Final = 0
"""Id of no user."""


class Sight(NamedTuple):
    """Where a permission is held, and whose own things are seen as well.

    Attributes:
        everywhere: Whether it is held on the server.
        organizations: Numbers of the organizations where it is held.
        applications: Numbers of the single applications on which it is held.
        own_of: Id of the user whose own are seen; NOBODY: nobody's.
    """

    everywhere: bool
    organizations: tuple[int, ...]
    applications: tuple[int, ...]
    own_of: int = NOBODY

    @property
    def only_own(self) -> bool:
        """Whether nothing is seen but one's own."""
        return not (self.everywhere or self.organizations or self.applications)

    @property
    def parameters(self) -> dict[str, Any]:
        """Values of the parameters in clauses that select what is seen; none where all is."""
        if self.everywhere:
            return {}
        return {"organizations": self.organizations, "applications": self.applications, "caller": self.own_of}

    def reaches(self, application: int) -> bool:
        """Whether grants for an application can be within sight: by it, or by the organizations of their users."""
        return bool(self.everywhere or self.organizations or application in self.applications)


def sight_of(caller: Caller, needed: Permission, own_of: int = NOBODY) -> Sight:
    """Returns where the caller holds a permission."""
    return Sight(
        everywhere=needed in caller.holds_on_server(),
        organizations=tuple(caller.organizations_where(needed)),
        applications=tuple(caller.applications_where(needed)),
        own_of=own_of,
    )


def scope_within(work: Work, organization_id: str, sight: Sight) -> Scope:
    """Returns what of a list is within sight.

    Args:
        work: The unit of work.
        organization_id: As in a List request: an id, empty for the caller's own, or `-` for all.
        sight: What the caller sees.

    Raises:
        NotFound: there is no such organization for the caller.
    """
    seen = () if sight.everywhere else (OWN if sight.only_own else VISIBLE,)
    if organization_id == EVERY_ORGANIZATION:
        return Scope(seen, sight.parameters)
    own = work.caller.organization
    organization = number_of(work, organization_id) if organization_id else own
    if organization != own and not _knows(work, organization, sight):
        raise organization_not_found(organization_id)
    clauses = (ORGANIZATION,) if organization in sight.organizations else (ORGANIZATION, *seen)
    return Scope(clauses, {**sight.parameters, "organization": organization})


def _knows(work: Work, organization: int, sight: Sight) -> bool:
    """Whether an organization (0: none) exists for a caller: because of what they see in it."""
    if not organization:
        return False
    if sight.everywhere or organization in sight.organizations:
        return True
    return organization in party_queries.organizations_of(work.tx, sight.applications)
