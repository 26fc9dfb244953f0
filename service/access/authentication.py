# SPDX-License-Identifier: Apache-2.0
"""Who is calling: Basic (RFC 7617) and Bearer (RFC 6750) credentials, checked against the directory.

A bearer token is an API token of a user, an access token that was issued to a client application for them, or a JWT
that was issued to a client application for itself or to a user for an API token.

The stored half of a login is asked for at every request, so a user who is locked, changed or deleted is so at once and
on every replica. What is remembered here is only that a password fitted a digest.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from service.access.signed_tokens import ClientToken
from service.errors import Reason, Unauthenticated

if TYPE_CHECKING:
    from service.access.caller import Caller
    from service.access.signed_tokens import SignedTokens, UserToken
    from service.clock import Clock
    from service.crypto.credential_cache import CredentialCache
    from service.crypto.keyring import Keyring
    from service.crypto.shared_checks import SharedChecks

API_TOKEN_DIGEST = "api-token"  # noqa: S105 - the purpose of a digest
ACCESS_TOKEN_DIGEST = "access-token"  # noqa: S105 - the purpose of a digest
_ACCESS_TOKEN_FORM: Final = re.compile(r"[A-Za-z0-9+/]{22}==")
"""16 bytes in base64, which no generated API token is."""
DOTS_OF_JWT: Final = 2
MOST_CREDENTIALS = 8192
"""Characters of an authorization header at the most."""


@dataclass(frozen=True, slots=True)
class Login:
    """What is stored about a credential's user.

    Attributes:
        caller: The user with all they hold, or all that the scopes of their access token allow of it; or the client
            application with what it was given in the organization of its token.
        allowed: Whether user and organization are active.
        expires: When the credential ends, epoch microseconds; 0: never.
        password_digest: argon2id digest; empty: no login by password.
        credential_revision: Grows whenever cached logins must end.
    """

    caller: Caller
    allowed: bool
    expires: int
    password_digest: str
    credential_revision: int


class Logins(Protocol):
    """Where logins are looked up: the directory's queries."""

    async def by_username(self, username: str) -> Login | None:
        """Finds the login of a user."""
        ...

    async def by_api_token(self, digest: bytes) -> Login | None:
        """Finds the login of the user of an API token; `expires` is the token's."""
        ...

    async def by_access_token(self, digest: bytes) -> Login | None:
        """Finds the login of the user of an access token that is not revoked, limited to its scopes; see above."""
        ...

    async def by_client_token(self, token: ClientToken) -> Login | None:
        """Finds the login of a client application in an organization, limited to what its token carries."""
        ...

    async def by_user_token(self, token: UserToken) -> Login | None:
        """Finds the login of the user of an API token that was changed for a JWT; `expires` is the API token's."""
        ...


class Authenticator:
    """Turns an `authorization` value into a caller."""

    def __init__(
        self,
        *,
        logins: Logins,
        keyring: Keyring,
        checks: SharedChecks,
        cache: CredentialCache,
        tokens: SignedTokens,
        clock: Clock,
    ) -> None:
        self._logins = logins
        self._keyring = keyring
        self._checks = checks
        self._cache = cache
        self._tokens = tokens
        self._clock = clock

    async def authenticate(self, authorization: str) -> Caller:
        """Returns the caller that the credentials belong to.

        Args:
            authorization: Value of the header, empty where there is none.

        Raises:
            Unauthenticated: no credentials, unreadable ones, or ones that nobody may log in with.
            TooManyAttempts: too many passwords wait to be checked.
            StorageUnavailable: the directory cannot be read.
        """
        scheme, _, value = authorization.partition(" ")
        kind = scheme.lower()
        if kind == "basic" and len(value) <= MOST_CREDENTIALS:
            return await self._by_basic(value)
        if kind == "bearer" and 0 < len(value) <= MOST_CREDENTIALS:
            return await self._by_token(value.strip())
        raise Unauthenticated(Reason.CREDENTIALS_MISSING, "credentials are needed: Basic or Bearer")

    async def find(self, username: str) -> Login | None:
        """Returns the login of a user by name, without any credential: for acting on their behalf."""
        return await self._logins.by_username(username)

    async def by_password(self, username: str, password: str) -> Caller:
        """Returns the user whose name and password these are.

        Raises:
            Unauthenticated: nobody may log in with them.
            TooManyAttempts: too many passwords wait to be checked.
            StorageUnavailable: the directory cannot be read.
        """
        # No header is the same: a colon is not in base64.
        credentials = f"{username}:{password}"
        return await self._known(credentials) or await self._checked(credentials, username, password)

    async def _by_basic(self, credentials: str) -> Caller:
        return await self._known(credentials) or await self._checked(credentials, *_user_and_password(credentials))

    async def _known(self, credentials: str) -> Caller | None:
        """Returns the user of credentials that were right before and are so still."""
        known = self._cache.find(credentials)
        if known is None:
            return None
        login = await self.find(known.username)
        if login is None or (login.caller.user_id, login.credential_revision) != (known.user_id, known.revision):
            return None
        return self._let_in(login)

    async def _checked(self, credentials: str, username: str, password: str) -> Caller:
        login = await self.find(username)
        if login is None or not login.password_digest:
            await self._checks.check(username, password, "")
            raise _invalid()
        if not await self._checks.check(username, password, login.password_digest):
            raise _invalid()
        self._cache.remember(credentials, username, user_id=login.caller.user_id, revision=login.credential_revision)
        return self._let_in(login)

    async def _by_token(self, token: str) -> Caller:
        signed = self._tokens.read(token, self._clock()) if token.count(".") == DOTS_OF_JWT else None
        login = await (self._find_by_token(token) if signed is None else self._find_by_signed(signed))
        if login is None:
            raise _invalid()
        return self._let_in(login)

    async def _find_by_signed(self, token: ClientToken | UserToken) -> Login | None:
        if isinstance(token, ClientToken):
            return await self._logins.by_client_token(token)
        return await self._logins.by_user_token(token)

    async def _find_by_token(self, token: str) -> Login | None:
        data = token.encode("utf-8", "surrogateescape")
        login = None
        if _ACCESS_TOKEN_FORM.fullmatch(token):
            login = await self._logins.by_access_token(self._keyring.digest(ACCESS_TOKEN_DIGEST, data))
        # An API token that an operator has chosen may have the form of any other.
        return login or await self._logins.by_api_token(self._keyring.digest(API_TOKEN_DIGEST, data))

    def _let_in(self, login: Login) -> Caller:
        if not login.allowed or (login.expires and login.expires <= self._clock()):
            raise _invalid()
        return login.caller


def _user_and_password(value: str) -> tuple[str, str]:
    """Reads RFC 7617 section 2 credentials. Control characters and NUL cannot belong to anybody."""
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise Unauthenticated(Reason.CREDENTIALS_MISSING, "the Basic credentials are not readable") from None
    username, colon, password = text.partition(":")
    if not colon or "\x00" in text:
        raise Unauthenticated(Reason.CREDENTIALS_MISSING, "the Basic credentials are not readable")
    return username, password


def _invalid() -> Unauthenticated:
    return Unauthenticated(Reason.CREDENTIALS_INVALID, "the credentials are not valid")
