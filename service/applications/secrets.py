# SPDX-License-Identifier: Apache-2.0
"""Whether who names a client application is it (RFC 6749 section 2.3), by one of its secrets.

A generated secret is found by a keyed digest, in one statement. A chosen one may be guessed, and costs an argon2id
digest when it is presented for the first time; for some minutes from then on it is remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.applications import secret_queries
from service.errors import Reason, Unauthenticated

if TYPE_CHECKING:
    from service.applications.clients import Client
    from service.applications.secret_queries import PresentedClient
    from service.applications.secret_uses import SecretUses
    from service.applications.tables import ApplicationSecretRow
    from service.clock import Clock
    from service.crypto.credential_cache import CredentialCache
    from service.crypto.keyring import Keyring
    from service.crypto.shared_checks import SharedChecks
    from service.storage.store import Store

CLIENT_SECRET_DIGEST: Final = "client-secret"  # noqa: S105 - the purpose of a digest

PUBLIC: Final = 0
"""In place of the id of a secret where a public client needs none."""


def digest_of(keyring: Keyring, secret: str) -> str:
    """Returns what is stored of a generated secret."""
    return keyring.digest(CLIENT_SECRET_DIGEST, secret.encode()).hex()


def client_invalid() -> Unauthenticated:
    """Returns the error that says that nobody is this client, or not with this secret, but not which."""
    return Unauthenticated(Reason.CLIENT_INVALID, "there is no such client application, or its secret is wrong")


class Proof(NamedTuple):
    """A client application, and the id of the secret by which it has shown that it is; PUBLIC: it needs none."""

    client: Client
    secret_id: int

    def __repr__(self) -> str:
        return f"Proof(client={self.client.number}, secret_id={self.secret_id})"


class ClientAuthenticator:
    """Turns a client id and a secret into a client application.

    A secret that is valid when a check begins is good, however long the check takes.

    The time that it takes tells which ids exist: they are no secret (RFC 6749 section 2.2).
    """

    def __init__(
        self,
        *,
        store: Store,
        keyring: Keyring,
        checks: SharedChecks,
        cache: CredentialCache,
        uses: SecretUses,
        clock: Clock,
    ) -> None:
        """Prepares to check.

        Args:
            store: Where applications and digests are.
            keyring: Digests generated secrets.
            checks: Checks chosen ones.
            cache: Remembers those that were right; nobody else's.
            uses: Is told which secret was used.
            clock: The time.
        """
        self._store = store
        self._keyring = keyring
        self._checks = checks
        self._cache = cache
        self._uses = uses
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
        return (await self._proof(client_id, client_secret)).client

    async def authenticate_confidential(self, client_id: str, client_secret: str) -> Client:
        """Returns the client application, unless it is public: for what only a secret gives a right to.

        Args:
            client_id: Its id.
            client_secret: Its secret.

        Raises:
            Unauthenticated: as `authenticate` does, and for a public client.
            TooManyAttempts: too many passwords wait to be checked.
            StorageUnavailable: the database cannot be read.
        """
        return (await self.prove(client_id, client_secret)).client

    async def prove(self, client_id: str, client_secret: str) -> Proof:
        """Does what `authenticate_confidential` does, and tells by which secret."""
        proof = await self._proof(client_id, client_secret)
        if proof.secret_id == PUBLIC:
            raise client_invalid()
        return proof

    async def _proof(self, client_id: str, presented: str) -> Proof:
        now = self._clock()
        digest = digest_of(self._keyring, presented)
        client = await self._store.read(lambda tx: secret_queries.present(tx, client_id, digest))
        if client is None:
            raise client_invalid()
        # One whose secrets have expired has not become public by that.
        if not client.confidential:
            return Proof(client, PUBLIC)
        secret_id = _generated(client, now) or await self._chosen(client, presented, now)
        self._uses.note(secret_id, now)
        return Proof(client, secret_id)

    async def _chosen(self, client: Client, presented: str, now: int) -> int:
        """Returns the id of the chosen secret that is presented."""
        if not presented:
            raise client_invalid()
        secrets = await self._store.read(lambda tx: secret_queries.chosen_of(tx, client.number, now))
        # All that is remembered first: the secret of before must not cost a check of the new one at every request.
        for secret in secrets:
            if self._cache.find(_remembered(secret, presented)) is not None:
                return secret.id
        for secret in secrets:
            if await self._checks.check(client.id, presented, secret.digest):
                self._cache.remember(_remembered(secret, presented), client.id, user_id=secret.id, revision=0)
                return secret.id
        raise client_invalid()


def _generated(client: PresentedClient, now: int) -> int | None:
    """Returns the id of the generated secret that was presented, if it is valid."""
    valid = not client.secret_expires or client.secret_expires > now
    return client.secret_id if valid else None


def _remembered(secret: ApplicationSecretRow, presented: str) -> str:
    """Returns what is remembered: that this fits this digest, whose salt no other secret's has, and which has no NUL."""
    return f"{secret.digest}\0{presented}"
