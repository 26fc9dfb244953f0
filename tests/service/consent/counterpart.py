# SPDX-License-Identifier: Apache-2.0
"""A profile whose application is registered at a provider that runs, and somebody with a browser who consents there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update
from yarl import URL

from almoner.v1 import application_pb2, profile_service_pb2, profile_service_pb2_grpc
from service.consent.tables import AuthorizationRow, RevocationRow
from service.storage.tables import table_of
from tests.service.profiles.desk import Application, Profile

if TYPE_CHECKING:
    from tests.broker_faults.provider.process import ClientAtProvider, Provider
    from tests.running import Almoner, Metadata
    from tests.service.profiles.desk import Desk

Started = profile_service_pb2.StartAuthorizationResponse

AUTHENTICATION = {
    "client_secret_basic": application_pb2.CLIENT_AUTHENTICATION_BASIC,
    "client_secret_post": application_pb2.CLIENT_AUTHENTICATION_POST,
    "none": application_pb2.CLIENT_AUTHENTICATION_NONE,
}


async def consent_to(provider: Provider, authorization_uri: str) -> dict[str, str]:
    """Consents as whoever follows a URL does, and returns the query that the provider sends the browser away with."""
    async with provider.session.get(URL(authorization_uri, encoded=True), allow_redirects=False) as reply:
        assert reply.status == 302, await reply.text()
        return dict(URL(reply.headers["Location"]).query)


@dataclass
class Counterpart:
    """Both sides.

    Attributes:
        desk: The profiles of an organization.
        client: Our client as the provider knows it.
        application: It as the service knows it.
        profile: A profile without tokens, of that application.
    """

    desk: Desk
    client: ClientAtProvider
    application: Application
    profile: Profile

    @property
    def almoner(self) -> Almoner:
        return self.desk.almoner

    async def start(self, by: Metadata | None = None, **members: Any) -> Started:
        """Begins an authorization."""
        started = await self.desk.call("StartAuthorization", by, **{"id": self.profile.id, **members})
        assert isinstance(started, Started)
        return started

    async def consent(self, started: Started) -> dict[str, str]:
        """Returns what a browser brings back."""
        return await consent_to(self.client.provider, started.authorization_uri)

    async def complete(self, answer: dict[str, str], by: Metadata = (), **options: Any) -> Any:
        """Brings an answer; nobody does unless it is said who."""
        members = {"issuer" if name == "iss" else name: value for name, value in answer.items()}
        request = profile_service_pb2.CompleteAuthorizationRequest(**members)
        stub: Any = profile_service_pb2_grpc.ProfileServiceStub(self.almoner.channel)
        return await stub.CompleteAuthorization(request, metadata=by, **options)

    async def connect(self, by: Metadata | None = None, **members: Any) -> None:
        """Goes the whole way."""
        await self.complete(await self.consent(await self.start(by, **members)))

    async def stored(self) -> Any:
        """Returns what is stored of the profile."""
        return await self.desk.row(self.profile)

    async def access_token(self) -> str:
        """Returns the access token of the profile."""
        tokens = await self.desk.call("GetAccessToken", id=self.profile.id)
        return str(tokens.access_token)

    async def delete(self, **options: Any) -> Any:
        """Deletes the profile and returns the reply."""
        request = profile_service_pb2.DeleteProfileRequest(id=self.profile.id)
        stub: Any = profile_service_pb2_grpc.ProfileServiceStub(self.almoner.channel)
        return await stub.DeleteProfile(request, metadata=self.desk.chief.by, **options)

    async def waiting(self) -> int:
        """Returns how many authorizations of the profile wait for their answer."""
        table = table_of(AuthorizationRow)
        statement = select(func.count()).where(table.c.profile_id == self.profile.id)
        return int(await self.almoner.service.store.read(lambda tx: tx.execute(statement).scalar_one()))

    async def age(self, microseconds: int) -> None:
        """Lets what waits have begun that much earlier."""
        table = table_of(AuthorizationRow)
        statement = (
            update(table)
            .where(table.c.profile_id == self.profile.id)
            .values(expires=table.c.expires - microseconds, created=table.c.created - microseconds)
        )
        await self.almoner.service.store.write(lambda tx: tx.execute(statement).rowcount)

    async def revocations(self) -> list[Any]:
        """Returns the revocations of the organization that are not done."""
        table = table_of(RevocationRow)
        statement = select(table).where(table.c.organization == self.desk.organization.number)
        return await self.almoner.service.store.read(lambda tx: list(tx.execute(statement)))

    async def let_revocations_be_due(self, **columns: Any) -> None:
        """Lets the next try of what is not done be now."""
        table = table_of(RevocationRow)
        of_organization = table.c.organization == self.desk.organization.number
        statement = update(table).where(of_organization).values(next_try=0, **columns)
        await self.almoner.service.store.write(lambda tx: tx.execute(statement).rowcount)

    async def outcomes(self, action: str = "profile.authorize") -> list[dict[str, Any]]:
        """Returns what the audit trail says has become of authorizations."""
        return [event.changes for event in await self.desk.events(action)]


async def open_counterpart(desk: Desk, provider: Provider, **members: Any) -> Counterpart:
    """Registers a client at the provider, and makes the application and a profile for it."""
    client = await provider.client(**members)
    registered, endpoints = client.registered, client.endpoints
    application = await desk.application(
        provider="house",
        authorize_uri=f"{endpoints}/authorize?audience=us",
        token_uri=f"{endpoints}/token",
        revocation_uri=f"{endpoints}/revoke",
        scope="read write",
        client_id=registered.id,
        client_secret=registered.secret,
        client_authentication=AUTHENTICATION[registered.authentication],
    )
    profile = await desk.create(Profile(name="Grant", application_number=application.number))
    return Counterpart(desk, client, application, profile)
