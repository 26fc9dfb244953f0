# SPDX-License-Identifier: Apache-2.0
"""What a caller sees of the list of role bindings: those of users whom they view, and those in places where they bind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.access.permissions import Permission
from service.directory import binding_queries, scopes
from service.directory.scopes import EVERY_ORGANIZATION, ORGANIZATION, OWN, VISIBLE, number_of
from service.listing.listing import Scope

if TYPE_CHECKING:
    from service.work import Work

_VIEW: Final = Permission.USERS_VIEW
_BIND: Final = Permission.ROLES_BIND


def scope_of(work: Work, organization_id: str) -> Scope:
    """Returns what of the bindings of an organization's users the caller sees.

    Args:
        work: The unit of work.
        organization_id: As in the request: an id, empty for the caller's own, or `-` for all.

    Raises:
        PermissionDenied: USERS_VIEW is missing, and ROLES_BIND too.
        NotFound: there is no such organization for the caller.
    """
    caller = work.caller
    if not caller.holds_anywhere(_BIND):
        scope = scopes.scope_of(work, organization_id, _VIEW, _VIEW)
        return Scope(scope.clauses, {**scope.parameters, "binding_organizations": [], "applications": []})
    everywhere = not caller.holds_on_server().isdisjoint({_VIEW, _BIND})
    bound = {
        "binding_organizations": caller.organizations_where(_BIND),
        "applications": caller.applications_where(_BIND),
    }
    if organization_id == EVERY_ORGANIZATION:
        return (
            Scope() if everywhere else Scope((VISIBLE,), {"organizations": caller.organizations_where(_VIEW), **bound})
        )
    organization = number_of(work, organization_id) if organization_id else caller.organization
    if not organization:
        raise scopes.organization_not_found(organization_id)
    if everywhere or _VIEW in caller.holds(organization):
        return Scope((ORGANIZATION,), {"organization": organization})
    known = {caller.organization, *bound["binding_organizations"]}
    if organization not in known | binding_queries.organizations_of_applications(work.tx, bound["applications"]):
        raise scopes.organization_not_found(organization_id)
    return Scope((ORGANIZATION, OWN), {"organization": organization, **bound})
