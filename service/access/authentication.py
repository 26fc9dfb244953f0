# SPDX-License-Identifier: Apache-2.0
"""Who is calling: Basic (RFC 7617) and Bearer (RFC 6750) credentials, checked against the directory.

The stored half of a login is asked for at every request, so a user who is locked, changed or deleted is so at once and
on every replica. What is remembered here is only that a password fitted a digest.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from service.errors import Reason, Unauthenticated

if TYPE_CHECKING:
    from service.access.caller import Caller
    from service.clock import Clock
    from service.crypto.credential_cache import CredentialCache
    from service.crypto.keyring import Keyring
    from service.crypto.shared_checks import SharedChecks
    from service.storage.store import Store, Tx

API_TOKEN_DIGEST = "api-token"  # noqa: S105 - the purpose of a digest
MOST_CREDENTIALS = 8192
"""Characters of an authorization header at the most."""


@dataclass(frozen=True, slots=True)
class Login:
    """What is stored about a credential's user.

    Attributes:
        caller: The user with all they hold.
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

    def by_username(self, tx: Tx, username: str) -> Login | None:
        """Finds the login of a user."""
        ...

    def by_api_token(self, tx: Tx, digest: bytes) -> Login | None:
        """Finds the login of the user of an API token; `expires` is the token's."""
        ...


class Authenticator:
    """Turns an `authorization` value into a caller."""

    def __init__(
        self,
        *,
        store: Store,
        logins: Logins,
        keyring: Keyring,
        checks: SharedChecks,
        cache: CredentialCache,
        clock: Clock,
    ) -> None:
        self._store = store
        self._logins = logins
        self._keyring = keyring
        self._checks = checks
        self._cache = cache
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
            return await self._by_password(value)
        if kind == "bearer" and 0 < len(value) <= MOST_CREDENTIALS:
            return await self._by_api_token(value.strip())
        raise Unauthenticated(Reason.CREDENTIALS_MISSING, "credentials are needed: Basic or Bearer")

    async def find(self, username: str) -> Login | None:
        """Returns the login of a user by name, without any credential: for acting on their behalf."""
        return await self._store.read(lambda tx: self._logins.by_username(tx, username))

    async def _by_password(self, credentials: str) -> Caller:
        known = self._cache.find(credentials)
        if known is not None:
            login = await self.find(known.username)
            if login is not None and (login.caller.user_id, login.credential_revision) == (
                known.user_id,
                known.revision,
            ):
                return self._let_in(login)
        username, password = _user_and_password(credentials)
        login = await self.find(username)
        if login is None or not login.password_digest:
            await self._checks.check(username, password, "")
            raise _invalid()
        if not await self._checks.check(username, password, login.password_digest):
            raise _invalid()
        self._cache.remember(credentials, username, user_id=login.caller.user_id, revision=login.credential_revision)
        return self._let_in(login)

    async def _by_api_token(self, token: str) -> Caller:
        digest = self._keyring.digest(API_TOKEN_DIGEST, token.encode("utf-8", "surrogateescape"))
        login = await self._store.read(lambda tx: self._logins.by_api_token(tx, digest))
        if login is None:
            raise _invalid()
        return self._let_in(login)

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
