# SPDX-License-Identifier: Apache-2.0
"""What a caller sees of a list, by organization: the one rule of every List method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.access.authorization import Target, authorize, denied
from service.directory import queries
from service.errors import NotFound, Reason
from service.listing.listing import Scope

if TYPE_CHECKING:
    from service.access.permissions import Permission
    from service.work import Work

EVERY_ORGANIZATION: Final = "-"
"""Stands for all organizations in a List request (AIP-159)."""

ORGANIZATION: Final = "organization"
"""Name of the clause `organization = :organization`."""

OWN: Final = "own"
"""Name of the clause that is true of what belongs to user `:caller`."""

VISIBLE: Final = "visible"
"""Name of the clause `organization IN :organizations`, or what OWN says."""


_NOBODY: Final = -1
"""Id of no user. Nor of one who was deleted, which is 0."""


def scope_of(work: Work, organization_id: str, needed: Permission, wide: Permission) -> Scope:
    """Returns what of a list the caller sees.

    Args:
        work: The unit of work.
        organization_id: As in the request: an id, empty for the caller's own, or `-` for all.
        needed: What it takes to list at all.
        wide: What it takes to see more than one's own; the same as `needed` where nothing is one's own.

    Raises:
        PermissionDenied: `needed` is missing.
        NotFound: there is no such organization for the caller.
    """
    caller = work.caller
    if organization_id == EVERY_ORGANIZATION:
        if not caller.holds_anywhere(needed):
            raise denied(needed)
        if {needed, wide} <= caller.holds_on_server():
            return Scope()
        organizations = caller.organizations_where(needed, wide)
        if not caller.application:
            return Scope((VISIBLE,), {"organizations": organizations, "caller": caller.user_id})
        # What a client owns elsewhere is not for a token of this organization.
        if organizations:
            return Scope((VISIBLE,), {"organizations": organizations, "caller": _NOBODY})
        return scope_of(work, "", needed, wide)
    organization = number_of(work, organization_id) if organization_id else caller.organization
    # One's own organization is no secret.
    missing = None if organization == caller.organization else organization_not_found(organization_id)
    authorize(caller, needed, Target(organization, reached_by=frozenset({needed})) if organization else None, missing)
    if wide in caller.holds(organization):
        return Scope((ORGANIZATION,), {"organization": organization})
    return Scope((ORGANIZATION, OWN), {"organization": organization, "caller": caller.user_id})


def number_of(work: Work, organization_id: str) -> int:
    """Returns the number of an organization, 0 if there is none with this id."""
    found = queries.find_organization_by_id(work.tx, organization_id)
    return found.number if found else 0


def organization_not_found(organization_id: str | int) -> NotFound:
    """Returns the error that hides an organization, there or not."""
    return NotFound(
        Reason.ORGANIZATION_NOT_FOUND,
        f"there is no organization {organization_id}",
        metadata={"id": str(organization_id)},
    )
