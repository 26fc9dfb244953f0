# SPDX-License-Identifier: Apache-2.0
"""Our OAuth client at a provider as a profile has it: of its application or its own, and the provider it is known to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.applications.tables import ClientAuthentication
from service.broker import queries
from service.broker.providers import PROVIDERS, UNKNOWN
from service.crypto.keyring import Where
from service.errors import FailedPrecondition, Reason

if TYPE_CHECKING:
    from service.broker.providers import Provider
    from service.broker.queries import StoredClient
    from service.crypto.keyring import Keyring
    from service.storage.store import Tx


@dataclass(frozen=True, slots=True, repr=False)
class Registration:
    """Our client at a provider, ready for use.

    Attributes:
        slug: Name of the provider.
        provider: What is known of it.
        authorize_uri: Authorization endpoint; empty: none is known, as with the other endpoints.
        token_uri: Token endpoint.
        revocation_uri: Revocation endpoint.
        scope: Scope that is asked for.
        client_id: Our client id.
        client_secret: Our client secret; empty: we have none.
        authentication: How we show who we are.
        rotates: Whether a refresh token is spent once it was used.
        lifetime: Microseconds for which an access token is good whose answer does not say so; 0: it has no end.
    """

    slug: str
    provider: Provider
    authorize_uri: str
    token_uri: str
    revocation_uri: str
    scope: str
    client_id: str
    client_secret: str
    authentication: ClientAuthentication
    rotates: bool
    lifetime: int

    def __repr__(self) -> str:
        return f"Registration(slug={self.slug!r}, client_id={self.client_id!r})"


def find(tx: Tx, keyring: Keyring, profile_id: int) -> Registration | None:
    """Returns our client as a profile has it, None where there is no such profile."""
    stored = queries.find(tx, profile_id)
    return None if stored is None else registration_of(stored, keyring)


def require(endpoint: str, registration: Registration, name: str) -> str:
    """Returns an endpoint that must be known.

    Raises:
        FailedPrecondition: it is not; `name` says which it is.
    """
    if not endpoint:
        raise FailedPrecondition(
            Reason.PROVIDER_UNKNOWN,
            f"nothing is known of a provider {registration.slug!r}, and no application names its {name} endpoint",
            metadata={"provider": registration.slug, "endpoint": name},
        )
    return endpoint


def registration_of(stored: StoredClient, keyring: Keyring) -> Registration:
    """Returns our client as it is stored, with what is known of the provider where nothing else is said."""
    known = PROVIDERS.get(stored.provider, UNKNOWN)
    secret = ""
    if stored.client_secret is not None:
        secret = keyring.unseal_text(stored.client_secret, _place_of_secret(stored))
    authentication = ClientAuthentication(stored.client_authentication or known.client_authentication)
    rotates = stored.rotates_refresh_tokens
    return Registration(
        slug=stored.provider,
        provider=known,
        authorize_uri=stored.authorize_uri or known.authorize_uri,
        token_uri=stored.token_uri or known.token_uri,
        revocation_uri=stored.revocation_uri or known.revocation_uri,
        scope=stored.scope,
        client_id=stored.client_id,
        client_secret=secret,
        authentication=authentication if secret else ClientAuthentication.NONE,
        rotates=known.rotates if rotates is None else rotates,
        lifetime=stored.assumed_token_lifetime or known.lifetime,
    )


def _place_of_secret(stored: StoredClient) -> Where:
    if stored.application_number:
        return Where("applications", "client_secret", stored.application_number)
    return Where("profiles", "client_secret", stored.id)
