# SPDX-License-Identifier: Apache-2.0
"""The Venafi dialect as tests use it: calls by people who have access tokens."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from almoner.v1 import grant_pb2, grant_service_pb2, grant_service_pb2_grpc, token_service_pb2, token_service_pb2_grpc
from gateway.dialects.venafi.identities import prefixed_universal
from gateway.dialects.venafi.roles import ADMIN, AUDITOR, BUILT_IN, GRANT_ADMIN, MAINTAINER, MIXED, NO_ROLE, OWNER
from tests.rest import ADMIN as ADMIN_API_TOKEN

if TYPE_CHECKING:
    from tests.rest import Answer, Rest, Tenant

OAUTH = "/vedsdk/OAuth"
CLIENT = "almoner"
"""The client application that exists from the start."""

DONE = {"Result": 0, "Success": True}
NO_APPLICATION = {"Error": "The requested application could not be found", "Result": 2, "Success": False}

_NUMBERS = itertools.count(1)


class Person(NamedTuple):
    """A user with an access token."""

    id: int
    username: str
    authorization: str

    @property
    def identity(self) -> str:
        """The name that Venafi has for them."""
        return prefixed_universal(self.id)


def application_body(application_id: str, **members: Any) -> dict[str, Any]:
    """Returns the body of CreateApplication with all that is required."""
    return {
        "ApplicationId": application_id,
        "Description": "What it is for",
        "MaximumScope": "certificate:manage;security",
        "Name": f"Name of {application_id}",
        "Scope": "certificate",
        "Url": "https://www.sample-url.net",
        "Vendor": "Sample, Inc.",
        **members,
    }


@dataclass
class Venafi:
    """A gateway whose Venafi dialect is called."""

    rest: Rest

    async def send(self, name: str, body: Any = None, *, by: Any = ADMIN_API_TOKEN, **options: Any) -> Answer:
        """Sends an OAuth call."""
        sent = {} if body is None else body
        return await self.rest.post(f"{OAUTH}/{name}", sent, by=getattr(by, "authorization", by), **options)

    async def done(self, name: str, body: Any = None, **options: Any) -> Any:
        """Sends an OAuth call that must succeed, and returns its reply."""
        answer = await self.send(name, body, **options)
        assert answer.status == 200, answer
        reply = answer.json()
        assert (reply["Result"], reply["Success"]) == (0, True), reply
        return reply

    async def person(
        self, tenant: Tenant | None = None, *, roles: tuple[int, ...] = (), scopes: tuple[str, ...] = ("admin",)
    ) -> Person:
        """Makes a user with global roles, by Venafi's codes, and an access token with scopes."""
        member = await self.rest.member(tenant, roles=tuple(BUILT_IN[role] for role in roles))
        rule = grant_pb2.AccessRule(application_id=CLIENT, user_id=member.id, allowed_scopes=scopes)
        await self._grants.CreateAccessRule(
            grant_service_pb2.CreateAccessRuleRequest(access_rule=rule), metadata=self._admin
        )
        return Person(member.id, member.username, f"Bearer {await self.token(member.id, *scopes)}")

    async def token(self, user_id: int, *scopes: str, application: str = CLIENT) -> str:
        """Issues an access token to a user."""
        request = token_service_pb2.IssueTokenRequest(client_id=application, user_id=user_id, scopes=scopes)
        issued = await self._tokens.IssueToken(request, metadata=self._admin)
        token: str = issued.tokens.access_token
        return token

    async def application(self, **members: Any) -> str:
        """Makes an application and returns its id."""
        application_id = f"Application-{next(_NUMBERS)}"
        await self.done("CreateApplication", application_body(application_id, **members))
        return application_id

    async def rule(self, application: str, trustee: Person, **members: Any) -> None:
        """Lets somebody have tokens of an application."""
        body = {
            "ApplicationId": application,
            "MaximumScope": "certificate:manage;security",
            "TrusteePrefixedUniversal": trustee.identity,
            **members,
        }
        await self.done("CreateRule", body)

    async def granted(self, person: Person, role: int, application: str) -> Person:
        """Gives somebody a role for an application."""
        body = {"ApplicationId": application, "GranteePrefixedUniversal": person.identity, "Role": role}
        await self.done("GrantRole", body)
        return person

    async def in_role(self, role: int, own: str) -> Person:
        """Makes somebody of a role; one of applications for an application (Mixed: and for another one)."""
        person = await self.person(roles=(role,) if role in {AUDITOR, GRANT_ADMIN, ADMIN} else ())
        if role in {MAINTAINER, OWNER}:
            await self.granted(person, role, own)
        if role == MIXED:
            await self.granted(person, OWNER, own)
            await self.granted(person, MAINTAINER, await self.application())
        assert role != NO_ROLE or person.id
        return person

    @property
    def _grants(self) -> Any:
        return grant_service_pb2_grpc.GrantServiceStub(self.rest.almoner.channel)

    @property
    def _tokens(self) -> Any:
        return token_service_pb2_grpc.TokenServiceStub(self.rest.almoner.channel)

    @property
    def _admin(self) -> Any:
        return self.rest.almoner.as_admin_token
