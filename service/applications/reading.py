# SPDX-License-Identifier: Apache-2.0
"""Which applications exist for whom: the way to one that every rule about applications goes, and their list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.access.authorization import authorize
from service.access.permissions import Permission
from service.applications import queries
from service.applications.tables import ApplicationKind
from service.applications.targets import application_not_found, application_target
from service.directory.scopes import EVERY_ORGANIZATION, ORGANIZATION, OWN, number_of, scope_of
from service.errors import FailedPrecondition, Reason
from service.listing.listing import PageContext, Scope

if TYPE_CHECKING:
    from service.applications.queries import StoredApplication
    from service.listing.listing import Page, PageQuery
    from service.work import Work


def get(
    work: Work,
    key: str | int,
    needed: Permission = Permission.APPLICATIONS_VIEW,
    *,
    instead: Permission | None = None,
) -> StoredApplication:
    """Returns an application, by id or number, that the caller may do something with.

    Args:
        work: The unit of work.
        key: Its id or number.
        needed: What it takes.
        instead: What is as good.

    Raises:
        PermissionDenied: the permission is missing.
        NotFound: there is no such application for the caller.
    """
    application = queries.find(work.tx, key)
    missing = application_not_found(key)
    authorize(work.caller, needed, application_target(application) if application else None, missing, instead=instead)
    if application is None:
        raise missing
    return application


def page(work: Work, organization_id: str, query: PageQuery) -> Page[StoredApplication]:
    """Returns a page of the applications that the caller may view.

    Args:
        work: The unit of work.
        organization_id: See `scope_of`.
        query: The members of a List request.

    Raises:
        PermissionDenied: APPLICATIONS_VIEW is missing.
        NotFound: there is no such organization for the caller.
        Invalid: the query is not one of this list.
    """
    context = PageContext(organization_id, str(work.caller.user_id))
    scope = _scope(work, organization_id)
    return queries.APPLICATIONS.page(work.tx, work.keyring, query, scope=scope, context=context)


def require_client(application: StoredApplication) -> None:
    """Lets nothing but a client application pass.

    Raises:
        FailedPrecondition: it is of the other kind.
    """
    if application.kind != ApplicationKind.CLIENT:
        raise wrong_kind(application)


def wrong_kind(application: StoredApplication) -> FailedPrecondition:
    """Returns the error that says which kind an application is of."""
    kind = ApplicationKind(application.kind).name.lower()
    return FailedPrecondition(
        Reason.WRONG_KIND,
        f"application {application.number} is a {kind}",
        metadata={"id": application.id, "kind": kind},
    )


def _scope(work: Work, organization_id: str) -> Scope:
    """Returns what of the list the caller sees: whole organizations, and single applications."""
    caller = work.caller
    needed = Permission.APPLICATIONS_VIEW
    single = caller.applications_where(needed)
    if single and organization_id != EVERY_ORGANIZATION:
        organization = number_of(work, organization_id) if organization_id else caller.organization
        known = queries.organizations_of(work.tx, single) | {caller.organization}
        if organization in known and needed not in caller.holds(organization):
            return Scope((ORGANIZATION, OWN), {"organization": organization, "applications": single})
    scope = scope_of(work, organization_id, needed, needed)
    return Scope(scope.clauses, {**scope.parameters, "applications": single})
