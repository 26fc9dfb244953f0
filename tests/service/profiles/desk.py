# SPDX-License-Identifier: Apache-2.0
"""ProfileService as the tests of one organization use it: calls by method name and members.

People log in with API tokens: a password would cost a deliberately slow check in every test.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import quote

import msgspec
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import select, update

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
from service.profiles.tables import ProfileRow
from service.storage.tables import table_of

if TYPE_CHECKING:
    from tests.running import Almoner, Metadata

Profile = profile_pb2.Profile
ProfileLink = profile_pb2.ProfileLink
Credentials = profile_pb2.ClientCredentials
Application = application_pb2.Application
Organization = directory_pb2.Organization
P: TypeAlias = Permission

BASIC = profile_pb2.PROFILE_VIEW_BASIC
TOKENS = profile_pb2.PROFILE_VIEW_TOKENS
DATA_SOURCE = profile_pb2.LINK_KIND_DATA_SOURCE
CONNECTION = profile_pb2.LINK_KIND_CONNECTION
CUSTOMER = profile_pb2.LINK_KIND_CUSTOMER

USER_ROLE = 2
"""The built-in role of people who keep profiles of their own."""

_NUMBERS = itertools.count(1)


class Person(NamedTuple):
    """A user, and the metadata of their calls."""

    id: int
    username: str
    by: Metadata

    def acting_for(self, other: Person) -> Metadata:
        """Returns the metadata of a call on behalf of another user."""
        return (*self.by, ("almoner-on-behalf-of", quote(other.username)))


class Event(NamedTuple):
    """An audit event."""

    actor: str
    subject: str
    action: str
    resource: str
    changes: dict[str, Any]


def own(name: str = "Grant", **members: Any) -> Profile:
    """Returns a profile to create that carries client credentials of its own."""
    defaults = {"provider": "hubspot", "client": Credentials(client_id="our-id", client_secret="our-secret")}
    return Profile(name=name, **{**defaults, **members})


@dataclass
class Desk:
    """The profiles of one organization.

    Attributes:
        almoner: The service.
        organization: The organization.
        chief: Its administrator, who makes all calls that do not say otherwise.
    """

    almoner: Almoner
    organization: Organization
    chief: Person

    async def call(self, method: str, by: Metadata | None = None, **members: Any) -> Any:
        """Returns the reply to a method of ProfileService; `members` are those of its request."""
        request = getattr(profile_service_pb2, f"{method}Request")(**members)
        stub: Any = profile_service_pb2_grpc.ProfileServiceStub(self.almoner.channel)
        return await getattr(stub, method)(request, metadata=by or self.chief.by)

    async def create(self, profile: Profile, by: Metadata | None = None, **members: Any) -> Profile:
        reply = await self.call("CreateProfile", by, profile=profile, **members)
        assert isinstance(reply.profile, Profile)
        return reply.profile

    async def get(self, profile_id: int, by: Metadata | None = None, **members: Any) -> Profile:
        reply = await self.call("GetProfile", by, id=profile_id, **members)
        assert isinstance(reply.profile, Profile)
        return reply.profile

    async def update(self, profile: Profile, *paths: str, by: Metadata | None = None, **members: Any) -> Profile:
        reply = await self.call("UpdateProfile", by, profile=profile, update_mask=FieldMask(paths=paths), **members)
        assert isinstance(reply.profile, Profile)
        return reply.profile

    async def delete(self, profile_id: int, by: Metadata | None = None, **members: Any) -> int:
        """Returns how many links were released."""
        reply = await self.call("DeleteProfile", by, id=profile_id, **members)
        return int(reply.links_released)

    async def page(self, by: Metadata | None = None, **members: Any) -> Any:
        return await self.call("ListProfiles", by, **members)

    async def names(self, by: Metadata | None = None, **members: Any) -> list[str]:
        """Returns the names of the profiles of a page, in its order."""
        return [profile.name for profile in (await self.page(by, **members)).profiles]

    async def link(
        self,
        kind: profile_pb2.LinkKind.ValueType = DATA_SOURCE,
        profile: Profile | None = None,
        by: Metadata | None = None,
        **members: Any,
    ) -> ProfileLink:
        """Records a link."""
        link = ProfileLink(kind=kind, profile_id=profile.id if profile else 0, **members)
        reply = await self.call("CreateProfileLink", by, link=link)
        assert isinstance(reply.link, ProfileLink)
        return reply.link

    async def get_link(self, link_id: int, by: Metadata | None = None) -> ProfileLink:
        reply = await self.call("GetProfileLink", by, id=link_id)
        assert isinstance(reply.link, ProfileLink)
        return reply.link

    async def update_link(
        self, link: ProfileLink, *paths: str, by: Metadata | None = None, **members: Any
    ) -> ProfileLink:
        reply = await self.call("UpdateProfileLink", by, link=link, update_mask=FieldMask(paths=paths), **members)
        assert isinstance(reply.link, ProfileLink)
        return reply.link

    async def link_names(self, by: Metadata | None = None, **members: Any) -> list[str]:
        """Returns the names of the links of a page, in its order."""
        return [link.name for link in (await self.call("ListProfileLinks", by, **members)).links]

    async def application(self, organization_id: str | None = None, **members: Any) -> Application:
        """Makes a provider registration, of this organization unless another one is named."""
        registration = {
            "provider": "google_analytics",
            "authorize_uri": "https://accounts.example.com/auth",
            "token_uri": "https://accounts.example.com/token",
            "scope": "analytics.readonly offline",
            "client_id": "id-at-the-provider",
            "client_secret": "s3cret",
        }
        registered = application_pb2.ProviderRegistration(**{**registration, **members})
        return await self._register(Application(name="Analytics", provider=registered), organization_id)

    async def mend_application(self, number: int, **members: Any) -> None:
        """Changes members of a provider registration."""
        application = Application(number=number, provider=application_pb2.ProviderRegistration(**members))
        stub: Any = application_service_pb2_grpc.ApplicationServiceStub(self.almoner.channel)
        request = application_service_pb2.UpdateApplicationRequest(application=application)
        await stub.UpdateApplication(request, metadata=self.almoner.as_admin_token)

    async def client(self) -> Application:
        """Makes a client application of this organization, which no profile can use."""
        return await self._register(Application(name="Reports", client=application_pb2.ClientApplication()), None)

    async def _register(self, application: Application, organization_id: str | None) -> Application:
        application.organization_id = self.organization.id if organization_id is None else organization_id
        stub: Any = application_service_pb2_grpc.ApplicationServiceStub(self.almoner.channel)
        request = application_service_pb2.CreateApplicationRequest(application=application)
        reply = await stub.CreateApplication(request, metadata=self.almoner.as_admin_token)
        assert isinstance(reply.application, Application)
        return reply.application

    async def person(self, *held: Permission, roles: tuple[int, ...] = (), username: str = "") -> Person:
        """Makes a member of the organization."""
        return await person(self.almoner, self.organization.id, held, roles, username)

    async def user(self) -> Person:
        """Makes a member who keeps profiles of their own."""
        return await self.person(roles=(USER_ROLE,))

    async def row(self, profile: Profile) -> Any:
        """Returns what is stored of a profile."""
        table = table_of(ProfileRow)
        statement = select(table).where(table.c.id == profile.id)
        return await self.almoner.service.store.read(lambda tx: tx.execute(statement).one())

    async def put(self, profile: Profile, **columns: Any) -> None:
        """Writes into the row of a profile behind the service's back."""
        table = table_of(ProfileRow)
        statement = update(table).where(table.c.id == profile.id).values(**columns)
        await self.almoner.service.store.write(lambda tx: tx.execute(statement).rowcount)

    async def events(self, action: str) -> list[Event]:
        """Returns the organization's audit events of an action, in order."""
        table = table_of(AuditEventRow)
        of_organization = table.c.organization == self.organization.number
        statement = select(table).where(of_organization, table.c.action == action).order_by(table.c.id)
        rows = await self.almoner.service.store.read(lambda tx: list(tx.execute(statement)))
        return [
            Event(row.actor, row.subject, row.action, row.resource, msgspec.json.decode(row.changes)) for row in rows
        ]


