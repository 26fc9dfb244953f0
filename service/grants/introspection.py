# SPDX-License-Identifier: Apache-2.0
"""What access tokens are good for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.access.authorization import denied
from service.access.permissions import Permission
from service.errors import Reason, Unauthenticated
from service.grants import digests
from service.grants import token_queries as queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.grants.token_queries import StoredToken
    from service.work import AnonymousWork, Work

_NEEDED = Permission.TOKENS_INTROSPECT


def token_invalid() -> Unauthenticated:
    """Returns the error that says that a token is good for nothing, but not why."""
    return Unauthenticated(Reason.TOKEN_INVALID, "the token is unknown, expired or revoked, or another client's")


def verify(work: AnonymousWork, access_token: str) -> StoredToken:
    """Returns what an access token is of. It is asked for with every call to other services: one statement.

    Raises:
        Unauthenticated: it is unknown, expired or revoked, or its user or their organization is not active.
    """
    digest = digests.of_access_token(work.keyring, access_token)
    found = queries.find_active(work.tx, digest, work.now)
    if found is None:
        raise token_invalid()
    return found


def introspect(work: Work, access_tokens: Sequence[str]) -> list[StoredToken | None]:
    """Returns what each access token is of, None for one that is good for nothing as far as the caller may know.

    They may know it of the tokens of applications, and of users of organizations, where they hold TOKENS_INTROSPECT.

    Raises:
        PermissionDenied: TOKENS_INTROSPECT is held nowhere.
    """
    caller = work.caller
    if not caller.holds_anywhere(_NEEDED):
        raise denied(_NEEDED)
    wanted = [digests.of_access_token(work.keyring, token) for token in access_tokens]
    found = {
        token.access_token: token
        for token in queries.find_many_active(work.tx, list(set(wanted)), work.now)
        if _NEEDED in caller.holds(token.organization, token.application_number)
        or _NEEDED in caller.holds(token.user_organization)
    }
    return [found.get(digest) for digest in wanted]
