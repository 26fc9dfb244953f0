# SPDX-License-Identifier: Apache-2.0
"""DirectoryService as tests use it: calls by method name and members, as user `admin` unless they say otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from google.protobuf.field_mask_pb2 import FieldMask
from grpc.aio import AioRpcError
from sqlalchemy import select

from almoner.v1 import (
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
    directory_pb2,
    directory_service_pb2,
    profile_pb2,
    profile_service_pb2,
    profile_service_pb2_grpc,
)
from service.access.permissions import Permission
from service.audit.tables import AuditEventRow
from service.storage.tables import table_of
from tests.refusals import read_refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from tests.running import Almoner, Metadata

Organization = directory_pb2.Organization
User = directory_pb2.User
Role = directory_pb2.Role
RoleBinding = directory_pb2.RoleBinding
ApiToken = directory_pb2.ApiToken
P = Permission

OK = "OK"


class Event(NamedTuple):
    """An audit event."""

    actor: str
    subject: str
    resource: str
    organization: int
    changes: dict[str, Any]


def values(*held: Permission) -> list[directory_pb2.Permission.ValueType]:
    """Returns permissions as messages have them."""
    return [directory_pb2.Permission.ValueType(permission.value) for permission in held]


def bearer(token: str) -> Metadata:
    """Returns the metadata of a call with an API token."""
    return (("authorization", f"Bearer {token}"),)


def for_user(by: Metadata, username: str) -> Metadata:
    """Returns the metadata of a call on behalf of a user."""
    return (*by, ("almoner-on-behalf-of", username))


async def outcome_of(call: Awaitable[Any]) -> str:
    """Returns `OK`, or the reason that a call is refused with."""
    try:
        await call
    except AioRpcError as error:
        return read_refusal(error).reason
    return OK


@dataclass
class House:
    """The directory of a running service."""

    almoner: Almoner

    async def call(self, method: str, by: Metadata | None = None, **members: Any) -> Any:
        """Returns the reply to a method of DirectoryService; `members` are those of its request."""
        request = getattr(directory_service_pb2, f"{method}Request")(**members)
        return await getattr(self.almoner.directory, method)(request, metadata=by or self.almoner.as_admin)

    async def organization(self, name: str = "Acme", **members: Any) -> Organization:
        reply = await self.call("CreateOrganization", organization=Organization(display_name=name, **members))
        assert isinstance(reply.organization, Organization)
        return reply.organization

    async def user(self, username: str, *held: Permission, **members: Any) -> User:
        """Makes a user who holds permissions directly."""
        return await self.almoner.user(username, permissions=values(*held), **members)

    async def get_user(self, user_id: int) -> User:
        reply = await self.call("GetUser", id=user_id)
        assert isinstance(reply.user, User)
        return reply.user

    async def update_user(
        self, user_id: int, *paths: str, by: Metadata | None = None, etag: str = "", **members: Any
    ) -> User:
        user = User(id=user_id, **members)
        reply = await self.call("UpdateUser", by, user=user, update_mask=FieldMask(paths=paths), etag=etag)
        assert isinstance(reply.user, User)
        return reply.user

    async def role(self, name: str, *held: Permission, **members: Any) -> Role:
        """Makes a role that allows permissions."""
        reply = await self.call("CreateRole", role=Role(name=name, permissions=values(*held), **members))
        assert isinstance(reply.role, Role)
        return reply.role

    async def get_role(self, role_id: int) -> Role:
        reply = await self.call("GetRole", id=role_id)
        assert isinstance(reply.role, Role)
        return reply.role

    async def update_role(
        self, role_id: int, *paths: str, by: Metadata | None = None, etag: str = "", **members: Any
    ) -> Role:
        role = Role(id=role_id, **members)
        reply = await self.call("UpdateRole", by, role=role, update_mask=FieldMask(paths=paths), etag=etag)
        assert isinstance(reply.role, Role)
        return reply.role

    async def bind(self, user: User, role: Role | int, by: Metadata | None = None, **place: Any) -> RoleBinding:
        """Binds a role to a user in a place: `server=True`, `organization_id=…` or `application_id=…`."""
        role_id = role if isinstance(role, int) else role.id
        binding = RoleBinding(user_id=user.id, role_id=role_id, **place)
        reply = await self.call("CreateRoleBinding", by, role_binding=binding)
        assert isinstance(reply.role_binding, RoleBinding)
        return reply.role_binding

    async def api_token(self, by: Metadata | None = None, **members: Any) -> Any:
        """Returns the whole reply, with the token."""
        token = ApiToken(**{"name": "for tests", **members})
        return await self.call("CreateApiToken", by, api_token=token)

    async def application(self, organization_id: str, application_id: str) -> application_pb2.Application:
        """Registers a client application."""
        stub: Any = application_service_pb2_grpc.ApplicationServiceStub(self.almoner.channel)
        request = application_service_pb2.CreateApplicationRequest(
            application=application_pb2.Application(
                id=application_id,
                organization_id=organization_id,
                name=application_id,
                client=application_pb2.ClientApplication(),
            )
        )
        reply = await stub.CreateApplication(request, metadata=self.almoner.as_admin)
        assert isinstance(reply.application, application_pb2.Application)
        return reply.application

    async def profile(self, by: Metadata) -> int:
        """Makes a profile of the caller's, and returns its id."""
        stub: Any = profile_service_pb2_grpc.ProfileServiceStub(self.almoner.channel)
        client = profile_pb2.ClientCredentials(client_id="id", client_secret="s3cret")
        request = profile_service_pb2.CreateProfileRequest(
            profile=profile_pb2.Profile(name="grant", provider="google", client=client)
        )
        reply = await stub.CreateProfile(request, metadata=by)
        return int(reply.profile.id)

    async def profile_ids(self) -> list[int]:
        """Returns the ids of all profiles."""
        stub: Any = profile_service_pb2_grpc.ProfileServiceStub(self.almoner.channel)
        request = profile_service_pb2.ListProfilesRequest(organization_id="-")
        reply = await stub.ListProfiles(request, metadata=self.almoner.as_admin)
        return [profile.id for profile in reply.profiles]

    async def usernames(self, by: Metadata | None = None, **members: Any) -> list[str]:
        """Returns the names of the users of a page, in its order."""
        return [user.username for user in (await self.call("ListUsers", by, **members)).users]

    async def events(self, action: str) -> Sequence[Event]:
        """Returns the audit events of an action, in order."""
        table = table_of(AuditEventRow)
        statement = select(table).where(table.c.action == action).order_by(table.c.id)
        rows = await self.almoner.service.store.read(lambda tx: list(tx.execute(statement)))
        return [
            Event(row.actor, row.subject, row.resource, row.organization, msgspec.json.decode(row.changes))
            for row in rows
        ]

    async def can_log_in(self, by: Metadata) -> bool:
        """Whether credentials are good for anything."""
        return await outcome_of(self.call("WhoAmI", by)) == OK
