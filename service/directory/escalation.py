# SPDX-License-Identifier: Apache-2.0
"""Nobody gives away, takes away or takes over what they do not hold themselves.

Who acts on behalf of another is measured by what they hold themselves: the other's rights are not theirs to give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.access.authorization import authorize_giving
from service.access.caller import PlaceKind
from service.access.scopes import limited
from service.directory import binding_queries
from service.directory.logins import caller_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.access.caller import Caller, Place
    from service.access.permissions import Permissions
    from service.storage.store import Tx
    from service.work import Work


def require_held(work: Work, permissions: Permissions, place: Place) -> None:
    """Lets the caller give or take permissions in a place.

    Raises:
        PermissionDenied: they do not hold all of them there.
    """
    giver = _giver(work)
    if place.kind == PlaceKind.APPLICATION:
        application = binding_queries.find_application_by_number(work.tx, place.number)
        if application is not None:
            held = giver.holds(application.organization, application.number)
            authorize_giving(giver, permissions - held, application.organization)
    else:
        # The number of the server as a place is 0, as that of no organization is.
        authorize_giving(giver, permissions, place.number)


def require_held_everywhere(work: Work, permissions: Permissions, places: Iterable[Place]) -> None:
    """Lets the caller give or take permissions in several places.

    Raises:
        PermissionDenied: they do not hold all of them in each.
    """
    for place in places:
        require_held(work, permissions, place)


def require_all_of(work: Work, user_id: int, scopes: Iterable[str] | None = None) -> None:
    """Lets the caller take over, or take away, all that a user holds: a credential of theirs is worth that much.

    Args:
        work: The unit of work.
        user_id: The user.
        scopes: What the credential is limited to; None: nothing.

    Raises:
        PermissionDenied: the user holds something, somewhere, that the caller does not. Callers who are limited to
            scopes do not even hold all that is their own.
    """
    giver = _giver(work)
    if user_id == giver.user_id and giver.scopes is None:
        return
    user = caller_of(work.tx, user_id)
    if user is None:
        return
    for place, permissions in limited(user, None if scopes is None else frozenset(scopes)).held_in:
        require_held(work, permissions, place)


def holds_only_in(tx: Tx, user: Caller, organization: int) -> bool:
    """Whether all that a user holds is in one organization, whose administrators are then worth no less."""
    for (kind, number), _ in user.held_in:
        place_organization = number
        if kind == PlaceKind.APPLICATION:
            application = binding_queries.find_application_by_number(tx, number)
            place_organization = application.organization if application is not None else organization
        if place_organization != organization:
            return False
    return True


def _giver(work: Work) -> Caller:
    return work.caller.actor or work.caller
