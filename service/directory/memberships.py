# SPDX-License-Identifier: Apache-2.0
"""Roles bound at home: a user's roles in their own organization, and a role's users in its own.

Both are lists of ids that are replaced as a whole. Every user whose list changes gets a new revision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.access.authorization import reaches
from service.access.caller import SYSTEM, organization_place
from service.access.permissions import from_text
from service.directory import binding_queries, role_queries, user_queries
from service.directory.escalation import require_held
from service.directory.targets import user_target
from service.errors import NotFound, Reason, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.access.caller import Place
    from service.directory.role_queries import StoredRole
    from service.work import Work


def replace_roles_of_user(work: Work, user_id: int, organization: int, role_ids: Sequence[int]) -> None:
    """Gives a user these roles in their organization, and no others there.

    Raises:
        NotFound: one of them belongs to neither the organization nor the first one.
        PermissionDenied: a role given or taken allows what the caller may not.
    """
    home = organization_place(organization)
    before = binding_queries.roles_at_home(work.tx, [user_id])[user_id]
    added, removed = _difference(before, role_ids)
    roles = role_queries.find_many(work.tx, added | removed)
    for role_id in sorted(added):
        role = roles.get(role_id)
        if role is None or role.organization not in (organization, SYSTEM):
            raise _no_role(role_id, role_ids.index(role_id))
    for role in roles.values():
        require_held(work, from_text(role.permissions), home)
    binding_queries.remove_many(work.tx, [user_id], removed, home)
    _bind(work, ((user_id, role_id) for role_id in sorted(added)), home)


def replace_users_of_role(work: Work, role: StoredRole, user_ids: Sequence[int]) -> None:
    """Gives a role to these users in its organization, and to no others there.

    That the caller may give the role there is decided already.

    Raises:
        NotFound: one of them does not exist for the caller, or belongs to another organization than the role, which
            only roles of the first one allow.
    """
    home = organization_place(role.organization)
    before = binding_queries.users_of_role(work.tx, role.id, home)
    added, removed = _difference(before, user_ids)
    users = {user.id: user for user in user_queries.find_many(work.tx, added)}
    for user_id in sorted(added):
        user = users.get(user_id)
        bindable = user is not None and role.organization in (user.organization, SYSTEM)
        if user is None or not bindable or not reaches(work.caller, user_target(user.id, user.organization)):
            raise _no_user(user_id, user_ids.index(user_id))
    binding_queries.remove_many(work.tx, removed, [role.id], home)
    _bind(work, ((user_id, role.id) for user_id in sorted(added)), home)
    user_queries.touch(work.tx, added | removed, work.now)


def _difference(before: Sequence[int], after: Sequence[int]) -> tuple[set[int], set[int]]:
    """Returns what is added and what is removed."""
    return set(after) - set(before), set(before) - set(after)


def _bind(work: Work, pairs: Iterable[tuple[int, int]], place: Place) -> None:
    kind, number = place
    where = {"place_kind": kind.value, "place_number": number, "created": work.now}
    binding_queries.add_many(work.tx, [{"user_id": user, "role_id": role, **where} for user, role in pairs])


def _no_role(role_id: int, index: int) -> NotFound:
    return NotFound(
        Reason.ROLE_NOT_FOUND,
        f"there is no role {role_id} for this organization",
        metadata={"id": str(role_id)},
        violations=(Violation(f"user.role_ids[{index}]", "there is no such role for this organization"),),
    )


def _no_user(user_id: int, index: int) -> NotFound:
    return NotFound(
        Reason.USER_NOT_FOUND,
        f"there is no user {user_id}",
        metadata={"id": str(user_id)},
        violations=(Violation(f"role.user_ids[{index}]", "there is no such user"),),
    )
