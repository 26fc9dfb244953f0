# SPDX-License-Identifier: Apache-2.0
"""What may be done with role bindings: who gets the permissions of a role where.

Who administers users (USERS_VIEW, USERS_UPDATE) deals with all bindings of theirs; who only binds roles (ROLES_BIND)
with those in places where they may.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from service.access.authorization import Target, authorize, reaches
from service.access.caller import SERVER, SYSTEM, Place, PlaceKind, organization_place
from service.access.permissions import Permission, from_text
from service.applications.targets import application_not_found
from service.audit import rules as audit
from service.directory import administrators, binding_queries, binding_scopes, role_queries, user_queries
from service.directory.escalation import require_held
from service.directory.organizations import place_of_new
from service.directory.targets import user_target
from service.directory.users import not_found as user_not_found
from service.errors import AlreadyExists, NotFound, Reason, Violation
from service.etags import require_etag
from service.listing.listing import PageContext

if TYPE_CHECKING:
    from service.directory.binding_queries import StoredBinding
    from service.directory.role_queries import StoredRole
    from service.directory.user_queries import StoredUser
    from service.listing.listing import Page, PageQuery
    from service.work import Work

REVISION: Final = 1
"""A binding is made and deleted, and never changes."""

_USER_KNOWN_TO: Final = frozenset({Permission.USERS_VIEW, Permission.USERS_UPDATE})
_PLACE_KNOWN_TO: Final = _USER_KNOWN_TO | {Permission.ROLES_BIND}


@dataclass(frozen=True, slots=True)
class Draft:
    """A binding that a caller wants: on the server, unless an organization or an application is named."""

    user_id: int
    role_id: int
    organization_id: str = ""
    application_id: str = ""


class _Somewhere(NamedTuple):
    """A place, and the organization that it belongs to (0: none)."""

    place: Place
    organization: int


def get(work: Work, binding_id: int) -> StoredBinding:
    """Returns a binding that the caller sees, through its user or through its place.

    Raises:
        PermissionDenied: USERS_VIEW is missing, and ROLES_BIND at the place too.
        NotFound: there is no such binding for the caller.
    """
    binding = binding_queries.find(work.tx, binding_id)
    missing = _not_found(binding_id)
    if binding is not None and _binds_at(work, _place_of(binding)):
        return binding
    target = None
    if binding is not None:
        target = _user_of(binding) if reaches(work.caller, _user_of(binding)) else _place_of(binding)
    authorize(work.caller, Permission.USERS_VIEW, target, missing, instead=Permission.ROLES_BIND)
    if binding is None:
        raise missing
    return binding


def page(work: Work, organization_id: str, query: PageQuery) -> Page[StoredBinding]:
    """Returns a page of the bindings of an organization's users that the caller sees.

    Raises:
        PermissionDenied: USERS_VIEW is missing, and ROLES_BIND too.
        NotFound: there is no such organization for the caller.
        Invalid: the query is not one of this list.
    """
    scope = binding_scopes.scope_of(work, organization_id)
    context = PageContext(organization_id, str(work.caller.user_id))
    return binding_queries.BINDINGS.page(work.tx, work.keyring, query, scope=scope, context=context)


def create(work: Work, draft: Draft) -> StoredBinding:
    """Binds a role to a user in one place.

    Raises:
        PermissionDenied: ROLES_BIND is missing at the place, and USERS_UPDATE too, or the role allows what the caller
            may not there.
        NotFound: there is no such place or user for the caller, or no such role for the two of them.
        AlreadyExists: it is bound already.
    """
    place, organization = _authorized_place(work, draft)
    user = _bindable_user(work, draft.user_id, place, organization)
    role = _bindable_role(work, draft.role_id, user, organization)
    require_held(work, from_text(role.permissions), place)
    twin = binding_queries.find_twin(work.tx, user.id, role.id, place)
    if twin is not None:
        raise AlreadyExists(Reason.ALREADY_EXISTS, f"role binding {twin} is the same", metadata={"id": str(twin)})
    kind, number = place
    where = {"place_kind": kind.value, "place_number": number}
    values = {"user_id": user.id, "role_id": role.id, **where, "created": work.now}
    binding_id = binding_queries.add(work.tx, values)
    _renew_user(work, user.id, user.organization, place)
    binding = _load(work, binding_id)
    audit.record(
        work,
        "role_binding.create",
        f"role_bindings/{binding_id}",
        user.organization,
        audit.differences({}, _shown(binding)),
    )
    return binding


def delete(work: Work, binding_id: int, etag: str) -> None:
    """Takes a role away from a user in one place.

    Raises:
        PermissionDenied: ROLES_BIND is missing at the place, and USERS_UPDATE too, or the role allows what the caller
            may not there.
        NotFound: there is no such binding for the caller.
        EtagMismatch: the etag is none that a binding has.
        FailedPrecondition: the server would be left without an administrator.
    """
    binding = binding_queries.find(work.tx, binding_id)
    missing = _not_found(binding_id)
    known = binding is not None and reaches(work.caller, _user_of(binding))
    target = _place_of(binding) if binding else None
    hidden = None if known else missing
    authorize(work.caller, Permission.ROLES_BIND, target, hidden, instead=Permission.USERS_UPDATE)
    if binding is None:
        raise missing
    require_etag(etag, REVISION)
    place = Place(PlaceKind(binding.place_kind), binding.place_number)
    permissions = from_text(binding.permissions)
    require_held(work, permissions, place)
    binding_queries.remove(work.tx, binding_id)
    _renew_user(work, binding.user_id, binding.user_organization, place)
    if Permission.ADMINISTRATOR in permissions and place in (SERVER, organization_place(SYSTEM)):
        administrators.require_one(work)
    changes = {name: [value, None] for name, value in _shown(binding).items()}
    audit.record(work, "role_binding.delete", f"role_bindings/{binding_id}", binding.user_organization, changes)


def _user_of(binding: StoredBinding) -> Target:
    return Target(binding.user_organization, reached_by=_USER_KNOWN_TO)


def _place_of(binding: StoredBinding) -> Target:
    application = binding.place_number if binding.place_kind == PlaceKind.APPLICATION else 0
    return Target(binding.place_organization, reached_by=_PLACE_KNOWN_TO, application=application)


def _binds_at(work: Work, place: Target) -> bool:
    return Permission.ROLES_BIND in work.caller.holds(place.organization, place.application)


def _authorized_place(work: Work, draft: Draft) -> _Somewhere:
    """Returns the place that a draft names, if the caller may bind roles there."""
    needed, instead = Permission.ROLES_BIND, Permission.USERS_UPDATE
    if draft.organization_id:
        number = place_of_new(work, draft.organization_id, needed, instead=instead)
        return _Somewhere(organization_place(number), number)
    if draft.application_id:
        application = binding_queries.find_application(work.tx, draft.application_id)
        missing = application_not_found(
            draft.application_id, Violation("role_binding.application_id", "there is no such application")
        )
        target = None
        if application is not None:
            known_to = frozenset({needed, instead, Permission.APPLICATIONS_VIEW})
            target = Target(application.organization, reached_by=known_to, application=application.number)
        authorize(work.caller, needed, target, missing, instead=instead)
        if application is None:
            raise missing
        return _Somewhere(Place(PlaceKind.APPLICATION, application.number), application.organization)
    authorize(work.caller, needed, Target(0), None, instead=instead)
    return _Somewhere(SERVER, 0)


def _bindable_user(work: Work, user_id: int, place: Place, organization: int) -> StoredUser:
    """Returns a user whom the caller knows or, if they may bind roles at the place, one of their own organization."""
    user = user_queries.find(work.tx, user_id)
    application = place.number if place.kind == PlaceKind.APPLICATION else 0
    if user is not None:
        colleague = user.organization == work.caller.organization
        if colleague and _binds_at(work, Target(organization, application=application)):
            return user
        if reaches(work.caller, user_target(user.id, user.organization)):
            return user
    raise user_not_found(user_id, (Violation("role_binding.user_id", "there is no such user"),))


def _bindable_role(work: Work, role_id: int, user: StoredUser, organization: int) -> StoredRole:
    """Returns a role of the first organization, or of the one that both the user and the place belong to."""
    role = role_queries.find(work.tx, role_id)
    if role is None or (role.organization != SYSTEM and {role.organization} != {user.organization, organization}):
        raise NotFound(
            Reason.ROLE_NOT_FOUND,
            f"there is no role {role_id} for this user in this place",
            metadata={"id": str(role_id)},
            violations=(Violation("role_binding.role_id", "there is no such role for this user in this place"),),
        )
    return role


def _renew_user(work: Work, user_id: int, organization: int, place: Place) -> None:
    """Makes a new revision of a user whose own list of roles has changed: the list of their organization."""
    if place == organization_place(organization):
        user_queries.touch(work.tx, [user_id], work.now)


def _load(work: Work, binding_id: int) -> StoredBinding:
    binding = binding_queries.find(work.tx, binding_id)
    if binding is None:
        raise LookupError(f"role binding {binding_id} is gone, in the transaction that wrote it")
    return binding


def _shown(binding: StoredBinding) -> dict[str, object]:
    place = binding.organization_id or binding.application_id or "server"
    return {"user_id": binding.user_id, "role_id": binding.role_id, "place": place}


def _not_found(binding_id: int) -> NotFound:
    return NotFound(
        Reason.ROLE_BINDING_NOT_FOUND, f"there is no role binding {binding_id}", metadata={"id": str(binding_id)}
    )
