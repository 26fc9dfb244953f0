# SPDX-License-Identifier: Apache-2.0
"""What may be done with users, by whom, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from service.access.authorization import authorize
from service.access.caller import organization_place
from service.access.permissions import NONE, Permission, Permissions, from_text, to_text
from service.applications import rules as applications
from service.audit import rules as audit
from service.directory import administrators, binding_queries, memberships, user_queries
from service.directory.escalation import require_all_of, require_held
from service.directory.organizations import place_of_new
from service.directory.scopes import scope_of
from service.directory.targets import user_target
from service.errors import AlreadyExists, FailedPrecondition, InvalidField, NotFound, Reason, Violation
from service.etags import require_etag
from service.listing.listing import Page, PageContext
from service.profiles import rules as profiles
from service.webhooks import rules as webhooks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.directory.user_queries import StoredUser
    from service.listing.listing import PageQuery
    from service.work import Work


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants a user to be. Empty members are unset; `password` is the digest of one."""

    username: str = ""
    display_name: str = ""
    email: str = ""
    password: str = ""
    password_expires: int = 0
    disabled: bool = False
    locked: bool = False
    permissions: Permissions = NONE
    role_ids: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"Draft(username={self.username!r})"


MEMBERS: Final = frozenset(Draft.__dataclass_fields__)
"""Names of everything that can be changed."""

_PASSWORD_ALONE: Final = frozenset({"password"})
_STATE: Final = frozenset({"disabled", "locked"})
_ENDS_CACHED_LOGINS: Final = _PASSWORD_ALONE | _STATE
_IS_THE_ACCOUNT: Final = _ENDS_CACHED_LOGINS | {"username", "password_expires"}
_MAKES_AN_ADMINISTRATOR: Final = _STATE | {"permissions", "role_ids"}


class User(NamedTuple):
    """A user with the ids of their roles in their own organization."""

    stored: StoredUser
    role_ids: Sequence[int]


def get(work: Work, key: int | str, needed: Permission = Permission.USERS_VIEW) -> User:
    """Returns a user that the caller may do something with; anybody may see themselves.

    Args:
        work: The unit of work.
        key: Their id, or their user name.
        needed: What it takes.

    Raises:
        PermissionDenied: the permission is missing.
        NotFound: there is no such user for the caller.
    """
    return _with_roles(work, [reach(work, key, needed)])[0]


def reach(work: Work, key: int | str, needed: Permission) -> StoredUser:
    """Returns the row of a user that the caller may do something with; see `get`."""
    user = user_queries.find_by_username(work.tx, key) if isinstance(key, str) else user_queries.find(work.tx, key)
    missing = not_found(key)
    themselves = user is not None and user.id == work.caller.user_id
    asked = None if themselves and needed is Permission.USERS_VIEW else needed
    authorize(work.caller, asked, user_target(user.id, user.organization) if user else None, missing)
    if user is None:
        raise missing
    return user


def page(work: Work, organization_id: str, query: PageQuery) -> Page[User]:
    """Returns a page of the users that the caller may see.

    Raises:
        PermissionDenied: USERS_VIEW is missing.
        NotFound: there is no such organization for the caller.
        Invalid: the query is not one of this list.
    """
    scope = scope_of(work, organization_id, Permission.USERS_VIEW, Permission.USERS_VIEW)
    context = PageContext(organization_id, str(work.caller.user_id))
    found = user_queries.USERS.page(work.tx, work.keyring, query, scope=scope, context=context)
    return Page(_with_roles(work, found.rows), found.next_page_token)


def create(work: Work, organization_id: str, draft: Draft) -> User:
    """Makes a user of an organization.

    Raises:
        PermissionDenied: USERS_CREATE is missing there, or the user would hold what the caller does not.
        NotFound: there is no such organization for the caller, or no such role for it.
        InvalidField: the user name is missing.
        AlreadyExists: the user name is taken.
    """
    organization = place_of_new(work, organization_id, Permission.USERS_CREATE)
    _check_username(work, draft.username)
    require_held(work, draft.permissions, organization_place(organization))
    user_id = user_queries.add(
        work.tx,
        {
            "organization": organization,
            "application_number": None,
            **_values(draft),
            "password_digest": draft.password,
            "credential_revision": 1,
            "created": work.now,
            "updated": work.now,
            "revision": 1,
        },
    )
    memberships.replace_roles_of_user(work, user_id, organization, draft.role_ids)
    user = load(work, user_id)
    changes = audit.differences({}, {name: value for name, value in _shown(draft, user.role_ids).items() if value})
    if draft.password:
        changes["password"] = audit.secret_change("", draft.password)
    audit.record(work, "user.create", f"users/{user_id}", organization, changes)
    return user


