# SPDX-License-Identifier: Apache-2.0
"""Issuing tokens to a user for a client application, who has proven to be both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from service.access.authorization import Target, authorize
from service.access.permissions import Permission
from service.applications.clients import find_client
from service.applications.secrets import client_invalid
from service.audit import rules as audit
from service.crypto.tokens import new_token
from service.directory.escalation import require_all_of
from service.directory.logins import login_of
from service.errors import PermissionDenied, Reason, Unauthenticated
from service.grants import access_rule_queries, digests, policies
from service.grants import token_queries as queries
from service.grants.grant_types import require_grant_type
from service.grants.scopes import check_wanted, require_within, to_stored
from service.grants.terms import terms_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.access.caller import Caller
    from service.applications.clients import Client
    from service.grants.access_rule_queries import StoredAccessRule
    from service.grants.policies import Policy
    from service.grants.tables import GrantType
    from service.grants.token_queries import StoredToken
    from service.storage.store import Tx
    from service.work import AnonymousWork


@dataclass(frozen=True, slots=True)
class Wanted:
    """Tokens that a client wants.

    Attributes:
        client_id: Id of the client application.
        user_id: The user whom they are to authenticate.
        scopes: What they are to be good for.
        grant_type: How the client came by the user.
        actor: Who answers for it that the user is to have them; None: the user has proven it.
    """

    client_id: str
    user_id: int
    scopes: Sequence[str]
    grant_type: GrantType
    actor: Caller | None = None


class Tokens(NamedTuple):
    """New tokens, told once, and the grant that they are of. The refresh token is empty where there is none."""

    grant: StoredToken
    access_token: str
    refresh_token: str

    def __repr__(self) -> str:
        return f"Tokens(grant={self.grant.id})"


def issue(work: AnonymousWork, wanted: Wanted) -> Tokens:
    """Makes a grant with its first tokens.

    Raises:
        InvalidField: there are no scopes, or one is no scope token.
        FailedPrecondition: the application, or its organization's policy, does not allow the grant type.
        PermissionDenied: no access rule lets the user have tokens of the application, or not with these scopes; or
            they are worth more than all that the actor holds.
        Unauthenticated: the application is gone, or the user is, disabled or locked.
    """
    check_wanted(wanted.scopes)
    client = find_client(work.tx, wanted.client_id)
    if client is None:
        raise client_invalid()
    rule, policy = require_allowed(work.tx, client, wanted.user_id, wanted.scopes, wanted.grant_type)
    subject = active_user(work.tx, wanted.user_id)
    if subject is None:
        raise Unauthenticated(Reason.CREDENTIALS_INVALID, "the credentials are not valid")
    if wanted.actor is not None:
        require_all_of(work.by(wanted.actor), subject.user_id, wanted.scopes)
        subject = replace(subject, actor=wanted.actor.actor or wanted.actor)
    terms = terms_of(client, rule, policy, work.now)
    access_token, refresh_token = new_token(), new_token() if terms.renewable else ""
    grant_id = queries.add(
        work.tx,
        {
            "application_number": client.number,
            "user_id": wanted.user_id,
            "grant_type": wanted.grant_type.value,
            "scopes": to_stored(wanted.scopes),
            "renewable": terms.renewable,
            "access_token": digests.of_access_token(work.keyring, access_token),
            "access_token_lifetime": terms.access_token_lifetime,
            "access_token_issued": work.now,
            "access_token_expires": terms.access_token_expires,
            "refresh_token": digests.of_refresh_token(work.keyring, refresh_token) if refresh_token else None,
            "issued": work.now,
            "expires": terms.expires,
            "revoked": 0,
        },
    )
    grant = reload(work.tx, grant_id)
    changes = {
        "application_number": client.number,
        "user_id": grant.user_id,
        "grant_type": wanted.grant_type.name,
        "scopes": grant.scopes,
        "expires": grant.expires,
    }
    audit.record(
        work.by(subject),
        "grant.issue",
        f"grants/{grant_id}",
        client.organization,
        audit.differences({}, changes),
    )
    return Tokens(grant, access_token, refresh_token)


def require_allowed(
    tx: Tx, client: Client, user_id: int, scopes: Iterable[str], grant_type: GrantType
) -> tuple[StoredAccessRule, Policy]:
    """Returns the access rule and the policy by which a user may have tokens of an application.

    Raises:
        FailedPrecondition: the application, or its organization's policy, does not allow the grant type.
        PermissionDenied: there is no such rule, or it does not allow the scopes, or the application does not.
    """
    policy = require_way(tx, client, grant_type)
    rule = access_rule_queries.find_pair(tx, client.number, user_id)
    if rule is None:
        raise PermissionDenied(
            Reason.GRANT_REFUSED, f"no access rule lets the user have tokens of the application {client.id}"
        )
    require_within(scopes, client.allowed_scopes, rule.allowed_scopes)
    return rule, policy


def require_way(tx: Tx, client: Client, grant_type: GrantType) -> Policy:
    """Returns the policy for an application that may get tokens in this way.

    Raises:
        FailedPrecondition: the application, or its organization's policy, does not allow the grant type.
    """
    policy = policies.policy_of(tx, client.organization)
    require_grant_type(client.grant_types, policy.refused_grant_types, grant_type)
    return policy


def require_may_issue(caller: Caller, client: Client) -> None:
    """Lets a caller have tokens issued to others on their word.

    Raises:
        PermissionDenied: TOKENS_ISSUE for the application is missing.
    """
    authorize(caller, Permission.TOKENS_ISSUE, Target(client.organization, application=client.number), None)


def active_user(tx: Tx, user_id: int) -> Caller | None:
    """Returns a user as the caller they would be; None if they are gone, disabled or locked, or their organization is."""
    login = login_of(tx, user_id)
    return login.caller if login is not None and login.allowed else None


def reload(tx: Tx, grant_id: int) -> StoredToken:
    """Returns a grant that this transaction has written."""
    grant = queries.find(tx, grant_id)
    if grant is None:
        raise LookupError(f"grant {grant_id} is gone, in the transaction that wrote it")
    return grant
