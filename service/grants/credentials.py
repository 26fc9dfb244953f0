# SPDX-License-Identifier: Apache-2.0
"""Which user a credential of a token request speaks for, where finding out takes more than one look at the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.access.caller import SYSTEM
from service.directory.escalation import holds_only_in
from service.directory.logins import login_of
from service.errors import Reason, Unauthenticated
from service.grants import assertions, certificates, jwt_mapping_queries, policies

if TYPE_CHECKING:
    from service.access.authentication import Authenticator, Login
    from service.applications.clients import Client
    from service.clock import Clock
    from service.grants.assertions import Assertion
    from service.grants.issuers import IssuerKeys
    from service.grants.jwt_mapping_queries import StoredJwtMapping
    from service.storage.store import Store


class Credentials:
    """Finds users. Whether they are active, and may have tokens, is decided when those are issued."""

    def __init__(self, *, store: Store, authenticator: Authenticator, issuers: IssuerKeys, clock: Clock) -> None:
        self._store = store
        self._authenticator = authenticator
        self._issuers = issuers
        self._clock = clock

    async def by_password(self, username: str, password: str) -> int:
        """Returns the id of the user whose name and password these are.

        Raises:
            Unauthenticated: nobody may log in with them.
            TooManyAttempts: too many passwords wait to be checked.
        """
        return (await self._authenticator.by_password(username, password)).user_id

    async def by_jwt(self, client: Client, text: str) -> int:
        """Returns the id of the user whom a JWT speaks for, by a mapping of the application's organization.

        Raises:
            Unauthenticated: the JWT is malformed, expired, wrongly signed or covered by no mapping; or there is no
                such user, or the mapping cannot speak for them.
            IssuerUnavailable: the keys of its issuer cannot be had.
        """
        assertion = assertions.read(text)
        mappings = await self._store.read(
            lambda tx: jwt_mapping_queries.of_issuer(tx, client.organization, assertion.issuer)
        )
        if not mappings:
            raise assertions.invalid("is of an issuer that no mapping of the application's organization names")
        assertions.check_times(assertion.claims, self._clock())
        assertions.verify(assertion, await self._issuers.keys_of(assertion.issuer, assertion.kid))
        return await self._by_mapping(assertion, mappings)

    async def by_certificate(self, client: Client, der: bytes) -> int:
        """Returns the id of the user whose name stands in a client certificate that TLS has verified.

        Raises:
            Unauthenticated: the certificate is not one that the policy of the application's organization takes, or
                there is no such user.
        """
        policy = await self._store.read(lambda tx: policies.policy_of(tx, client.organization))
        username = certificates.username_in(der, policy.certificate_field, policy.certificate_issuers, self._clock())
        login = await self._authenticator.find(username)
        if login is None:
            raise _unknown()
        return login.caller.user_id

    async def _by_mapping(self, assertion: Assertion, mappings: list[StoredJwtMapping]) -> int:
        for mapping in mappings:
            name = assertions.identity_of(assertion.claims, mapping)
            if name is not None:
                login = await self._user_of(mapping, name)
                if login is None or mapping.organization not in (login.caller.organization, SYSTEM):
                    raise _unknown()
                return login.caller.user_id
        raise assertions.invalid("is covered by no mapping")

    async def _user_of(self, mapping: StoredJwtMapping, name: str) -> Login | None:
        if mapping.user_id:
            return await self._store.read(lambda tx: login_of(tx, mapping.user_id))
        login = await self._authenticator.find(name)
        if login is None or mapping.organization == SYSTEM:
            return login
        # Whoever made the mapping was an administrator of its organization, and of nothing else perhaps.
        caller, organization = login.caller, mapping.organization
        within = await self._store.read(lambda tx: holds_only_in(tx, caller, organization))
        return login if within else None


def _unknown() -> Unauthenticated:
    return Unauthenticated(Reason.CREDENTIALS_INVALID, "the credentials are not valid")
