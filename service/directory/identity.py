# SPDX-License-Identifier: Apache-2.0
"""Who the caller is, and what they may do at home."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.access.scopes import limited
from service.directory import binding_queries, organizations, users
from service.directory.logins import caller_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.access.permissions import Permissions
    from service.directory.binding_queries import StoredBinding
    from service.directory.organizations import Organization
    from service.directory.users import User
    from service.work import Work


class Identity(NamedTuple):
    """A caller.

    Attributes:
        user: The caller, or the user on whose behalf they act.
        organization: The user's.
        permissions: What the user holds there themselves, on the server included, as far as the scopes allow it.
        actor: Who authenticated, where that is another one.
        bindings: Everything that is bound to the user, wherever it is.
        scopes: Scopes of the access token that the call was made with; None: it was made with none.
    """

    user: User
    organization: Organization
    permissions: Permissions
    actor: User | None
    bindings: Sequence[StoredBinding]
    scopes: frozenset[str] | None


def who_am_i(work: Work) -> Identity:
    """Returns who the caller is.

    Raises:
        NotFound: the user was deleted since they were authenticated.
    """
    caller = work.caller
    # A caller who acts on behalf of another holds what the actor may; the question is what the other holds.
    subject = caller_of(work.tx, caller.user_id) if caller.actor else caller
    if subject is None:
        raise users.not_found(caller.username)
    return Identity(
        user=users.load(work, subject.user_id),
        organization=organizations.load(work, subject.organization),
        permissions=limited(subject, caller.scopes).holds(subject.organization),
        actor=users.load(work, caller.actor.user_id) if caller.actor else None,
        bindings=binding_queries.of_user(work.tx, subject.user_id),
        scopes=caller.scopes,
    )
