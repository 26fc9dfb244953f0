# SPDX-License-Identifier: Apache-2.0
"""JWTs that users get for their API tokens, and which are good for no longer. Nothing is written of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.access.authentication import API_TOKEN_DIGEST
from service.access.organization_roles import ROLES, role_scope
from service.access.signed_tokens import UserToken
from service.clock import MINUTE, SECOND
from service.directory.logins import find_api_token
from service.directory.scopes import organization_not_found
from service.grants.client_token_queries import find_place
from service.grants.client_tokens import SignedToken, lifetime_of
from service.grants.introspection import token_invalid

if TYPE_CHECKING:
    from service.access.caller import Caller
    from service.access.signed_tokens import SignedTokens
    from service.grants.client_token_queries import Place
    from service.work import AnonymousWork

LIFETIME: Final = 30 * MINUTE
"""How long a token lives if nobody asks for less or more."""

OF_PEOPLE: Final = ("org_owner", "org_admin", "developer", "org_member")
"""Names of the roles in an organization that tokens of users tell."""


class Wanted(NamedTuple):
    """A token that a user wants.

    Attributes:
        organization_id: The organization that it is to be for; empty: the user's own.
        lifetime: How long it may live, microseconds; 0: LIFETIME.
    """

    organization_id: str = ""
    lifetime: int = 0


def exchange(work: AnonymousWork, tokens: SignedTokens, api_token: str, wanted: Wanted) -> SignedToken:
    """Returns a JWT of the user of an API token.

    Raises:
        Unauthenticated: the API token is unknown or has expired, or its user or their organization is not active.
        NotFound: there is no such organization for the user.
    """
    digest = work.keyring.digest(API_TOKEN_DIGEST, api_token.encode())
    found = find_api_token(work.tx, digest)
    if found is None or not found.login.allowed:
        raise token_invalid()
    caller, ends = found.login.caller, found.login.expires // SECOND
    begins = work.now // SECOND
    lifetime = lifetime_of(wanted.lifetime or LIFETIME)
    expires = min(begins + lifetime, ends) if ends else begins + lifetime
    # One that ends within this second is as good as ended: a token has whole seconds.
    if expires <= begins:
        raise token_invalid()
    place = _place(work, caller, wanted.organization_id)
    scopes = _roles(caller, place.number)
    user = UserToken(caller.user_id, found.api_token_id)
    token = tokens.to_user(user, place.id, scopes, now=work.now, expires=expires)
    return SignedToken(token, (expires - begins) * SECOND, scopes, place.id)


def _place(work: AnonymousWork, caller: Caller, organization_id: str) -> Place:
    """Returns an organization that is the user's, or in which they hold anything."""
    place = find_place(work.tx, organization_id or caller.organization)
    if place is None or place.disabled or not (place.number == caller.organization or caller.holds(place.number)):
        raise organization_not_found(organization_id)
    return place


def _roles(caller: Caller, organization: int) -> list[str]:
    held = caller.holds(organization)
    return sorted(role_scope(role) for role in OF_PEOPLE if ROLES[role] <= held)
