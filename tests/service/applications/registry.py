# SPDX-License-Identifier: Apache-2.0
"""ApplicationService as tests use it: calls by keyword, as user `admin` unless they say otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import Connection, func, insert, select

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
from service.applications.tables import ApplicationRow, ApplicationSecretRow
from service.audit.tables import AuditEventRow
from service.grants.tables import AccessRuleRow, DeviceAuthorizationRow, GrantRow
from service.storage.tables import StoredRow, table_of

if TYPE_CHECKING:
    from service.access.permissions import Permission
    from tests.running import Almoner, Metadata

Application = application_pb2.Application
SECRET = application_pb2.APPLICATION_VIEW_SECRET


class Event(NamedTuple):
    """An audit event."""

    actor: str
    action: str
    resource: str
    organization: int
    changes: dict[str, Any]


def provider(name: str = "Analytics", **members: Any) -> Application:
    """Returns a provider registration to create."""
    registration = {"provider": "google_analytics", "client_id": "id at the provider", "client_secret": "s3cret"}
    return Application(name=name, provider=application_pb2.ProviderRegistration(**{**registration, **members}))


def client(name: str = "Reports", **members: Any) -> Application:
    """Returns a client application to create."""
    return Application(name=name, client=application_pb2.ClientApplication(**members))


def permissions(*held: Permission) -> list[directory_pb2.Permission.ValueType]:
    """Returns permissions as messages have them."""
    return [directory_pb2.Permission.ValueType(permission.value) for permission in held]


@dataclass
class Registry:
    """The applications of a running service."""

    almoner: Almoner

    @property
    def stub(self) -> Any:
        return application_service_pb2_grpc.ApplicationServiceStub(self.almoner.channel)

    async def create(self, application: Application, by: Metadata | None = None, **members: Any) -> Any:
        """Returns the whole reply, with the secret."""
        request = application_service_pb2.CreateApplicationRequest(application=application, **members)
        return await self.stub.CreateApplication(request, metadata=by or self.almoner.as_admin)

    async def add(self, application: Application) -> Application:
        """Creates an application and returns it as it is read."""
        reply = await self.create(application)
        assert isinstance(reply.application, Application)
        return reply.application

    async def get(self, by: Metadata | None = None, **members: Any) -> Any:
        request = application_service_pb2.GetApplicationRequest(**members)
        reply = await self.stub.GetApplication(request, metadata=by or self.almoner.as_admin)
        return reply.application

    async def page(self, by: Metadata | None = None, **members: Any) -> Any:
        request = application_service_pb2.ListApplicationsRequest(**members)
        return await self.stub.ListApplications(request, metadata=by or self.almoner.as_admin)

    async def names(self, by: Metadata | None = None, **members: Any) -> list[str]:
        """Returns the names of the applications of a page, in its order."""
        return [application.name for application in (await self.page(by, **members)).applications]

    async def update(
        self, application: Application, *paths: str, by: Metadata | None = None, etag: str = "", view: Any = None
    ) -> Any:
        request = application_service_pb2.UpdateApplicationRequest(
            application=application, update_mask=FieldMask(paths=paths), etag=etag, view=view
        )
        reply = await self.stub.UpdateApplication(request, metadata=by or self.almoner.as_admin)
        return reply.application

    async def delete(self, by: Metadata | None = None, **members: Any) -> int:
        """Returns how many profiles were deleted."""
        request = application_service_pb2.DeleteApplicationRequest(**members)
        reply = await self.stub.DeleteApplication(request, metadata=by or self.almoner.as_admin)
        return int(reply.profiles_deleted)

    async def bind(self, user: directory_pb2.User, application: Application, *held: Permission) -> None:
        """Gives a user permissions on one application."""
        role = await self.almoner.directory.CreateRole(
            directory_service_pb2.CreateRoleRequest(
                role=directory_pb2.Role(name="for one application", permissions=permissions(*held))
            ),
            metadata=self.almoner.as_admin,
        )
        await self.almoner.directory.CreateRoleBinding(
            directory_service_pb2.CreateRoleBindingRequest(
                role_binding=directory_pb2.RoleBinding(
                    user_id=user.id, role_id=role.role.id, application_id=application.id
                )
            ),
            metadata=self.almoner.as_admin,
        )

    async def profile(self, application: Application, by: Metadata | None = None) -> int:
        """Makes a profile that uses an application, and returns its id."""
        request = profile_service_pb2.CreateProfileRequest(
            profile=profile_pb2.Profile(name="grant", application_number=application.number)
        )
        stub: Any = profile_service_pb2_grpc.ProfileServiceStub(self.almoner.channel)
        reply = await stub.CreateProfile(request, metadata=by or self.almoner.as_admin)
        return int(reply.profile.id)

    async def row(self, application: Application) -> Any:
        """Returns what is stored of an application."""
        table = table_of(ApplicationRow)
        statement = select(table).where(table.c.number == application.number)
        return await self.almoner.service.store.read(lambda tx: tx.execute(statement).one())

    async def secrets(self, application: Application) -> list[Any]:
        """Returns what is stored of the secrets of an application."""
        table = table_of(ApplicationSecretRow)
        statement = select(table).where(table.c.application_number == application.number)
        return await self.almoner.service.store.read(lambda tx: list(tx.execute(statement)))

    async def granted(self, application: Application) -> None:
        """Lets user admin have tokens of a client application, has some issued, and lets a device wait for them."""
        rule = {"allowed_scopes": "[]", "description": "", "grant_lifetime": 0, "renewable": None, "revision": 1}
        grant = {"grant_type": 4, "scopes": "admin", "renewable": False, "refresh_token": None, "revoked": 0}
        moments = ("access_token_issued", "access_token_expires", "issued", "expires")
        device = {"scopes": "[]", "decision": 0, "user_id": None, "polled": 0, "expires": 0}
        digest = b"%d" % application.number
        rows: dict[type[StoredRow], dict[str, object]] = {
            AccessRuleRow: {**rule, "user_id": 1, "access_token_lifetime": 0, "created": 0, "updated": 0},
            GrantRow: {**grant, "user_id": 1, "access_token_lifetime": 1, "access_token": digest}
            | dict.fromkeys(moments, 0),
            DeviceAuthorizationRow: {**device, "device_code": digest, "user_code": digest},
        }
        for row_class, values in rows.items():
            statement = insert(table_of(row_class)).values(application_number=application.number, **values)
            await self.almoner.service.store.write(partial(Connection.execute, statement=statement))

    async def count(self, row_class: type[StoredRow]) -> int:
        """Returns how many rows a table has."""
        statement = select(func.count()).select_from(table_of(row_class))
        return await self.almoner.service.store.read(lambda tx: int(tx.execute(statement).scalar_one()))

    async def events(self, action: str) -> list[Event]:
        """Returns the audit events of an action, in order."""
        table = table_of(AuditEventRow)
        statement = select(table).where(table.c.action == action).order_by(table.c.id)
        rows = await self.almoner.service.store.read(lambda tx: list(tx.execute(statement)))
        return [
            Event(row.actor, row.action, row.resource, row.organization, msgspec.json.decode(row.changes))
            for row in rows
        ]
