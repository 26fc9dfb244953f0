# SPDX-License-Identifier: Apache-2.0
"""What the access tokens that are JWTs say (RFC 9068), and to whom: written and read in one place.

Depends on the signer. What a token says is true of the time when it was issued: who lets its bearer in asks what is so
now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from service.access.organization_roles import is_role
from service.clock import SECOND
from service.crypto.signing import InvalidTokenError
from service.crypto.tokens import new_uuid

if TYPE_CHECKING:
    from collections.abc import Collection

    from service.crypto.signing import TokenSigner

OF_USER: Final = "user:"
"""Before the id of a user in `sub`. No id of an application has a colon: a client never passes for a user."""


class ClientToken(NamedTuple):
    """What a client application shows.

    Attributes:
        client_id: Id of the application.
        organization_id: Id of the organization that the token is for.
        scopes: What it carries.
        issued: When, epoch microseconds, rounded down to the second.
    """

    client_id: str
    organization_id: str
    scopes: frozenset[str]
    issued: int


class UserToken(NamedTuple):
    """What a user shows.

    Attributes:
        user_id: Id of the user.
        api_token_id: Id of the API token that was changed for it.
    """

    user_id: int
    api_token_id: int


class _Claims(msgspec.Struct, frozen=True):
    """The claims that are read. A `client_id` is what tells a client's token from a user's, which has an `sid`."""

    sub: str
    iat: int
    org_id: str
    permissions: frozenset[str]
    scope: str = ""
    client_id: str = ""
    sid: str = ""


class SignedTokens:
    """Issues and reads the tokens of one issuer. Times are epoch microseconds, lifetimes whole seconds."""

    def __init__(self, signer: TokenSigner, *, issuer: str, audience: str) -> None:
        """Takes what `iss` and `aud` are in its tokens."""
        self._signer = signer
        self._issuer = issuer
        self._audience = audience

    def to_client(
        self, client_id: str, organization_id: str, scopes: Collection[str], *, now: int, lifetime: int
    ) -> str:
        """Returns a token of a client application for an organization.

        Raises:
            TokenTooLargeError: it carries too much.
            NoSigningKeyError: the keyring has no signing key.
        """
        who = {"sub": client_id, "azp": client_id, "client_id": client_id}
        return self._signed(who, organization_id, scopes, now, now // SECOND + lifetime)

    def to_user(self, user: UserToken, organization_id: str, scopes: Collection[str], *, now: int, expires: int) -> str:
        """Returns a token of a user for an organization; `expires` is in seconds since 1970.

        Raises:
            NoSigningKeyError: the keyring has no signing key.
        """
        who = {"sub": f"{OF_USER}{user.user_id}", "sid": str(user.api_token_id)}
        return self._signed(who, organization_id, scopes, now, expires)

    def read(self, token: str, now: int) -> ClientToken | UserToken | None:
        """Returns what a token says that was signed here, for here, and has not expired; None for any other text."""
        try:
            found = self._signer.verify(token, now, issuer=self._issuer, audience=self._audience)
            claims = msgspec.convert(found, _Claims)
            if claims.client_id:
                scopes = claims.permissions.union(claims.scope.split())
                return ClientToken(claims.client_id, claims.org_id, scopes, claims.iat * SECOND)
            return UserToken(int(claims.sub.removeprefix(OF_USER)), int(claims.sid))
        except (InvalidTokenError, msgspec.ValidationError, ValueError):
            return None

    def _signed(
        self, who: dict[str, str], organization_id: str, scopes: Collection[str], now: int, expires: int
    ) -> str:
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            **who,
            "iat": now // SECOND,
            "exp": expires,
            "jti": new_uuid(),
            "org_id": organization_id,
            "permissions": sorted(scope for scope in scopes if is_role(scope)),
        }
        if scope := " ".join(sorted(scope for scope in scopes if not is_role(scope))):
            claims["scope"] = scope
        return self._signer.sign(claims, now)