async def person(
    almoner: Almoner,
    organization_id: str,
    held: tuple[Permission, ...] = (),
    roles: tuple[int, ...] = (),
    username: str = "",
) -> Person:
    """Makes a user with an API token."""
    user = directory_pb2.User(
        username=username or f"person{next(_NUMBERS)}",
        organization_id=organization_id,
        role_ids=roles,
        permissions=[directory_pb2.Permission.ValueType(permission.value) for permission in held],
    )
    made = await almoner.directory.CreateUser(
        directory_service_pb2.CreateUserRequest(user=user), metadata=almoner.as_admin_token
    )
    token = await almoner.directory.CreateApiToken(
        directory_service_pb2.CreateApiTokenRequest(
            api_token=directory_pb2.ApiToken(user_id=made.user.id, name="for tests")
        ),
        metadata=almoner.as_admin_token,
    )
    return Person(made.user.id, made.user.username, (("authorization", f"Bearer {token.token}"),))


async def open_desk(almoner: Almoner) -> Desk:
    """Makes an organization with an administrator."""
    request = directory_service_pb2.CreateOrganizationRequest(
        organization=Organization(display_name=f"organization {next(_NUMBERS)}")
    )
    reply = await almoner.directory.CreateOrganization(request, metadata=almoner.as_admin_token)
    chief = await person(almoner, reply.organization.id, (Permission.ADMINISTRATOR,))
    return Desk(almoner, reply.organization, chief)
