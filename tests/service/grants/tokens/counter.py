# SPDX-License-Identifier: Apache-2.0
"""TokenService as tests use it: an organization with one user and one public application, and a clock that they set."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from google.protobuf.duration_pb2 import Duration
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
    token_service_pb2,
    token_service_pb2_grpc,
)
from service.audit.tables import AuditEventRow
from service.clock import system_clock
from service.storage.tables import table_of
from tests.refusals import refusal_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from tests.refusals import Refusal
    from tests.running import Almoner, Metadata

A, D, G, T = application_service_pb2, directory_service_pb2, grant_service_pb2, token_service_pb2
Application, GrantType = application_pb2.Application, application_pb2.GrantType
EVERY_WAY = [number for number in GrantType.values() if number]

_NUMBERS = itertools.count(1)


class Time:
    """A clock that goes on only when told to."""

    def __init__(self) -> None:
        self.now = system_clock()

    def __call__(self) -> int:
        return self.now

    def pass_by(self, microseconds: int) -> None:
        self.now += microseconds


def duration(microseconds: int) -> Duration:
    return Duration(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1_000)


def micros(message: Any) -> int:
    """Returns a timestamp or a duration in microseconds."""
    return int(message.seconds * 1_000_000 + message.nanos // 1_000)


@dataclass
class Counter:
    """Where tokens are handed out to a user of an organization, for one application.

    Attributes:
        almoner: The service.
        time: Its clock.
        organization: Of the user and the application.
        user: The user.
        application: The application, a public client with every grant type.
        rule: The access rule that joins the two.
    """

    almoner: Almoner
    time: Time
    organization: directory_pb2.Organization
    user: directory_pb2.User
    application: application_pb2.Application
    rule: grant_pb2.AccessRule = field(default_factory=grant_pb2.AccessRule)

    @property
    def tokens(self) -> Any:
        return token_service_pb2_grpc.TokenServiceStub(self.almoner.channel)

    @property
    def grants(self) -> Any:
        return grant_service_pb2_grpc.GrantServiceStub(self.almoner.channel)

    @property
    def applications(self) -> Any:
        return application_service_pb2_grpc.ApplicationServiceStub(self.almoner.channel)

    @property
    def by_user(self) -> Metadata:
        return self.almoner.as_(self.user.username)

    @property
    def by_admin(self) -> Metadata:
        return self.almoner.as_admin_token

    async def another_user(self, organization_id: str = "", **members: Any) -> directory_pb2.User:
        name = f"person{next(_NUMBERS)}"
        return await self.almoner.user(name, organization_id=organization_id or self.organization.id, **members)

    async def another_application(
        self, *, organization_id: str = "", public: bool = True, client_secret: str = "", **members: Any
    ) -> tuple[application_pb2.Application, str]:
        """Makes an application with its generated secret; `members` are those of ClientApplication."""
        client = {"allowed_scopes": ["a", "b", "c"], "grant_types": EVERY_WAY, **members}
        request = A.CreateApplicationRequest(
            application=Application(
                name="Client",
                organization_id=organization_id or self.organization.id,
                client=application_pb2.ClientApplication(**client),
            ),
            public=public,
            client_secret=client_secret,
        )
        reply = await self.applications.CreateApplication(request, metadata=self.by_admin)
        return reply.application, reply.client_secret

    async def change_application(self, *paths: str, **members: Any) -> None:
        changed = Application(number=self.application.number, client=application_pb2.ClientApplication(**members))
        mask = FieldMask(paths=[f"client.{path}" for path in paths])
        request = A.UpdateApplicationRequest(application=changed, update_mask=mask)
        await self.applications.UpdateApplication(request, metadata=self.by_admin)

    async def allow(
        self,
        application: application_pb2.Application | None = None,
        user: directory_pb2.User | None = None,
        **members: Any,
    ) -> grant_pb2.AccessRule:
        """Makes an access rule."""
        rule = grant_pb2.AccessRule(
            application_id=(application or self.application).id,
            user_id=(user or self.user).id,
            **{"allowed_scopes": ["a", "b"], **members},
        )
        request = G.CreateAccessRuleRequest(access_rule=rule)
        reply = await self.grants.CreateAccessRule(request, metadata=self.by_admin)
        assert isinstance(reply.access_rule, grant_pb2.AccessRule)
        return reply.access_rule

    async def change_rule(self, *paths: str, **members: Any) -> None:
        changed = grant_pb2.AccessRule(id=self.rule.id, **members)
        request = G.UpdateAccessRuleRequest(access_rule=changed, update_mask=FieldMask(paths=paths))
        await self.grants.UpdateAccessRule(request, metadata=self.by_admin)

    async def drop_rule(self) -> None:
        await self.grants.DeleteAccessRule(G.DeleteAccessRuleRequest(id=self.rule.id), metadata=self.by_admin)

    async def change_policy(self, *paths: str, **members: Any) -> None:
        policy = grant_pb2.TokenPolicy(organization_id=self.organization.id, **members)
        request = G.UpdateTokenPolicyRequest(token_policy=policy, update_mask=FieldMask(paths=paths))
        await self.grants.UpdateTokenPolicy(request, metadata=self.by_admin)

    async def change_user(self, *paths: str, **members: Any) -> None:
        user = directory_pb2.User(id=self.user.id, **members)
        request = D.UpdateUserRequest(user=user, update_mask=FieldMask(paths=paths))
        await self.almoner.directory.UpdateUser(request, metadata=self.by_admin)

    async def change_organization(self, *paths: str, **members: Any) -> None:
        organization = directory_pb2.Organization(id=self.organization.id, **members)
        request = D.UpdateOrganizationRequest(organization=organization, update_mask=FieldMask(paths=paths))
        await self.almoner.directory.UpdateOrganization(request, metadata=self.by_admin)

    async def issue(self, *scopes: str, metadata: Metadata = (), **members: Any) -> Any:
        """Issues tokens, by the user's password unless `members` name another credential."""
        kinds = {"password", "jwt", "certificate", "device_code", "user_id"}
        if not kinds & set(members):
            password = f"password of {self.user.username}"
            members["password"] = T.PasswordCredential(username=self.user.username, password=password)
        wanted = list(scopes or (() if "device_code" in members else ("a",)))
        request = T.IssueTokenRequest(**{"client_id": self.application.id, "scopes": wanted, **members})
        return (await self.tokens.IssueToken(request, metadata=metadata)).tokens

    async def issue_on_word(self, *scopes: str, by: Metadata = (), user_id: int = 0, **members: Any) -> Any:
        """Issues tokens on the word of a caller, the administrator unless told otherwise."""
        user_id = user_id or self.user.id
        return await self.issue(*scopes, metadata=by or self.by_admin, user_id=user_id, **members)

    async def refresh(self, refresh_token: str, **members: Any) -> Any:
        request = T.RefreshTokenRequest(**{"client_id": self.application.id, **members}, refresh_token=refresh_token)
        return (await self.tokens.RefreshToken(request)).tokens

    async def verify(self, access_token: str) -> grant_pb2.Grant:
        reply = await self.tokens.VerifyToken(T.VerifyTokenRequest(access_token=access_token))
        assert isinstance(reply.grant, grant_pb2.Grant)
        return reply.grant

    async def is_good(self, access_token: str) -> bool:
        """Whether an access token verifies; one that does not is TOKEN_INVALID."""
        reply = await self.introspect(access_token)
        if reply[0].active:
            await self.verify(access_token)
            return True
        assert (await refusal_of(self.verify(access_token))).reason == "TOKEN_INVALID"
        return False

    async def introspect(self, *access_tokens: str, by: Metadata = ()) -> Sequence[Any]:
        request = T.IntrospectTokensRequest(tokens=access_tokens)
        reply = await self.tokens.IntrospectTokens(request, metadata=by or self.by_admin)
        found: Sequence[Any] = reply.introspections
        return found

    async def revoke(self, token: str) -> grant_pb2.Grant:
        reply = await self.tokens.RevokeToken(T.RevokeTokenRequest(token=token))
        assert isinstance(reply.grant, grant_pb2.Grant)
        return reply.grant

    async def start_device(self, *scopes: str, **members: Any) -> Any:
        request = T.StartDeviceAuthorizationRequest(
            **{"client_id": self.application.id, "scopes": scopes or ("a",), **members}
        )
        return await self.tokens.StartDeviceAuthorization(request)

    async def device(self, user_code: str, by: Metadata = ()) -> Any:
        request = T.GetDeviceAuthorizationRequest(user_code=user_code)
        return await self.tokens.GetDeviceAuthorization(request, metadata=by or self.by_user)

    async def decide(self, user_code: str, *, approve: bool, by: Metadata = ()) -> Any:
        request = T.DecideDeviceAuthorizationRequest(user_code=user_code, approve=approve)
        return await self.tokens.DecideDeviceAuthorization(request, metadata=by or self.by_user)

    async def events(self, *actions: str) -> list[Any]:
        """Returns the audit events of this organization with these actions, in order."""
        table = table_of(AuditEventRow)
        statement = (
            select(table)
            .where(table.c.organization == self.organization.number, table.c.action.in_(actions))
            .order_by(table.c.id)
        )
        return await self.almoner.service.store.read(lambda tx: list(tx.execute(statement)))

    async def changes(self, action: str) -> list[dict[str, Any]]:
        return [msgspec.json.decode(event.changes) for event in await self.events(action)]


async def refused(call: Awaitable[Any]) -> Refusal:
    return await refusal_of(call)


async def reason_of(call: Awaitable[Any]) -> str:
    """Returns the reason that a call is refused with."""
    return (await refusal_of(call)).reason


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


async def open_counter(almoner: Almoner, time: Time, scopes: Iterable[str] = ("a", "b")) -> Counter:
    """Makes an organization, a user, an application that allows a, b and c, and a rule that allows `scopes`."""
    number = next(_NUMBERS)
    organization = await almoner.organization(f"counter {number}")
    user = await almoner.user(f"user{number}", organization_id=organization.id)
    counter = Counter(almoner, time, organization, user, Application())
    counter.application, _ = await counter.another_application()
    counter.rule = await counter.allow(allowed_scopes=list(scopes))
    return counter
