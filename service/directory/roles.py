# SPDX-License-Identifier: Apache-2.0
"""What may be done with roles, by whom, and what becomes of those who have them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from service.access.authorization import Target, authorize, denied
from service.access.caller import SYSTEM, organization_place
from service.access.permissions import NONE, Permission, Permissions, from_text, to_text
from service.audit import rules as audit
from service.directory import administrators, binding_queries, memberships, role_queries, user_queries
from service.directory.escalation import require_held, require_held_everywhere
from service.directory.organizations import place_of_new
from service.directory.scopes import scope_of
from service.errors import FailedPrecondition, InvalidField, NotFound, Reason, Violation
from service.etags import require_etag
from service.listing.listing import Page, PageContext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.directory.role_queries import StoredRole
    from service.listing.listing import PageQuery
    from service.work import Work

_KNOWN_TO: Final = frozenset({Permission.ROLES_VIEW, Permission.ROLES_UPDATE, Permission.ROLES_DELETE})


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants a role to be. Empty members are unset."""

    name: str = ""
    description: str = ""
    permissions: Permissions = NONE
    user_ids: tuple[int, ...] = ()


MEMBERS: Final = frozenset(Draft.__dataclass_fields__)
"""Names of everything that can be changed."""


class Role(NamedTuple):
    """A role with the users that it is bound to in its organization; lists leave them out."""

    stored: StoredRole
    user_ids: Sequence[int] = ()


def get(work: Work, role_id: int) -> Role:
    """Returns a role that the caller sees. Its users are shown to those who see the roles of its organization.

    Raises:
        PermissionDenied: ROLES_VIEW is missing.
        NotFound: there is no such role for the caller.
    """
    role = _reach(work, role_id, Permission.ROLES_VIEW)
    return _with_users(work, role) if Permission.ROLES_VIEW in work.caller.holds(role.organization) else Role(role)


def page(work: Work, organization_id: str, query: PageQuery) -> Page[Role]:
    """Returns a page of the roles that the caller sees.

    Raises:
        PermissionDenied: ROLES_VIEW is missing.
        NotFound: there is no such organization for the caller.
        Invalid: the query is not one of this list.
    """
    scope = scope_of(work, organization_id, Permission.ROLES_VIEW, Permission.ROLES_VIEW)
    context = PageContext(organization_id, str(work.caller.user_id))
    found = role_queries.ROLES.page(work.tx, work.keyring, query, scope=scope, context=context)
    return Page([Role(role) for role in found.rows], found.next_page_token)


def create(work: Work, organization_id: str, draft: Draft) -> Role:
    """Makes a role of an organization, and gives it to users there.

    Raises:
        PermissionDenied: ROLES_CREATE is missing there, or the role would allow what the caller may not.
        NotFound: there is no such organization, or user, for the caller.
        InvalidField: the name is missing.
    """
    organization = place_of_new(work, organization_id, Permission.ROLES_CREATE)
    _check_draft(draft)
    require_held(work, draft.permissions, organization_place(organization))
    times = {"created": work.now, "updated": work.now, "revision": 1}
    role_id = role_queries.add(work.tx, {"organization": organization, "built_in": False, **_values(draft), **times})
    memberships.replace_users_of_role(work, _load(work, role_id), draft.user_ids)
    role = _with_users(work, _load(work, role_id))
    changes = audit.stated(_shown(draft, role.user_ids))
    audit.record(work, "role.create", f"roles/{role_id}", organization, changes)
    return role


