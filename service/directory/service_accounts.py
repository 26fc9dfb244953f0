# SPDX-License-Identifier: Apache-2.0
"""The users that client applications are, as owners of what they make, and as the authors of what they do.

Nobody sees or changes one through the directory: it comes and goes with its application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.directory import user_queries
from service.profiles import rules as profiles
from service.webhooks import rules as webhooks

if TYPE_CHECKING:
    from service.storage.store import Tx
    from service.work import Work


def name_of(application_number: int) -> str:
    """Returns the name of the account of a client application. No person's has a colon."""
    return f"client:{application_number}"


def find(tx: Tx, application_number: int) -> int:
    """Returns the id of the account of a client application, 0 where it has none."""
    return user_queries.id_of_client(tx, application_number)


def ensure(work: Work, application_number: int, application_id: str, organization: int) -> None:
    """Makes the account of a client application, unless it has one.

    Args:
        work: The unit of work.
        application_number: Number of the application.
        application_id: Its id, under which the account is shown to the client itself.
        organization: Number of the organization that it belongs to.
    """
    if find(work.tx, application_number):
        return
    login = {"password_digest": "", "password_expires": 0, "credential_revision": 1}
    state = {"disabled": False, "locked": False, "permissions": "", "email": ""}
    user_queries.add(
        work.tx,
        {
            "organization": organization,
            "username": name_of(application_number),
            "display_name": application_id,
            "application_number": application_number,
            **login,
            **state,
            "created": work.now,
            "updated": work.now,
            "revision": 1,
        },
    )


def count_of_profiles(work: Work, application_number: int) -> int:
    """Returns how many profiles a client application owns."""
    account = find(work.tx, application_number)
    return profiles.count_of_owner(work, account) if account else 0


def remove(work: Work, account: int) -> None:
    """Deletes the account of a client application that is deleted, with the profiles that it owns."""
    profiles.remove_of_owner(work, account)
    profiles.forget_user(work, account)
    webhooks.forget_user(work, account)
    user_queries.remove(work.tx, account)
