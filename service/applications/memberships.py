# SPDX-License-Identifier: Apache-2.0
"""What may be done with memberships: what the tokens of a client application may do in an organization.

Who may manage applications in the organization decides, and gives or takes nothing that they do not hold there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from service.access.authorization import Target, authorize, denied, reaches
from service.access.caller import organization_place
from service.access.organization_roles import carried
from service.access.permissions import Permission
from service.access.scopes import allowed_by
from service.applications import membership_queries as queries
from service.applications.queries import find as find_application
from service.applications.reading import require_client
from service.applications.targets import KNOWN_TO, application_not_found, application_target
from service.audit import rules as audit
from service.directory import service_accounts
from service.directory.escalation import require_held
from service.directory.scopes import number_of, organization_not_found, scope_of
from service.errors import AlreadyExists, InvalidField, NotFound, Reason, Violation
from service.etags import require_etag
from service.listing.listing import PageContext

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from service.applications.membership_queries import StoredMembership
    from service.applications.queries import StoredApplication
    from service.listing.listing import Page, PageQuery
    from service.work import Work

MOST_SCOPES: Final = 256
"""Scopes that a membership has at the most."""

_decode_scopes = msgspec.json.Decoder(tuple[str, ...]).decode


@dataclass(frozen=True, slots=True)
class Draft:
    """A membership that a caller wants; `organization_id` empty: in the application's own organization."""

    application_id: str
    organization_id: str = ""
    scopes: tuple[str, ...] = ()


class Which(NamedTuple):
    """Which membership a caller means: that of an application, by its id, in an organization; empty: their own."""

    application_id: str
    organization_id: str


def scopes_of(stored: str) -> tuple[str, ...]:
    """Returns the scopes of a membership, which are stored as JSON, in order."""
    return _decode_scopes(stored)


def require_all_of(work: Work, application: StoredApplication, allowed_scopes: Collection[str]) -> None:
    """Lets the caller take over a client application: a secret of it is worth what its memberships allow.

    Args:
        work: The unit of work.
        application: The client application.
        allowed_scopes: What the application allows, or is going to: memberships count as far as this goes.

    Raises:
        PermissionDenied: a membership allows something in an organization that the caller, or who acts for them, does
            not hold there.
    """
    for membership in queries.of_application(work.tx, application.number):
        _require_held(work, carried(scopes_of(membership.scopes), allowed_scopes), membership.organization)


def get(work: Work, which: Which) -> StoredMembership:
    """Returns the membership of a client application in an organization.

    Raises:
        PermissionDenied: APPLICATIONS_VIEW is missing there.
        NotFound: there is no such organization for the caller, or the application is no member of it.
    """
    organization = _place(work, which.organization_id, Permission.APPLICATIONS_VIEW)
    return _existing(work, which.application_id, organization)


def page(work: Work, organization_id: str, query: PageQuery) -> Page[StoredMembership]:
    """Returns a page of the memberships in organizations where the caller may view applications.

    Raises:
        PermissionDenied: APPLICATIONS_VIEW is missing.
        NotFound: there is no such organization for the caller.
        Invalid: the query is not one of this list.
    """
    needed = Permission.APPLICATIONS_VIEW
    scope = scope_of(work, organization_id, needed, needed)
    context = PageContext(organization_id, str(work.caller.user_id))
    return queries.MEMBERSHIPS.page(work.tx, work.keyring, query, scope=scope, context=context)


def create(work: Work, draft: Draft) -> StoredMembership:
    """Lets a client application get tokens for an organization.

    Raises:
        PermissionDenied: APPLICATIONS_MANAGE is missing in the organization, or something that the scopes allow.
        NotFound: there is no such organization or application for the caller.
        FailedPrecondition: the application is no client.
        InvalidField: the application is missing, or a scope is no scope token.
        AlreadyExists: it is a member already.
    """
    needed = Permission.APPLICATIONS_MANAGE
    if not work.caller.holds_anywhere(needed):
        raise denied(needed)
    organization = _place(work, draft.organization_id, needed) if draft.organization_id else 0
    application = _application(work, draft.application_id)
    if not organization:
        organization = application.organization
        authorize(work.caller, needed, Target(organization), None)
    _check_scopes("membership.scopes", draft.scopes)
    _require_held(work, draft.scopes, organization)
    if queries.find(work.tx, application.id, organization) is not None:
        raise AlreadyExists(
            Reason.ALREADY_EXISTS,
            f"the application {application.id} is a member of the organization already",
            metadata={"id": application.id},
            violations=(Violation("membership.application_id", "is a member of the organization already"),),
        )
    scopes = tuple(dict.fromkeys(draft.scopes))
    joined = {"application_number": application.number, "organization": organization}
    times = {"created": work.now, "updated": work.now, "revision": 1}
    membership_id = queries.add(work.tx, {**joined, "scopes": _to_stored(scopes), **times})
    service_accounts.ensure(work, application.number, application.id, application.organization)
    changes = audit.stated({"application_number": application.number, "scopes": scopes})
    audit.record(work, "client_membership.create", _resource(membership_id), organization, changes)
    return _existing(work, application.id, organization)


