# SPDX-License-Identifier: Apache-2.0
"""The one authorization decision of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.access.permissions import NONE, Permission, Permissions
from service.errors import NotFound, PermissionDenied, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.access.caller import Caller


class Target(NamedTuple):
    """What a caller wants to touch.

    Attributes:
        organization: Number of the organization it belongs to; 0: none, the server itself.
        people: Ids of the users whom it exists for because it is theirs.
        reached_by: Permissions any of which makes it exist for whoever holds it there.
        application: Number of the application it is, if it is one.
    """

    organization: int
    people: tuple[int, ...] = ()
    reached_by: Permissions = NONE
    application: int = 0


def authorize(
    caller: Caller,
    needed: Permission | None,
    target: Target | None,
    missing: NotFound | Callable[[], NotFound] | None,
    *,
    instead: Permission | None = None,
) -> None:
    """Decides whether the caller may do what takes the permission `needed` to the target.

    Args:
        caller: Who wants to.
        needed: What it takes; None: reaching the target is enough.
        target: What it is done to; None: it does not exist.
        missing: What to raise where the target does not exist for the caller, or what makes it; None: it is no secret
            that it exists.
        instead: Another permission that is as good as `needed`.

    Raises:
        PermissionDenied: the caller holds the permission nowhere (which is looked at before existence, so that ids
            cannot be probed), or not where the target is.
        NotFound: `missing`.
    """
    if needed is not None and not _holds_anywhere(caller, needed, instead):
        raise denied(needed)
    if target is None:
        if missing is None:
            raise denied(needed)
        raise missing() if callable(missing) else missing
    held = caller.holds(target.organization, target.application)
    if missing is not None and not _exists_for(caller, held, target):
        raise missing() if callable(missing) else missing
    if needed is not None and needed not in held and instead not in held:
        raise denied(needed)


def _holds_anywhere(caller: Caller, needed: Permission, instead: Permission | None) -> bool:
    return caller.holds_anywhere(needed) or (instead is not None and caller.holds_anywhere(instead))


def reaches(caller: Caller, target: Target) -> bool:
    """Whether the target exists for the caller."""
    return _exists_for(caller, caller.holds(target.organization, target.application), target)


def _exists_for(caller: Caller, held: Permissions, target: Target) -> bool:
    mine = caller.user_id in target.people and (bool(held) or caller.organization == target.organization)
    return mine or not held.isdisjoint(target.reached_by)


def authorize_giving(caller: Caller, given: Permissions, organization: int) -> None:
    """Decides whether the caller may give others these permissions in an organization (0: on the server).

    Raises:
        PermissionDenied: they do not hold all of them there themselves.
    """
    lacking = given - caller.holds(organization)
    if lacking:
        name = min(lacking).name
        raise PermissionDenied(
            Reason.PERMISSION_ESCALATION,
            f"{name} can only be given by those who hold it",
            metadata={"permission": name},
        )


def denied(needed: Permission | None) -> PermissionDenied:
    """Returns the error that says which permission is missing."""
    name = needed.name if needed is not None else "ADMINISTRATOR"
    return PermissionDenied(
        Reason.PERMISSION_MISSING, f"the permission {name} is missing", metadata={"permission": name}
    )
