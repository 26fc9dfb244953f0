# SPDX-License-Identifier: Apache-2.0
"""Whoever began an authorization, remembered so that they can be found again as the caller that they then are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.access.permissions import Permission
from service.directory.logins import account_login_of, login_of

if TYPE_CHECKING:
    from service.access.caller import Caller
    from service.storage.store import Tx


class Requester(NamedTuple):
    """A caller as it is remembered.

    Attributes:
        user_id: Id of the user.
        actor_id: Id of the user who acted on their behalf; None: nobody did.
        organization: Number of the organization of whoever had logged in.
    """

    user_id: int
    actor_id: int | None
    organization: int


def requester_of(caller: Caller) -> Requester:
    """Returns what is remembered of a caller."""
    actor = caller.actor
    return Requester(caller.user_id, actor.user_id if actor else None, (actor or caller).organization)


def caller_again(tx: Tx, requester: Requester) -> Caller | None:
    """Returns the caller, with what they hold by now; None where they could not call like that any more.

    The scopes of an access token that they had limit them no longer: what they began was within these.
    """
    if requester.actor_id is None:
        return _caller(tx, requester.user_id, requester.organization)
    subject = _caller(tx, requester.user_id, 0)
    actor = _caller(tx, requester.actor_id, requester.organization)
    if subject is None or actor is None or Permission.ON_BEHALF_OF not in actor.holds(subject.organization):
        return None
    return actor.acting_for(subject)


def _caller(tx: Tx, user_id: int, organization: int) -> Caller | None:
    login = login_of(tx, user_id) or account_login_of(tx, user_id, organization)
    return login.caller if login is not None and login.allowed else None
