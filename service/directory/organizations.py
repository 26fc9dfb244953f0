# SPDX-License-Identifier: Apache-2.0
"""What may be done with organizations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from service.access.authorization import Target, authorize, denied
from service.access.caller import SYSTEM, organization_place
from service.access.permissions import Permission
from service.audit import rules as audit
from service.crypto.tokens import new_uuid
from service.directory import administrators, binding_queries, queries, role_queries
from service.directory.scopes import VISIBLE, number_of, organization_not_found
from service.errors import FailedPrecondition, InvalidField, NotFound, Reason, Violation
from service.etags import require_etag
from service.listing.listing import Page, PageContext, Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.directory.queries import StoredOrganization
    from service.directory.role_queries import StoredRole
    from service.listing.listing import PageQuery
    from service.work import Work

_MANAGE: Final = Permission.ORGANIZATIONS_MANAGE


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants an organization to be. Empty members are unset."""

    display_name: str = ""
    description: str = ""
    disabled: bool = False


MEMBERS: Final = frozenset({"display_name", "description", "disabled"})
"""Names of everything that can be changed."""


class Organization(NamedTuple):
    """An organization with the ids of its roles."""

    stored: StoredOrganization
    role_ids: Sequence[int]


def get(work: Work, key: int | str, needed: Permission | None = None) -> Organization:
    """Returns an organization that the caller may do something with: their own, or one that they manage.

    Args:
        work: The unit of work.
        key: Its number, or its id.
        needed: What it takes; None: to see it is enough.

    Raises:
        PermissionDenied: the permission is missing.
        NotFound: there is no such organization for the caller.
    """
    caller = work.caller
    if isinstance(key, str):
        found = queries.find_organization_by_id(work.tx, key)
    else:
        found = queries.find_organization(work.tx, key)
    # One's own organization is no secret.
    missing = None if found and found.number == caller.organization else organization_not_found(key)
    target = Target(found.number, reached_by=frozenset({_MANAGE})) if found else None
    authorize(caller, needed, target, missing)
    if found is None:
        raise organization_not_found(key)
    return _with_roles(work, [found])[0]


def place_of_new(work: Work, organization_id: str, needed: Permission, *, instead: Permission | None = None) -> int:
    """Returns the number of the organization that something new is to belong to.

    Args:
        work: The unit of work.
        organization_id: As in the request: an id, or empty for the caller's own.
        needed: What it takes there.
        instead: What is as good.

    Raises:
        PermissionDenied: the permission is missing.
        NotFound: there is no such organization for the caller.
    """
    caller = work.caller
    number = number_of(work, organization_id) if organization_id else caller.organization
    missing = None if number == caller.organization else organization_not_found(organization_id)
    known_to = frozenset({needed, instead or needed})
    authorize(caller, needed, Target(number, reached_by=known_to) if number else None, missing, instead=instead)
    return number


def page(work: Work, query: PageQuery) -> Page[Organization]:
    """Returns a page of the organizations that the caller may see.

    Raises:
        Invalid: the query is not one of this list.
    """
    caller = work.caller
    scope = Scope()
    if _MANAGE not in caller.holds_on_server():
        seen = {caller.organization, *caller.organizations_where(_MANAGE)}
        scope = Scope((VISIBLE,), {"organizations": sorted(seen)})
    context = PageContext("", str(caller.user_id))
    found = queries.ORGANIZATIONS.page(work.tx, work.keyring, query, scope=scope, context=context)
    return Page(_with_roles(work, found.rows), found.next_page_token)


def create(work: Work, draft: Draft, imported_role_ids: Sequence[int]) -> Organization:
    """Makes an organization with copies of roles of the first one, which give nobody anything until they are bound.

    Raises:
        PermissionDenied: ORGANIZATIONS_MANAGE is missing on the server.
        InvalidField: the name is missing.
        NotFound: organization 1 has no such role.
    """
    authorize(work.caller, _MANAGE, Target(0), None)
    _check_draft(draft)
    times = {"created": work.now, "updated": work.now, "revision": 1}
    number = queries.add(work.tx, {"id": new_uuid(), **_values(draft), **times})
    for role in _imported(work, imported_role_ids):
        copy = {"name": role.name, "description": role.description, "permissions": role.permissions}
        role_queries.add(work.tx, {"organization": number, "built_in": False, **copy, **times})
    changes = audit.differences({}, _values(draft))
    if imported_role_ids:
        changes["imported_role_ids"] = [[], list(imported_role_ids)]
    audit.record(work, "organization.create", f"organizations/{number}", number, changes)
    return load(work, number)