def update(work: Work, which: Which, added: Collection[str], removed: Collection[str], etag: str) -> StoredMembership:
    """Adds scopes to a membership, and takes scopes away.

    Raises:
        PermissionDenied: APPLICATIONS_MANAGE is missing in the organization, or something that the scopes allow.
        NotFound: there is no such organization for the caller, or the application is no member of it.
        EtagMismatch: the membership has changed.
        InvalidField: a scope is no scope token, is both added and removed, or is one too many.
    """
    organization = _place(work, which.organization_id, Permission.APPLICATIONS_MANAGE)
    before = _existing(work, which.application_id, organization)
    require_etag(etag, before.revision)
    _check_scopes("added_scopes", added)
    _check_difference(added, removed)
    old = scopes_of(before.scopes)
    after = tuple(dict.fromkeys(scope for scope in (*old, *added) if scope not in removed))
    if len(after) > MOST_SCOPES:
        raise InvalidField(Violation("added_scopes", f"a membership has {MOST_SCOPES} scopes at the most"))
    _require_held(work, set(old) ^ set(after), organization)
    if after == old:
        return before
    values = {"scopes": _to_stored(after), "updated": work.now, "revision": before.revision + 1}
    queries.change(work.tx, before.id, values)
    changes = audit.differences({"scopes": old}, {"scopes": after})
    audit.record(work, "client_membership.update", _resource(before.id), organization, changes)
    return _existing(work, which.application_id, organization)


def delete(work: Work, which: Which, etag: str) -> None:
    """Ends the membership of a client application in an organization.

    Raises:
        PermissionDenied: APPLICATIONS_MANAGE is missing in the organization, or something that the scopes allow.
        NotFound: there is no such organization for the caller, or the application is no member of it.
        EtagMismatch: the membership has changed.
    """
    organization = _place(work, which.organization_id, Permission.APPLICATIONS_MANAGE)
    membership = _existing(work, which.application_id, organization)
    require_etag(etag, membership.revision)
    scopes = scopes_of(membership.scopes)
    _require_held(work, scopes, organization)
    queries.remove(work.tx, membership.id)
    changes = {"application_number": [membership.application_number, None], "scopes": [scopes, None]}
    audit.record(work, "client_membership.delete", _resource(membership.id), organization, changes)


def _place(work: Work, organization_id: str, needed: Permission) -> int:
    """Returns the number of an organization, which exists for whoever belongs to it or has to do with applications in it."""
    caller = work.caller
    number = number_of(work, organization_id) if organization_id else caller.organization
    target = Target(number, (caller.user_id,), KNOWN_TO) if number else None
    authorize(caller, needed, target, organization_not_found(organization_id))
    return number


def _application(work: Work, application_id: str) -> StoredApplication:
    """Returns a client application that exists for the caller."""
    if not application_id:
        raise InvalidField(Violation("membership.application_id", "is required"))
    application = find_application(work.tx, application_id)
    if application is None or not reaches(work.caller, application_target(application)):
        raise application_not_found(application_id)
    require_client(application)
    return application


def _existing(work: Work, application_id: str, organization: int) -> StoredMembership:
    membership = queries.find(work.tx, application_id, organization)
    if membership is None:
        raise NotFound(
            Reason.MEMBERSHIP_NOT_FOUND,
            f"the application {application_id} is no member of the organization",
            metadata={"id": application_id},
        )
    return membership


def _require_held(work: Work, scopes: Iterable[str], organization: int) -> None:
    require_held(work, allowed_by(frozenset(scopes)), organization_place(organization))


def _check_scopes(path: str, scopes: Iterable[str]) -> None:
    wrong = [index for index, scope in enumerate(scopes) if scope.split() != [scope]]
    if wrong:
        raise InvalidField(
            *(Violation(f"{path}[{index}]", "is no scope token: it has a blank in it") for index in wrong)
        )


def _check_difference(added: Iterable[str], removed: Collection[str]) -> None:
    both = [index for index, scope in enumerate(added) if scope in removed]
    if both:
        raise InvalidField(*(Violation(f"added_scopes[{index}]", "is among removed_scopes too") for index in both))


def _to_stored(scopes: Collection[str]) -> str:
    return msgspec.json.encode(scopes).decode()


def _resource(membership_id: int) -> str:
    return f"client_memberships/{membership_id}"
