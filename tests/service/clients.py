# SPDX-License-Identifier: Apache-2.0
"""Clients that are members of organizations, as tests use them: an organization, its applications, their tokens."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import select

from almoner.v1 import (
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
    directory_pb2,
    directory_service_pb2,
    grant_pb2,
    grant_service_pb2,
    grant_service_pb2_grpc,
    profile_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from service.audit.tables import AuditEventRow
from service.clock import SECOND, system_clock
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.running import Almoner, Metadata

A, D, T = application_service_pb2, directory_service_pb2, token_service_pb2
CLIENT_CREDENTIALS = application_pb2.GRANT_TYPE_CLIENT_CREDENTIALS
OWNER, ADMINISTRATOR, DEVELOPER, MEMBER = "org:org_owner", "org:org_admin", "org:developer", "org:org_member"
ROLES = (OWNER, ADMINISTRATOR, DEVELOPER, MEMBER)
ROLE_IDS = {OWNER: 10, ADMINISTRATOR: 11, DEVELOPER: 12, MEMBER: 13}
"""The built-in roles that users have in place of these scopes."""


class Time:
    """A clock that stands, at the beginning of a second, until it is moved."""

    def __init__(self) -> None:
        self.now = system_clock() // SECOND * SECOND

    def __call__(self) -> int:
        return self.now

    def pass_by(self, microseconds: int) -> None:
        self.now += microseconds


class App(NamedTuple):
    """A client application with its secret."""

    id: str
    number: int
    secret: str


class Event(NamedTuple):
    """An audit event."""

    actor: str
    subject: str
    resource: str
    organization: int
    changes: dict[str, Any]


def bearer(token: str) -> Metadata:
    """Returns the metadata of a call with a token."""
    return (("authorization", f"Bearer {token}"),)


def claims_of(token: str) -> dict[str, Any]:
    """Returns what a JWT says, unchecked."""
    payload = token.split(".")[1]
    return cast("dict[str, Any]", msgspec.json.decode(base64.urlsafe_b64decode(payload + "==")))


def header_of(token: str) -> dict[str, Any]:
    """Returns the header of a JWT."""
    header = token.split(".", maxsplit=1)[0]
    return cast("dict[str, Any]", msgspec.json.decode(base64.urlsafe_b64decode(header + "==")))


@dataclass
class Clients:
    """An organization of a running service whose clock stands, and the client applications in it.

    Calls are by user `admin`, unless they say otherwise.
    """

    almoner: Almoner
    time: Time
    organization: directory_pb2.Organization

    @property
    def by_admin(self) -> Metadata:
        return self.almoner.as_admin

    @property
    def applications(self) -> Any:
        return application_service_pb2_grpc.ApplicationServiceStub(self.almoner.channel)

    @property
    def profiles(self) -> Any:
        return profile_service_pb2_grpc.ProfileServiceStub(self.almoner.channel)

    @property
    def directory(self) -> Any:
        return self.almoner.directory

    @property
    def tokens(self) -> Any:
        return token_service_pb2_grpc.TokenServiceStub(self.almoner.channel)

    async def user(self, name: str, role: str = "", organization_id: str = "", **members: Any) -> Metadata:
        """Makes a user with a role in the organization, and returns their credentials."""
        role_ids = [ROLE_IDS[role]] if role else []
        organization_id = organization_id or self.organization.id
        await self.almoner.user(name, organization_id=organization_id, role_ids=role_ids, **members)
        return self.almoner.as_(name)

    async def client(
        self,
        *given: str,
        allowed: Sequence[str] = (*ROLES, "openid"),
        by: Metadata | None = None,
        organization_id: str = "",
        application_id: str = "",
        **members: Any,
    ) -> App:
        """Makes a client application of the organization and, if it is given scopes, a member of it."""
        client = {"allowed_scopes": allowed, "grant_types": [CLIENT_CREDENTIALS], **members}
        organization_id = organization_id or self.organization.id
        application = application_pb2.Application(
            id=application_id,
            name="Client",
            organization_id=organization_id,
            client=application_pb2.ClientApplication(**client),
        )
        request = A.CreateApplicationRequest(application=application)
        reply = await self.applications.CreateApplication(request, metadata=by or self.by_admin)
        app = App(reply.application.id, reply.application.number, reply.client_secret)
        if given:
            await self.join(app, *given, by=by, organization_id=organization_id)
        return app

    async def join(self, app: App, *scopes: str, by: Metadata | None = None, **members: Any) -> Any:
        """Makes an application a member of the organization, or of another one, and returns the membership."""
        wanted = {"application_id": app.id, "organization_id": self.organization.id, "scopes": scopes, **members}
        request_id = wanted.pop("request_id", "")
        membership = application_pb2.ClientMembership(**wanted)
        request = A.CreateClientMembershipRequest(membership=membership, request_id=request_id)
        reply = await self.applications.CreateClientMembership(request, metadata=by or self.by_admin)
        return reply.membership

    async def membership(self, app: App, by: Metadata | None = None, organization_id: str = "") -> Any:
        """Returns the membership of an application."""
        request = A.GetClientMembershipRequest(
            application_id=app.id, organization_id=organization_id or self.organization.id
        )
        return (await self.applications.GetClientMembership(request, metadata=by or self.by_admin)).membership

    async def memberships(self, by: Metadata | None = None, **members: Any) -> Any:
        """Returns a page of memberships, in the organization unless another one is named."""
        request = A.ListClientMembershipsRequest(**{"organization_id": self.organization.id, **members})
        return await self.applications.ListClientMemberships(request, metadata=by or self.by_admin)

    async def change(self, app: App, by: Metadata | None = None, **members: Any) -> Any:
        """Adds and removes scopes of a membership."""
        wanted = {"application_id": app.id, "organization_id": self.organization.id, **members}
        request = A.UpdateClientMembershipRequest(**wanted)
        return (await self.applications.UpdateClientMembership(request, metadata=by or self.by_admin)).membership

    async def part(self, app: App, by: Metadata | None = None, **members: Any) -> None:
        """Ends a membership."""
        wanted = {"application_id": app.id, "organization_id": self.organization.id, **members}
        request = A.DeleteClientMembershipRequest(**wanted)
        await self.applications.DeleteClientMembership(request, metadata=by or self.by_admin)

    async def allow(self, app: App, *scopes: str, by: Metadata | None = None) -> None:
        """Makes the application allow these scopes, and no others."""
        changed = application_pb2.Application(
            number=app.number, client=application_pb2.ClientApplication(allowed_scopes=scopes)
        )
        request = A.UpdateApplicationRequest(
            application=changed, update_mask=FieldMask(paths=["client.allowed_scopes"])
        )
        await self.applications.UpdateApplication(request, metadata=by or self.by_admin)

    async def delete(self, app: App, by: Metadata | None = None, *, cascade: bool = False) -> int:
        """Deletes an application, and returns how many profiles went with it."""
        request = A.DeleteApplicationRequest(id=app.id, cascade=cascade)
        reply = await self.applications.DeleteApplication(request, metadata=by or self.by_admin)
        return int(reply.profiles_deleted)

    async def issue(self, app: App, **members: Any) -> Any:
        """Returns the whole reply of a client that asks for a token."""
        wanted = {"client_id": app.id, "client_secret": app.secret, **members}
        return await self.tokens.IssueClientToken(T.IssueClientTokenRequest(**wanted))

    async def token(self, app: App, **members: Any) -> str:
        """Returns a token of a client."""
        return str((await self.issue(app, **members)).access_token)

    async def by_client(self, app: App, **members: Any) -> Metadata:
        """Returns the credentials of a client: a token of it."""
        return bearer(await self.token(app, **members))

    async def api_token(self, by: Metadata, **members: Any) -> Any:
        """Makes an API token of a user and returns the reply."""
        request = D.CreateApiTokenRequest(api_token=directory_pb2.ApiToken(name="T", **members))
        return await self.directory.CreateApiToken(request, metadata=by)

    async def exchange(self, api_token: str, **members: Any) -> Any:
        """Returns the whole reply of a user who changes an API token for a JWT."""
        return await self.tokens.ExchangeApiToken(T.ExchangeApiTokenRequest(api_token=api_token, **members))

    async def who(self, by: Metadata) -> Any:
        """Returns who somebody is."""
        return await self.directory.WhoAmI(D.WhoAmIRequest(), metadata=by)

    async def disable(self, organization: directory_pb2.Organization, *, disabled: bool = True) -> None:
        """Disables an organization, or enables it again."""
        changed = directory_pb2.Organization(id=organization.id, disabled=disabled)
        request = D.UpdateOrganizationRequest(organization=changed, update_mask=FieldMask(paths=["disabled"]))
        await self.directory.UpdateOrganization(request, metadata=self.by_admin)

    async def refuse_grant_type(self, *refused: application_pb2.GrantType.ValueType) -> None:
        """Makes the policy of the organization refuse ways to a token."""
        policy = grant_pb2.TokenPolicy(organization_id=self.organization.id, refused_grant_types=refused)
        request = grant_service_pb2.UpdateTokenPolicyRequest(
            token_policy=policy, update_mask=FieldMask(paths=["refused_grant_types"])
        )
        await grant_service_pb2_grpc.GrantServiceStub(self.almoner.channel).UpdateTokenPolicy(
            request, metadata=self.by_admin
        )

    async def events(self, action: str = "") -> list[Event]:
        """Returns the audit events, of an action or all."""
        table = table_of(AuditEventRow)
        rows = await self.almoner.service.store.read(lambda tx: tx.execute(select(table).order_by(table.c.id)).all())
        return [
            Event(row.actor, row.subject, row.resource, row.organization, msgspec.json.decode(row.changes))
            for row in rows
            if not action or row.action == action
        ]


async def open_clients(almoner: Almoner, time: Time) -> Clients:
    """Returns clients of a new organization."""
    return Clients(almoner, time, await almoner.organization("Clients"))
