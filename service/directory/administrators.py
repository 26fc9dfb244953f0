# SPDX-License-Identifier: Apache-2.0
"""The server keeps an administrator: somebody who can log in and may do everything everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.access.permissions import Permission
from service.directory import user_queries
from service.directory.logins import caller_of
from service.errors import FailedPrecondition, Reason

if TYPE_CHECKING:
    from service.work import Work


def administers_server(work: Work, user_id: int) -> bool:
    """Whether a user may do everything everywhere."""
    user = caller_of(work.tx, user_id)
    return user is not None and Permission.ADMINISTRATOR in user.holds_on_server()


def require_one(work: Work) -> None:
    """Refuses the change before it if that has left the server without an administrator.

    Raises:
        FailedPrecondition: there is none any more.
    """
    if not user_queries.has_administrator(work.tx):
        raise FailedPrecondition(Reason.BUILT_IN, "the last administrator of the server stays one")
