# SPDX-License-Identifier: Apache-2.0
"""What the provider knows: its clients, and grants whose refresh tokens rotate and whose reuse is detected.

Nothing here speaks HTTP. An error is raised as the OAuth error that the token endpoint answers (RFC 6749 section 5.2).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field


class OAuthError(Exception):
    """A request is refused; `code` is the error of RFC 6749."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        """`status` is the HTTP status of the answer."""
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status


@dataclass
class Client:
    """A registered client.

    Attributes:
        id: Its client id.
        secret: What it authenticates with; empty for a public client.
        authentication: The only method it may use: client_secret_basic, client_secret_post or none.
        rotates: Whether every refresh gives a new refresh token and ends the one that was used.
        forgives: Whether the refresh token before the newest is taken, too, as some providers do for who lost an answer.
        expires_in: Seconds that an access token says it lives; None: it does not say.
    """

    id: str
    secret: str = ""
    authentication: str = "client_secret_basic"
    rotates: bool = True
    forgives: bool = False
    expires_in: int | None = 3600


@dataclass
class Grant:
    """What a user has consented to, with the family of its refresh tokens.

    Attributes:
        client: Whose it is.
        scope: All that was consented to.
        generation: Number of the newest refresh token; only this one may be used where they rotate.
        revoked: Whether no token of it is worth anything any more.
    """

    client: Client
    scope: frozenset[str]
    generation: int = 0
    revoked: bool = False


@dataclass(frozen=True)
class Code:
    """An authorization code, and what must come with it."""

    grant: Grant
    redirect_uri: str
    challenge: str


@dataclass(frozen=True)
class RefreshToken:
    """A refresh token of a grant."""

    grant: Grant
    generation: int


@dataclass(frozen=True)
class Tokens:
    """What a successful token request gives; `refresh_token` is None where the old one stays good."""

    access_token: str
    refresh_token: str | None
    scope: frozenset[str]
    expires_in: int | None


@dataclass
class Registry:
    """All clients, codes and tokens.

    Attributes:
        reuses: How often the detector fired, by client id.
    """

    clients: dict[str, Client] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = field(default_factory=dict)
    access_tokens: dict[str, Grant] = field(default_factory=dict)
    reuses: dict[str, int] = field(default_factory=dict)

    def authorize(self, client: Client, scope: frozenset[str], redirect_uri: str, challenge: str) -> str:
        """Consents at once, and returns an authorization code that is good once."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = Code(Grant(client, scope), redirect_uri, challenge)
        return code

    def grant(self, client: Client, scope: frozenset[str]) -> Tokens:
        """Returns the first tokens of a new grant, as if a user had gone through the authorization endpoint."""
        return self._issue(Grant(client, scope), scope, renew=True)

    def exchange(self, client: Client, code_value: str, redirect_uri: str, verifier: str) -> Tokens:
        """Exchanges a code for tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.6)."""
        code = self.codes.pop(code_value, None)
        if code is None or code.grant.client is not client or code.redirect_uri != redirect_uri:
            raise OAuthError("invalid_grant", "the code is none of this client and redirect_uri, or was used")
        digest = hashlib.sha256(verifier.encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code.challenge:
            raise OAuthError("invalid_grant", "code_verifier does not match code_challenge")
        return self._issue(code.grant, code.grant.scope, renew=True)

    def refresh(self, client: Client, token_value: str, scope: frozenset[str] | None) -> Tokens:
        """Refreshes (RFC 6749 section 6). A refresh token that was used before ends its whole family."""
        token = self.refresh_tokens.get(token_value)
        if token is None or token.grant.client is not client:
            raise OAuthError("invalid_grant", "there is no such refresh token")
        grant = token.grant
        if client.rotates and token.generation < grant.generation - int(client.forgives):
            grant.revoked = True
            self.reuses[client.id] = self.reuses.get(client.id, 0) + 1
            raise OAuthError("invalid_grant", "the refresh token was used before")
        if grant.revoked:
            raise OAuthError("invalid_grant", "the grant was revoked")
        if scope is not None and not scope <= grant.scope:
            raise OAuthError("invalid_scope", "the scope is wider than what was consented to")
        return self._issue(grant, grant.scope if scope is None else scope, renew=client.rotates)

    def revoke(self, client: Client, token_value: str) -> None:
        """Ends the grant of a token (RFC 7009); one that is not there is as good as ended."""
        token = self.refresh_tokens.get(token_value)
        grant = token.grant if token else self.access_tokens.get(token_value)
        if grant is not None and grant.client is client:
            grant.revoked = True

    def admits(self, access_token: str) -> bool:
        """Whether a resource server takes an access token."""
        grant = self.access_tokens.get(access_token)
        return grant is not None and not grant.revoked

    def _issue(self, grant: Grant, scope: frozenset[str], *, renew: bool) -> Tokens:
        access_token = f"at-{secrets.token_urlsafe(16)}"
        self.access_tokens[access_token] = grant
        refresh_token = None
        if renew:
            grant.generation += 1
            refresh_token = f"rt-{grant.generation}-{secrets.token_urlsafe(16)}"
            self.refresh_tokens[refresh_token] = RefreshToken(grant, grant.generation)
        return Tokens(access_token, refresh_token, scope, grant.client.expires_in)