def update(work: Work, role_id: int, draft: Draft, members: frozenset[str], etag: str) -> Role:
    """Changes the named members of a role to what the draft has, for everybody it is bound to.

    Raises:
        PermissionDenied: ROLES_UPDATE is missing; or the role allows, or would allow, what the caller may not, in its
            organization or, where its permissions change, anywhere it is bound.
        NotFound: there is no such role, or user, for the caller.
        EtagMismatch: it has changed.
        InvalidField: the name would be missing.
        FailedPrecondition: more than the users of a built-in role would change, or the server would be left without
            an administrator.
    """
    before = _reach(work, role_id, Permission.ROLES_UPDATE)
    require_etag(etag, before.revision)
    home = organization_place(before.organization)
    old = Draft(before.name, before.description, from_text(before.permissions))
    after = replace(old, **{name: getattr(draft, name) for name in members - {"user_ids"}})
    if before.built_in and after != old:
        raise _built_in(before)
    _check_draft(after)
    concerned = old.permissions | after.permissions
    require_held(work, concerned, home)
    if after.permissions != old.permissions:
        require_held_everywhere(work, concerned, binding_queries.places_of_role(work.tx, role_id))
    user_ids = binding_queries.users_of_role(work.tx, role_id, home)
    values = {**_values(after), "updated": work.now, "revision": before.revision + 1}
    role_queries.change(work.tx, role_id, values)
    if "user_ids" in members:
        memberships.replace_users_of_role(work, before, draft.user_ids)
    if Permission.ADMINISTRATOR in old.permissions:
        administrators.require_one(work)
    role = _with_users(work, _load(work, role_id))
    changes = audit.differences(_shown(old, user_ids), _shown(after, role.user_ids))
    audit.record(work, "role.update", f"roles/{role_id}", before.organization, changes)
    return role


def delete(work: Work, role_id: int, etag: str) -> None:
    """Deletes a role with its bindings.

    Raises:
        PermissionDenied: ROLES_DELETE is missing, or the role allows what the caller may not, somewhere it is bound.
        NotFound: there is no such role for the caller.
        EtagMismatch: it has changed.
        FailedPrecondition: it is built in, or the server would be left without an administrator.
    """
    role = _reach(work, role_id, Permission.ROLES_DELETE)
    require_etag(etag, role.revision)
    if role.built_in:
        raise _built_in(role)
    permissions = from_text(role.permissions)
    places = binding_queries.places_of_role(work.tx, role_id)
    require_held_everywhere(work, permissions, (organization_place(role.organization), *places))
    bound = binding_queries.bound_to_role(work.tx, role_id)
    role_queries.remove(work.tx, role_id)
    user_queries.touch(work.tx, bound, work.now)
    if Permission.ADMINISTRATOR in permissions:
        administrators.require_one(work)
    changes = {"name": [role.name, None], "users": len(bound)}
    audit.record(work, "role.delete", f"roles/{role_id}", role.organization, changes)


def _reach(work: Work, role_id: int, needed: Permission) -> StoredRole:
    """Returns a role that the caller may do something with. Who sees any roles sees the first organization's."""
    role = role_queries.find(work.tx, role_id)
    missing: NotFound | None = _not_found(role_id)
    if role is not None and role.organization == SYSTEM:
        missing = None
        if needed is Permission.ROLES_VIEW:
            if not work.caller.holds_anywhere(needed):
                raise denied(needed)
            return role
    authorize(work.caller, needed, Target(role.organization, reached_by=_KNOWN_TO) if role else None, missing)
    if role is None:
        raise _not_found(role_id)
    return role


def _with_users(work: Work, role: StoredRole) -> Role:
    return Role(role, binding_queries.users_of_role(work.tx, role.id, organization_place(role.organization)))


def _load(work: Work, role_id: int) -> StoredRole:
    role = role_queries.find(work.tx, role_id)
    if role is None:
        raise LookupError(f"role {role_id} is gone, in the transaction that wrote it")
    return role


def _not_found(role_id: int) -> NotFound:
    return NotFound(Reason.ROLE_NOT_FOUND, f"there is no role {role_id}", metadata={"id": str(role_id)})


def _built_in(role: StoredRole) -> FailedPrecondition:
    return FailedPrecondition(Reason.BUILT_IN, f"role {role.id} is built in", metadata={"id": str(role.id)})


def _check_draft(draft: Draft) -> None:
    if not draft.name:
        raise InvalidField(Violation("role.name", "is required"))


def _values(draft: Draft) -> dict[str, object]:
    """Returns what is stored as it is."""
    return {"name": draft.name, "description": draft.description, "permissions": to_text(draft.permissions)}


def _shown(draft: Draft, user_ids: Sequence[int]) -> dict[str, object]:
    return {**_values(draft), "user_ids": user_ids}
