# SPDX-License-Identifier: Apache-2.0
"""What a profile says of itself: the members that callers set, and how they are stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from service.errors import InvalidField, Violation

if TYPE_CHECKING:
    from service.profiles.queries import StoredProfile

SECRETS: Final = ("client_secret", "access_token", "refresh_token", "verification_token")
"""Sealed columns of the table `profiles`."""

PLAIN: Final = ("name", "description", "provider", "application_number", "client_id", "keep_fresh")
"""Members that are stored as they are, and shown in the audit trail."""

EXPIRES: Final = "access_token_expires"
"""The member that says when the access token ends."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants a profile to be. Empty members are unset; a time is epoch microseconds."""

    name: str = ""
    description: str = ""
    provider: str = ""
    application_number: int = 0
    client_id: str = ""
    keep_fresh: bool = False
    client_secret: str = ""
    access_token: str = ""
    refresh_token: str = ""
    verification_token: str = ""
    access_token_expires: int = 0

    def __repr__(self) -> str:
        return f"Draft(name={self.name!r})"


MEMBERS: Final = frozenset((*PLAIN, *SECRETS, EXPIRES))
"""Names of everything that can be changed."""


def merged(before: StoredProfile, draft: Draft, members: frozenset[str]) -> Draft:
    """Returns the plain members as they will be, with one source where the change names one."""
    own = not before.application_number
    kept = Draft(
        name=before.name,
        description=before.description,
        provider=before.provider if own else "",
        application_number=before.application_number,
        client_id=before.client_id if own else "",
        keep_fresh=before.keep_fresh,
    )
    found = replace(kept, **{name: getattr(draft, name) for name in members.intersection(PLAIN)})
    if "application_number" in members and draft.application_number:
        return replace(found, provider="", client_id="")
    if members & {"client_id", "client_secret"} and "application_number" not in members:
        return replace(found, application_number=0)
    return found


def check(draft: Draft, *, has_client_secret: bool) -> None:
    """Looks for what a profile must have.

    Raises:
        InvalidField: it is missing, or there is something beside it that excludes it.
    """
    missing = []
    if not draft.name:
        missing.append("profile.name")
    if draft.application_number:
        if draft.client_id:
            raise InvalidField(Violation("profile.client", "is not allowed beside application_number"))
    elif not draft.client_id and not has_client_secret:
        missing.append("profile.application_number")
    else:
        if not draft.client_id:
            missing.append("profile.client.client_id")
        if not has_client_secret:
            missing.append("profile.client.client_secret")
        if not draft.provider:
            missing.append("profile.provider")
    if missing:
        raise InvalidField(*(Violation(path, "is required") for path in missing))


def plain(draft: Draft) -> dict[str, object]:
    """Returns the members without the secrets, as the columns of the table `profiles`, and for the audit trail."""
    return {
        "name": draft.name,
        "description": draft.description,
        "provider": "" if draft.application_number else draft.provider,
        "application_number": draft.application_number or None,
        "client_id": draft.client_id,
        "keep_fresh": draft.keep_fresh,
    }
