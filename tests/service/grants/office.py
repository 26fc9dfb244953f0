# SPDX-License-Identifier: Apache-2.0
"""GrantService as the tests of one organization use it: calls by method name and members."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import insert, select, update

from almoner.v1 import (
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
    directory_pb2,
    directory_service_pb2,
    grant_pb2,
    grant_service_pb2,
    grant_service_pb2_grpc,
)
from service.access.permissions import Permission
from service.audit.tables import AuditEventRow
from service.grants.tables import GrantRow, GrantType
from service.storage.tables import table_of
from tests.service.profiles.desk import Event, Person, person

if TYPE_CHECKING:
    from tests.running import Almoner, Metadata

AccessRule = grant_pb2.AccessRule
AccessRulePair = grant_pb2.AccessRulePair
Grant = grant_pb2.Grant
JwtMapping = grant_pb2.JwtMapping
TokenPolicy = grant_pb2.TokenPolicy
Application = application_pb2.Application

AUDITOR, GRANT_ADMINISTRATOR, OAUTH_ADMINISTRATOR, OWNER, MAINTAINER = 5, 6, 7, 8, 9
"""The built-in roles of OAuth; the last two are for single applications."""

HOUR = 3_600_000_000

_NUMBERS = itertools.count(1)
_GRANTS = table_of(GrantRow)
_EVENTS = table_of(AuditEventRow)


@dataclass
class Office:
    """Access rules, grants, mappings and policy of one organization.

    Attributes:
        almoner: The service.
        organization: The organization.
        chief: Its administrator, who makes all calls that do not say otherwise.
    """

    almoner: Almoner
    organization: directory_pb2.Organization
    chief: Person

    async def call(self, method: str, by: Metadata | None = None, **members: Any) -> Any:
        """Returns the reply to a method of GrantService; `members` are those of its request."""
        request = getattr(grant_service_pb2, f"{method}Request")(**members)
        stub: Any = grant_service_pb2_grpc.GrantServiceStub(self.almoner.channel)
        return await getattr(stub, method)(request, metadata=by or self.chief.by)

    async def application(self, application_id: str = "", organization_id: str = "", **members: Any) -> Application:
        """Makes a client application, of this organization unless another one is named."""
        return await self._register(
            Application(
                id=application_id or f"client-{next(_NUMBERS)}",
                name="Client",
                organization_id=organization_id or self.organization.id,
                client=application_pb2.ClientApplication(**members),
            )
        )

    async def registration(self) -> Application:
        """Makes an application of the other kind."""
        provider = application_pb2.ProviderRegistration(provider="p", client_id="c", client_secret="s")
        return await self._register(
            Application(name="Provider", organization_id=self.organization.id, provider=provider)
        )

    async def _register(self, application: Application) -> Application:
        stub: Any = application_service_pb2_grpc.ApplicationServiceStub(self.almoner.channel)
        request = application_service_pb2.CreateApplicationRequest(application=application)
        reply = await stub.CreateApplication(request, metadata=self.almoner.as_admin_token)
        assert isinstance(reply.application, Application)
        return reply.application

    async def delete_application(self, application: Application) -> None:
        stub: Any = application_service_pb2_grpc.ApplicationServiceStub(self.almoner.channel)
        request = application_service_pb2.DeleteApplicationRequest(number=application.number)
        await stub.DeleteApplication(request, metadata=self.chief.by)

    async def system(self) -> str:
        """Returns the id of the first organization."""
        request = directory_service_pb2.GetOrganizationRequest(number=1)
        reply = await self.almoner.directory.GetOrganization(request, metadata=self.almoner.as_admin_token)
        return str(reply.organization.id)

    async def person(
        self, *held: Permission, role: int = 0, on: Application | None = None, username: str = ""
    ) -> Person:
        """Makes a member of the organization, with a role in it or on one application."""
        at_home = (role,) if role and on is None else ()
        made = await person(self.almoner, self.organization.id, held, at_home, username)
        if on is not None:
            await self.bind(made, role, application_id=on.id)
        return made

    async def delete_user(self, who: Person) -> None:
        request = directory_service_pb2.DeleteUserRequest(id=who.id)
        await self.almoner.directory.DeleteUser(request, metadata=self.almoner.as_admin_token)

    async def bind(self, who: Person, role: int, **place: Any) -> None:
        """Binds a role to a person in a place."""
        binding = directory_pb2.RoleBinding(user_id=who.id, role_id=role, **place)
        request = directory_service_pb2.CreateRoleBindingRequest(role_binding=binding)
        await self.almoner.directory.CreateRoleBinding(request, metadata=self.almoner.as_admin_token)

    async def rule(self, application: Application, who: Person, by: Metadata | None = None, **members: Any) -> Any:
        """Makes an access rule."""
        rule = AccessRule(application_id=application.id, user_id=who.id, **members)
        return (await self.call("CreateAccessRule", by, access_rule=rule)).access_rule

    async def rules(self, by: Metadata | None = None, **members: Any) -> list[int]:
        """Returns the ids of the rules of a page, in its order."""
        return [rule.id for rule in (await self.call("ListAccessRules", by, **members)).access_rules]

    async def change_rule(self, rule: AccessRule, *paths: str, by: Metadata | None = None, **members: Any) -> Any:
        reply = await self.call("UpdateAccessRule", by, access_rule=rule, update_mask=FieldMask(paths=paths), **members)
        return reply.access_rule

    async def grant(self, application: Application, who: Person, **columns: Any) -> int:
        """Stores a grant as issuing would, and returns its id."""
        now = self.almoner.service.clock()
        row = {
            "application_number": application.number,
            "user_id": who.id,
            "grant_type": GrantType.PASSWORD.value,
            "scopes": "admin certificate",
            "renewable": True,
            "access_token": secrets.token_bytes(32),
            "access_token_lifetime": HOUR,
            "access_token_issued": now,
            "access_token_expires": now + HOUR,
            "refresh_token": secrets.token_bytes(32),
            "issued": now,
            "expires": now + 24 * HOUR,
            "revoked": 0,
            **columns,
        }
        statement = insert(_GRANTS).returning(_GRANTS.c.id)
        return await self.almoner.service.store.write(lambda tx: int(tx.execute(statement, row).scalar_one()))

    async def change_grant(self, grant_id: int, **columns: Any) -> None:
        """Writes into the row of a grant behind the service's back."""
        statement = update(_GRANTS).where(_GRANTS.c.id == grant_id).values(**columns)
        await self.almoner.service.store.write(lambda tx: tx.execute(statement).rowcount)

    async def grants(self, by: Metadata | None = None, **members: Any) -> list[int]:
        """Returns the ids of the grants of a page, in its order."""
        return [grant.id for grant in (await self.call("ListGrants", by, **members)).grants]

    async def live(self) -> set[int]:
        """Returns the ids of all grants of the organization that are not revoked, as they are stored."""
        statement = select(_GRANTS.c.id).where(_GRANTS.c.revoked == 0)
        return set(await self.almoner.service.store.read(lambda tx: list(tx.execute(statement).scalars())))

    async def mapping(self, by: Metadata | None = None, **members: Any) -> Any:
        """Makes a JWT mapping."""
        return (await self.call("CreateJwtMapping", by, jwt_mapping=mapping(**members))).jwt_mapping

    async def change_mapping(self, wanted: JwtMapping, *paths: str, by: Metadata | None = None, **members: Any) -> Any:
        reply = await self.call(
            "UpdateJwtMapping", by, jwt_mapping=wanted, update_mask=FieldMask(paths=paths), **members
        )
        return reply.jwt_mapping

    async def change_policy(self, policy: TokenPolicy, *paths: str, by: Metadata | None = None, **members: Any) -> Any:
        reply = await self.call(
            "UpdateTokenPolicy", by, token_policy=policy, update_mask=FieldMask(paths=paths), **members
        )
        return reply.token_policy

    async def policy(self, by: Metadata | None = None, organization_id: str = "") -> TokenPolicy:
        reply = await self.call("GetTokenPolicy", by, organization_id=organization_id)
        assert isinstance(reply.token_policy, TokenPolicy)
        return reply.token_policy

    async def events(self, action: str) -> list[Event]:
        """Returns the organization's audit events of an action, in order."""
        of_organization = _EVENTS.c.organization == self.organization.number
        statement = select(_EVENTS).where(of_organization, _EVENTS.c.action == action).order_by(_EVENTS.c.id)
        rows = await self.almoner.service.store.read(lambda tx: list(tx.execute(statement)))
        return [
            Event(row.actor, row.subject, row.action, row.resource, msgspec.json.decode(row.changes)) for row in rows
        ]


def mapping(**members: Any) -> JwtMapping:
    """Returns a mapping to create."""
    defaults = {
        "name": f"mapping {next(_NUMBERS)}",
        "issuer_uri": "https://issuer.example",
        "purpose_field": "aud",
        "purpose_match": "almoner",
        "id_field": "sub",
        "id_match": "*",
    }
    return JwtMapping(**{**defaults, **members})


async def open_office(almoner: Almoner) -> Office:
    """Makes an organization with an administrator."""
    request = directory_service_pb2.CreateOrganizationRequest(
        organization=directory_pb2.Organization(display_name=f"office {next(_NUMBERS)}")
    )
    reply = await almoner.directory.CreateOrganization(request, metadata=almoner.as_admin_token)
    chief = await person(almoner, reply.organization.id, (Permission.ADMINISTRATOR,))
    return Office(almoner, reply.organization, chief)