def update(work: Work, key: int | str, draft: Draft, members: frozenset[str], etag: str) -> Organization:
    """Changes the named members of an organization to what the draft has.

    Raises:
        PermissionDenied: ORGANIZATIONS_MANAGE is missing there or, to disable or enable it, on the server.
        NotFound: there is no such organization for the caller.
        EtagMismatch: it has changed.
        InvalidField: the name would be missing.
        FailedPrecondition: it is the first one, or has the last administrator of the server, and would be disabled.
    """
    before = get(work, key, _MANAGE).stored
    kept = Draft(before.display_name, before.description, before.disabled)
    after = replace(kept, **{name: getattr(draft, name) for name in members})
    if after.disabled != before.disabled:
        _require_on_server(work)
    require_etag(etag, before.revision)
    _check_draft(after)
    if after.disabled and before.number == SYSTEM:
        raise FailedPrecondition(Reason.BUILT_IN, "organization 1 cannot be disabled")
    values = {**_values(after), "updated": work.now, "revision": before.revision + 1}
    queries.change(work.tx, before.number, values)
    if after.disabled and not before.disabled:
        administrators.require_one(work)
    changes = audit.differences(_values(kept), _values(after))
    audit.record(work, "organization.update", f"organizations/{before.number}", before.number, changes)
    return load(work, before.number)


def delete(work: Work, key: int | str, etag: str) -> None:
    """Deletes an organization that nothing but roles belongs to, with its roles and all bindings in it.

    Raises:
        PermissionDenied: ORGANIZATIONS_MANAGE is missing on the server.
        NotFound: there is no such organization for the caller.
        EtagMismatch: it has changed.
        FailedPrecondition: it is the first one, or has users, applications, profiles or links.
    """
    organization = get(work, key, _MANAGE).stored
    _require_on_server(work)
    require_etag(etag, organization.revision)
    number = organization.number
    if number == SYSTEM:
        raise FailedPrecondition(Reason.BUILT_IN, "organization 1 cannot be deleted")
    if queries.has_members(work.tx, number):
        raise FailedPrecondition(
            Reason.ORGANIZATION_NOT_EMPTY, "the organization still has users, applications, profiles or links"
        )
    binding_queries.remove_of_place(work.tx, organization_place(number))
    role_queries.remove_of_organization(work.tx, number)
    queries.remove(work.tx, number)
    audit.record(work, "organization.delete", f"organizations/{number}", number)


def load(work: Work, number: int) -> Organization:
    """Returns an organization that is known to be there, whoever asks."""
    found = queries.find_organization(work.tx, number)
    if found is None:
        raise LookupError(f"organization {number} is gone, in the transaction that uses it")
    return _with_roles(work, [found])[0]


def _require_on_server(work: Work) -> None:
    if _MANAGE not in work.caller.holds_on_server():
        raise denied(_MANAGE)


def _with_roles(work: Work, found: Sequence[StoredOrganization]) -> list[Organization]:
    role_ids = role_queries.ids_of_organizations(work.tx, [organization.number for organization in found])
    return [Organization(organization, role_ids[organization.number]) for organization in found]


def _imported(work: Work, role_ids: Sequence[int]) -> list[StoredRole]:
    found = role_queries.find_many(work.tx, role_ids)
    for index, role_id in enumerate(role_ids):
        role = found.get(role_id)
        if role is None or role.organization != SYSTEM:
            raise NotFound(
                Reason.ROLE_NOT_FOUND,
                f"organization 1 has no role {role_id}",
                metadata={"id": str(role_id)},
                violations=(Violation(f"imported_role_ids[{index}]", "there is no such role in organization 1"),),
            )
    return [found[role_id] for role_id in dict.fromkeys(role_ids)]


def _check_draft(draft: Draft) -> None:
    if not draft.display_name:
        raise InvalidField(Violation("organization.display_name", "is required"))


def _values(draft: Draft) -> dict[str, object]:
    return {"display_name": draft.display_name, "description": draft.description, "disabled": draft.disabled}
