# SPDX-License-Identifier: Apache-2.0
"""What may be done with grants that were issued: seeing, counting and revoking them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.access.authorization import denied
from service.access.permissions import Permission
from service.access.scopes import allowed_by
from service.audit import rules as audit
from service.errors import NotFound, Reason
from service.grants import grant_queries as queries
from service.grants import parties, party_queries
from service.grants.access_rules import SHOWN_IN_AUDIT
from service.grants.grant_queries import Count, Selection, Totals
from service.grants.sight import NOBODY, Sight, scope_within, sight_of
from service.listing.listing import PageContext, Scope

if TYPE_CHECKING:
    from service.grants.grant_queries import StoredGrant
    from service.listing.listing import Page, PageQuery
    from service.work import Work


def get(work: Work, grant_id: int, needed: Permission = Permission.GRANTS_VIEW) -> StoredGrant:
    """Returns a live grant that the caller may do something with: anything with their own.

    Raises:
        PermissionDenied: the permission is missing.
        NotFound: there is no such grant for the caller.
    """
    caller = work.caller
    grant = queries.find(work.tx, grant_id, work.now)
    if grant is not None and grant.user_id == _own_of(work, needed):
        return grant
    if not caller.holds_anywhere(needed):
        raise denied(needed)
    missing = NotFound(Reason.GRANT_NOT_FOUND, f"there is no grant {grant_id}", metadata={"id": str(grant_id)})
    if grant is None:
        raise missing
    held = caller.holds(grant.organization, grant.application_number) | caller.holds(grant.user_organization)
    if held.isdisjoint(parties.OF_GRANTS):
        raise missing
    if needed not in held:
        raise denied(needed)
    return grant


def page(work: Work, organization_id: str, query: PageQuery) -> Page[StoredGrant]:
    """Returns a page of the live grants that the caller sees: for applications and to users of an organization.

    Raises:
        NotFound: there is no such organization for the caller.
        Invalid: the query is not one of this list.
    """
    seen = scope_within(work, organization_id, _sight(work, Permission.GRANTS_VIEW))
    scope = Scope(seen.clauses, {**seen.parameters, "now": work.now})
    context = PageContext(organization_id, str(work.caller.user_id))
    return queries.GRANTS.page(work.tx, work.keyring, query, scope=scope, context=context)


def count(work: Work, application_id: str, user_id: int) -> Count:
    """Counts the live grants that the caller sees of an application (empty: any) and a user (0: any)."""
    number = 0
    if application_id:
        application = party_queries.find_application(work.tx, application_id)
        if application is None:
            return Count(0, 0)
        number = application.number
    return queries.count(work.tx, Selection(work.now, _sight(work, Permission.GRANTS_VIEW), number, user_id))


def revoke(work: Work, grant_id: int) -> None:
    """Revokes a grant: its tokens are refused from now on. Its row stays for housekeeping.

    Raises:
        PermissionDenied: GRANTS_REVOKE is missing.
        NotFound: there is no such live grant for the caller.
    """
    grant = get(work, grant_id, Permission.GRANTS_REVOKE)
    queries.revoke(work.tx, grant.id, work.now)
    changes = {"application_number": grant.application_number, "user_id": grant.user_id}
    audit.record(work, "grant.revoke", f"grants/{grant.id}", grant.organization, changes)


def revoke_all(work: Work, application_id: str, user_id: int) -> int:
    """Revokes the grants of an application, of a user, or of the two together, where the caller may.

    They may be many: belongs into a sweep.

    Args:
        work: The unit of work.
        application_id: Id of the application; empty: any.
        user_id: The user; 0: any.

    Returns:
        How many there were.

    Raises:
        PermissionDenied: GRANTS_REVOKE is missing, or is held on single other applications only; and they are not the
            caller's own.
        NotFound: there is no such application or user for the caller.
    """
    needed = Permission.GRANTS_REVOKE
    sight = _sight(work, needed)
    if not work.caller.holds_anywhere(needed) and (not user_id or user_id != sight.own_of):
        raise denied(needed)
    number, organization, resource = 0, 0, ""
    if user_id:
        person = parties.known_person(work, user_id, needed)
        organization, resource = person.organization, f"users/{user_id}"
    if application_id:
        application = parties.known_application(work, application_id)
        number, organization = application.number, application.organization
        resource = f"applications/{number}"
    selection = Selection(work.now, sight, number, user_id)
    shown = queries.ids_of(work.tx, selection, SHOWN_IN_AUDIT)
    revoked = queries.revoke_all(work.tx, selection)
    # Of an application that one has nothing to say about, one's own grants may go; where there are none, it is refused.
    if not (revoked or user_id or sight.reaches(number)):
        raise denied(needed)
    if revoked:
        changes = {"user_id": user_id, "revoked": revoked, "grants": shown}
        audit.record(work, "grant.revoke_all", resource, organization, changes)
    return revoked


def totals(work: Work) -> Totals:
    """Counts what the caller's organization has; for who administers the server, what all have."""
    caller = work.caller
    everything = Permission.ADMINISTRATOR in caller.holds_on_server()
    return queries.totals(work.tx, 0 if everything else caller.organization, work.now)


def _sight(work: Work, needed: Permission) -> Sight:
    return sight_of(work.caller, needed, _own_of(work, needed))


def _own_of(work: Work, needed: Permission) -> int:
    """Returns whose grants are the caller's own. An access token reaches them only if its scopes say so."""
    caller = work.caller
    if caller.scopes is not None and needed not in allowed_by(caller.scopes):
        return NOBODY
    return caller.user_id
