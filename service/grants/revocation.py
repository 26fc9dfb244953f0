# SPDX-License-Identifier: Apache-2.0
"""Revoking a grant by one of its tokens (RFC 7009)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.audit import rules as audit
from service.directory.logins import caller_of
from service.grants import digests
from service.grants import token_queries as queries
from service.grants.introspection import token_invalid

if TYPE_CHECKING:
    from service.grants.token_queries import StoredToken
    from service.work import AnonymousWork


def revoke(work: AnonymousWork, token: str) -> StoredToken:
    """Revokes the whole grant of an access token or refresh token, and returns it as it was.

    Raises:
        Unauthenticated: the token is no current one, or has expired, or its grant is revoked already.
    """
    access_token = digests.of_access_token(work.keyring, token)
    refresh_token = digests.of_refresh_token(work.keyring, token)
    grant = queries.find_live(work.tx, access_token, refresh_token, work.now)
    user = caller_of(work.tx, grant.user_id) if grant is not None else None
    if grant is None or user is None or not queries.revoke(work.tx, grant.id, work.now):
        raise token_invalid()
    changes = {"application_number": grant.application_number, "user_id": grant.user_id}
    audit.record(work.by(user), "grant.revoke", f"grants/{grant.id}", grant.organization, changes)
    return grant
