# SPDX-License-Identifier: Apache-2.0
"""The secrets of client applications, and whether who names a client application is it (RFC 6749 section 2.3)."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from service.applications.clients import find_client
from service.applications.rules import CLIENT_SECRET_DIGEST
from service.applications.tables import ApplicationSecretRow
from service.errors import Reason, Unauthenticated
from service.storage.statements import many
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.applications.clients import Client
    from service.clock import Clock
    from service.crypto.keyring import Keyring
    from service.crypto.passwords import PasswordHasher
    from service.storage.store import Store, Tx

_SECRETS = table_of(ApplicationSecretRow)
_OF_APPLICATION = (
    select(_SECRETS).where(_SECRETS.c.application_number == bindparam("number")).order_by(_SECRETS.c.id.desc())
)


def secrets_of(tx: Tx, number: int) -> list[ApplicationSecretRow]:
    """Returns all secrets of a client application, the newest first, those that have expired too."""
    return many(tx, ApplicationSecretRow, _OF_APPLICATION, {"number": number})


def client_invalid() -> Unauthenticated:
    """Returns the error that says that nobody is this client, or not with this secret, but not which."""
    return Unauthenticated(Reason.CLIENT_INVALID, "there is no such client application, or its secret is wrong")


class ClientAuthenticator:
    """Turns a client id and a secret into a client application.

    The time that it takes tells which ids exist: they are no secret (RFC 6749 section 2.2).
    """

    def __init__(self, *, store: Store, keyring: Keyring, passwords: PasswordHasher, clock: Clock) -> None:
        self._store = store
        self._keyring = keyring
        self._passwords = passwords
        self._clock = clock

    async def authenticate(self, client_id: str, client_secret: str) -> Client:
        """Returns the client application.

        Args:
            client_id: Its id.
            client_secret: Its secret. A public client has none, and whatever it presents is not looked at.

        Raises:
            Unauthenticated: there is none, it has another secret, or its secrets have all expired.
            TooManyAttempts: too many passwords wait to be checked.
            StorageUnavailable: the database cannot be read.
        """
        client, secrets = await self._store.read(lambda tx: _find(tx, client_id))
        if client is None:
            raise client_invalid()
        # One whose secrets have expired has not become public by that.
        if secrets and not await self._fits(client_secret, secrets):
            raise client_invalid()
        return client

    async def _fits(self, presented: str, secrets: Sequence[ApplicationSecretRow]) -> bool:
        if not presented:
            return False
        now = self._clock()
        live = [secret for secret in secrets if not secret.expires or secret.expires > now]
        digest = self._keyring.digest(CLIENT_SECRET_DIGEST, presented.encode()).hex()
        if any(hmac.compare_digest(secret.digest, digest) for secret in live if secret.generated):
            return True
        for secret in live:
            if not secret.generated and await self._passwords.verify(secret.digest, presented):
                return True
        return False


def _find(tx: Tx, client_id: str) -> tuple[Client | None, list[ApplicationSecretRow]]:
    client = find_client(tx, client_id)
    return client, secrets_of(tx, client.number) if client is not None and client.secret_count else []