def update(work: Work, user_id: int, draft: Draft, members: frozenset[str], etag: str) -> User:
    """Changes the named members of a user to what the draft has.

    Args:
        work: The unit of work.
        user_id: Which user.
        draft: The new values.
        members: Which of MEMBERS to take from the draft.
        etag: What the user must still be; see `require_etag`.

    Raises:
        PermissionDenied: USERS_UPDATE is missing (for one's own password, CHANGE_PASSWORD); or the change would give
            or take what the caller does not hold, or touches the login of a user who holds more than the caller.
        NotFound: there is no such user for the caller, or no such role for the organization.
        EtagMismatch: they have changed.
        InvalidField: the user name would be missing.
        AlreadyExists: the user name is taken.
        FailedPrecondition: the server would be left without an administrator.
    """
    before = reach(work, user_id, _needed_to_update(work, user_id, members))
    require_etag(etag, before.revision)
    old = _draft_of(before)
    after = replace(old, **{name: getattr(draft, name) for name in members})
    if after.username != old.username:
        _check_username(work, after.username)
    if _changes(old, after, _IS_THE_ACCOUNT):
        require_all_of(work, user_id)
    if after.permissions != old.permissions:
        require_held(work, old.permissions | after.permissions, organization_place(before.organization))
    administered = bool(members & _MAKES_AN_ADMINISTRATOR) and administrators.administers_server(work, user_id)
    role_ids = binding_queries.roles_at_home(work.tx, [user_id])[user_id]
    values = {**_values(after), "password_digest": after.password}
    if _changes(old, after, _ENDS_CACHED_LOGINS):
        values["credential_revision"] = before.credential_revision + 1
    user_queries.change(work.tx, user_id, {**values, "updated": work.now, "revision": before.revision + 1})
    if "role_ids" in members:
        memberships.replace_roles_of_user(work, user_id, before.organization, draft.role_ids)
    if administered:
        administrators.require_one(work)
    user = load(work, user_id)
    changes = audit.differences(_shown(old, role_ids), _shown(after, user.role_ids))
    if after.password != old.password:
        changes["password"] = audit.secret_change(old.password, after.password)
    audit.record(work, "user.update", f"users/{user_id}", before.organization, changes)
    return user


def delete(work: Work, key: int | str, etag: str, *, cascade: bool) -> None:
    """Deletes a user with their bindings and API tokens. Their applications stay, with no owner.

    Raises:
        PermissionDenied: USERS_DELETE is missing, or they hold more than the caller.
        NotFound: there is no such user for the caller.
        EtagMismatch: they have changed.
        FailedPrecondition: they own profiles and `cascade` is not given, or they are the last administrator.
    """
    user = reach(work, key, Permission.USERS_DELETE)
    require_etag(etag, user.revision)
    require_all_of(work, user.id)
    owned = profiles.count_of_owner(work, user.id)
    if owned and not cascade:
        raise FailedPrecondition(
            Reason.USER_IN_USE, f"the user owns {owned} profiles", metadata={"profiles": str(owned)}
        )
    administered = administrators.administers_server(work, user.id)
    profiles.remove_of_owner(work, user.id)
    profiles.forget_user(work, user.id)
    applications.forget_owner(work, user.id)
    webhooks.forget_user(work, user.id)
    user_queries.remove(work.tx, user.id)
    if administered:
        administrators.require_one(work)
    changes = {"username": [user.username, None], "profiles_deleted": owned}
    audit.record(work, "user.delete", f"users/{user.id}", user.organization, changes)


def load(work: Work, user_id: int) -> User:
    """Returns a user who is known to be there, whoever asks; that of a client application, too."""
    user = user_queries.find_anybody(work.tx, user_id)
    if user is None:
        raise LookupError(f"user {user_id} is gone, in the transaction that uses them")
    return _with_roles(work, [user])[0]


def not_found(key: int | str, violations: tuple[Violation, ...] = ()) -> NotFound:
    """Returns the error that hides a user, there or not."""
    return NotFound(Reason.USER_NOT_FOUND, f"there is no user {key}", metadata={"id": str(key)}, violations=violations)


def _needed_to_update(work: Work, user_id: int, members: frozenset[str]) -> Permission:
    caller = work.caller
    own_password = user_id == caller.user_id and members == _PASSWORD_ALONE
    if own_password and Permission.USERS_UPDATE not in caller.holds(caller.organization):
        return Permission.CHANGE_PASSWORD
    return Permission.USERS_UPDATE


def _check_username(work: Work, username: str) -> None:
    if not username:
        raise InvalidField(Violation("user.username", "is required"))
    if user_queries.find_by_username(work.tx, username) is not None:
        raise AlreadyExists(
            Reason.ALREADY_EXISTS,
            f"the user name {username} is taken",
            metadata={"id": username},
            violations=(Violation("user.username", "is taken"),),
        )


def _with_roles(work: Work, found: Sequence[StoredUser]) -> list[User]:
    role_ids = binding_queries.roles_at_home(work.tx, [user.id for user in found])
    return [User(user, role_ids[user.id]) for user in found]


def _draft_of(user: StoredUser) -> Draft:
    return Draft(
        username=user.username,
        display_name=user.display_name,
        email=user.email,
        password=user.password_digest,
        password_expires=user.password_expires,
        disabled=user.disabled,
        locked=user.locked,
        permissions=from_text(user.permissions),
    )


def _changes(old: Draft, after: Draft, members: frozenset[str]) -> bool:
    return any(getattr(old, name) != getattr(after, name) for name in members)


def _values(draft: Draft) -> dict[str, object]:
    """Returns what is stored as it is, and shown in the audit trail."""
    return {
        "username": draft.username,
        "display_name": draft.display_name,
        "email": draft.email,
        "password_expires": draft.password_expires,
        "disabled": draft.disabled,
        "locked": draft.locked,
        "permissions": to_text(draft.permissions),
    }


def _shown(draft: Draft, role_ids: Sequence[int]) -> dict[str, object]:
    return {**_values(draft), "role_ids": role_ids}
