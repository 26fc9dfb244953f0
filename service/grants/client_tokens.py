# SPDX-License-Identifier: Apache-2.0
"""JWTs that client applications get for themselves (RFC 6749 section 4.4). Nothing is written of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from service.access.organization_roles import carried, is_role
from service.access.scopes import SCOPES
from service.applications.secrets import client_invalid
from service.clock import MINUTE, SECOND
from service.crypto.signing import TokenTooLargeError
from service.crypto.signing_keys import LONGEST_LIFETIME
from service.errors import NotFound, PermissionDenied, Reason
from service.grants import client_token_queries as queries
from service.grants.grant_types import require_grant_type
from service.grants.policies import FIRST
from service.grants.tables import GrantType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from service.access.signed_tokens import SignedTokens
    from service.applications.clients import Client
    from service.grants.client_token_queries import Terms
    from service.work import AnonymousWork

LIFETIME: Final = 10 * MINUTE
"""How long a token lives whose application says nothing else."""

_decode_texts = msgspec.json.Decoder(frozenset[str]).decode
_decode_numbers = msgspec.json.Decoder(tuple[int, ...]).decode


class Wanted(NamedTuple):
    """A token that a client wants.

    Attributes:
        organization_id: The organization that it is to be for; empty: the application's own.
        scopes: What it is to carry; none: all that it may.
        lifetime: How long it may live, microseconds; 0: as long as the application says.
    """

    organization_id: str = ""
    scopes: Sequence[str] = ()
    lifetime: int = 0


class SignedToken(NamedTuple):
    """A new JWT, told once, with how long it lives (microseconds), what it carries, and what organization it is for."""

    access_token: str
    lifetime: int
    scopes: Sequence[str]
    organization_id: str

    def __repr__(self) -> str:
        return f"SignedToken(organization_id={self.organization_id!r})"


def issue(work: AnonymousWork, tokens: SignedTokens, client: Client, wanted: Wanted) -> SignedToken:
    """Returns a token of a client application that has shown its secret.

    Raises:
        Unauthenticated: it is gone, or one of the organizations is disabled.
        FailedPrecondition: the application, or its organization's policy, does not allow the grant type.
        NotFound: it is neither of the organization nor a member of it.
        PermissionDenied: the token may not carry what is wanted, or would be too large.
    """
    terms = queries.find_terms(work.tx, client.number, wanted.organization_id)
    if terms is None:
        raise _no_member(client.id) if wanted.organization_id else client_invalid()
    if terms.own_disabled or terms.disabled:
        raise client_invalid()
    refused = FIRST.refused_grant_types
    if terms.refused_grant_types is not None:
        refused = _decode_numbers(terms.refused_grant_types)
    require_grant_type(terms.grant_types, refused, GrantType.CLIENT_CREDENTIALS)
    if terms.scopes is None and terms.organization != terms.own:
        raise _no_member(client.id)
    scopes = _chosen(wanted.scopes, _may_carry(terms))
    lifetime = lifetime_of(wanted.lifetime or LONGEST_LIFETIME, terms.access_token_lifetime or LIFETIME)
    try:
        token = tokens.to_client(client.id, terms.organization_id, scopes, now=work.now, lifetime=lifetime)
    except TokenTooLargeError:
        raise PermissionDenied(
            Reason.SCOPE_REFUSED, "the scopes do not fit into one token: ask for some of them"
        ) from None
    return SignedToken(token, lifetime * SECOND, scopes, terms.organization_id)


def lifetime_of(*limits: int) -> int:
    """Returns how many whole seconds a token lives, at the least one, under limits in microseconds."""
    return max(min(*limits, LONGEST_LIFETIME) // SECOND, 1)


def _may_carry(terms: Terms) -> frozenset[str]:
    """Returns what the client was given in the organization, and what has no meaning here: that needs no giving."""
    allowed = _decode_texts(terms.allowed_scopes)
    given = _decode_texts(terms.scopes) if terms.scopes is not None else frozenset()
    return carried(given, allowed).union(scope for scope in allowed if _is_general(scope))


def _is_general(scope: str) -> bool:
    # A blank would make two scopes of one in the token.
    return not is_role(scope) and scope not in SCOPES and scope.split() == [scope]


def _chosen(wanted: Iterable[str], possible: Collection[str]) -> list[str]:
    lacking = set(wanted).difference(possible)
    if lacking:
        scope = min(lacking)
        raise PermissionDenied(
            Reason.SCOPE_REFUSED,
            f"the scope {scope} is not allowed: the application or its membership lacks it",
            metadata={"scope": scope},
        )
    return sorted(set(wanted) or possible)


def _no_member(client_id: str) -> NotFound:
    return NotFound(
        Reason.MEMBERSHIP_NOT_FOUND,
        f"the application {client_id} is no member of the organization",
        metadata={"id": client_id},
    )
