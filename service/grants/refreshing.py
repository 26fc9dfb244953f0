# SPDX-License-Identifier: Apache-2.0
"""Changing a refresh token for new tokens, once; and revoking the grant of whoever tries it twice.

RFC 9700 section 4.14.2: of a refresh token that was stolen, thief and owner will both make use. Which of the two comes
second cannot be told, so the grant ends for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.applications.clients import find_client
from service.applications.secrets import client_invalid
from service.audit import rules as audit
from service.crypto.tokens import new_token
from service.directory.logins import caller_of
from service.errors import Reason, Unauthenticated
from service.grants import digests
from service.grants import token_queries as queries
from service.grants.introspection import token_invalid
from service.grants.issuing import Tokens, active_user, reload, require_allowed
from service.grants.tables import GrantType

if TYPE_CHECKING:
    from service.grants.token_queries import StoredToken
    from service.work import AnonymousWork


def refresh(work: AnonymousWork, client_id: str, refresh_token: str) -> Tokens | Unauthenticated:
    """Gives the grant of a refresh token new tokens; the ones before end.

    Returns:
        The new tokens. Where the refresh token was used before, the error to answer: its grant is revoked in this very
        transaction, which an error raised would undo.

    Raises:
        Unauthenticated: the application is gone; or the refresh token is unknown, expired, revoked or another client's,
            or its user is not active.
        FailedPrecondition: the policy of the application's organization allows no refreshing.
        PermissionDenied: the access rule is gone, or it or the application does not allow the scopes any more.
    """
    client = find_client(work.tx, client_id)
    if client is None:
        raise client_invalid()
    used = digests.of_refresh_token(work.keyring, refresh_token)
    grant = queries.find_by_refresh_token(work.tx, used)
    if grant is None:
        return _answer_replay(work, queries.find_by_used(work.tx, used), client.number)
    user = active_user(work.tx, grant.user_id)
    if not _is_live(grant, work.now) or user is None:
        raise token_invalid()
    if grant.application_number != client.number:
        raise _of_another_client(client_id)
    require_allowed(work.tx, client, grant.user_id, grant.scopes.split(), GrantType.REFRESH_TOKEN)
    tokens = _renew(work, grant, used)
    changes = {"access_token_expires": [grant.access_token_expires, tokens.grant.access_token_expires]}
    audit.record(work.by(user), "grant.refresh", f"grants/{grant.id}", grant.organization, changes)
    return tokens


def _renew(work: AnonymousWork, grant: StoredToken, used: bytes) -> Tokens:
    access_token, refresh_token = new_token(), new_token()
    renewed = queries.renew(
        work.tx,
        grant.id,
        used,
        {
            "access_token": digests.of_access_token(work.keyring, access_token),
            "access_token_issued": work.now,
            "access_token_expires": min(work.now + grant.access_token_lifetime, grant.expires),
            "refresh_token": digests.of_refresh_token(work.keyring, refresh_token),
        },
    )
    if not renewed:
        raise token_invalid()
    queries.note_used(work.tx, grant.id, used, work.now)
    return Tokens(reload(work.tx, grant.id), access_token, refresh_token)


def _answer_replay(work: AnonymousWork, grant: StoredToken | None, client_number: int) -> Unauthenticated:
    """Revokes the grant of a refresh token that was used before. Another client's knowledge of it proves nothing."""
    if grant is None or grant.application_number != client_number or grant.expires <= work.now:
        raise token_invalid()
    user = caller_of(work.tx, grant.user_id)
    if queries.revoke(work.tx, grant.id, work.now) and user is not None:
        changes = {"application_number": grant.application_number, "user_id": grant.user_id}
        audit.record(work.by(user), "grant.replay", f"grants/{grant.id}", grant.organization, changes)
    return Unauthenticated(
        Reason.REFRESH_TOKEN_REUSED,
        "the refresh token was used before: its grant is revoked",
        metadata={"grant": str(grant.id)},
    )


def _of_another_client(client_id: str) -> Unauthenticated:
    return Unauthenticated(
        Reason.TOKEN_INVALID, "the refresh token was issued to another client", metadata={"client_id": client_id}
    )


def _is_live(grant: StoredToken, now: int) -> bool:
    return not grant.revoked and grant.expires > now
