# SPDX-License-Identifier: Apache-2.0
"""The gateway in front of a running service, as tests use it."""

from __future__ import annotations

import io
import itertools
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict
from typing_extensions import override
from yarl import URL

from almoner.v1 import directory_pb2, directory_service_pb2
from gateway.app import create_app
from gateway.runner import Runner
from tests.databases import ADMIN_PASSWORD, ADMIN_TOKEN
from tests.running import Almoner, Metadata, basic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

Client = TestClient[web.Request, web.Application]

ADMIN = f"Bearer {ADMIN_TOKEN}"
ADMIN_BASIC = basic("admin", ADMIN_PASSWORD)
PROFILES = "/api/mgmt/oauthprofiles"
APPLICATIONS = "/api/mgmt/oauthapps"
CUSTOM_PROFILES = "/api/custom_oauth_profiles"
CONNECTIONS = "/api/connections"

_NUMBERS = itertools.count(1)


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: CIMultiDict[str]
    content: bytes

    def json(self) -> Any:
        """Returns the body, which must be JSON and say so."""
        assert self.headers["Content-Type"].partition(";")[0] in {"application/json", "application/problem+json"}
        return msgspec.json.decode(self.content)

    @property
    def etag(self) -> str:
        """The entity tag."""
        return self.headers["ETag"]

    @property
    def code(self) -> int:
        """Code of an HDP failure, which is a string on some pages and a number on others."""
        return int(self.json()["error"]["code"])

    @property
    def text(self) -> str:
        """Text of an HDP failure."""
        text: str = self.json()["error"]["message"]["value"]
        return text


class Member(NamedTuple):
    """A user with an API token."""

    id: int
    username: str
    authorization: str

    @property
    def metadata(self) -> Metadata:
        """What their gRPC calls carry."""
        return (("authorization", self.authorization),)


class Tenant(NamedTuple):
    """An organization."""

    id: str
    number: int
    name: str


@dataclass
class Rest:
    """The gateway over a running service."""

    almoner: Almoner
    client: Client

    async def send(
        self,
        method: str,
        path: str,
        *,
        by: Member | str | None = ADMIN,
        json: Any = msgspec.UNSET,
        data: bytes | None = None,
        headers: Collection[tuple[str, str]] = (),
    ) -> Answer:
        """Sends a request; the path goes out as it is, however it is encoded.

        Args:
            method: HTTP method.
            path: Path and query.
            by: Whose request it is, or an Authorization header; None: nobody's.
            json: The body as a value.
            data: The body as bytes.
            headers: Further headers, which take the place of those of the same name.
        """
        content = data if json is msgspec.UNSET else msgspec.json.encode(json)
        sent = CIMultiDict({"Content-Type": "application/json"} if content is not None else {})
        if by is not None:
            sent["Authorization"] = by.authorization if isinstance(by, Member) else by
        for name, _ in headers:
            sent.popall(name, None)
        sent.extend(headers)
        # A stream, because aiohttp warns of long bodies that are bytes.
        body = None if content is None else io.BytesIO(content)
        url = URL(str(self.client.make_url("/")).rstrip("/") + path, encoded=True)
        async with self.client.session.request(method, url, data=body, headers=sent, allow_redirects=False) as response:
            return Answer(response.status, CIMultiDict(response.headers), await response.read())

    async def get(self, path: str, **options: Any) -> Answer:
        """Sends GET."""
        return await self.send("GET", path, **options)

    async def post(self, path: str, json: Any = msgspec.UNSET, **options: Any) -> Answer:
        """Sends POST."""
        return await self.send("POST", path, json=json, **options)

    async def put(self, path: str, json: Any = msgspec.UNSET, **options: Any) -> Answer:
        """Sends PUT."""
        return await self.send("PUT", path, json=json, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        """Sends DELETE."""
        return await self.send("DELETE", path, **options)

    async def tenant(self) -> Tenant:
        """Makes an organization."""
        organization = await self.almoner.organization(f"tenant {next(_NUMBERS)}")
        return Tenant(organization.id, organization.number, organization.display_name)

    async def member(
        self,
        tenant: Tenant | None = None,
        *permissions: directory_pb2.Permission.ValueType,
        roles: tuple[int, ...] = (),
        username: str = "",
    ) -> Member:
        """Makes a user of a tenant (none: of the first one), with permissions of their own and roles."""
        user = directory_pb2.User(
            username=username or f"member {next(_NUMBERS)}",
            organization_id=tenant.id if tenant else "",
            permissions=permissions,
            role_ids=roles,
        )
        request = directory_service_pb2.CreateUserRequest(user=user)
        made = (await self.almoner.directory.CreateUser(request, metadata=self.almoner.as_admin_token)).user
        return Member(made.id, made.username, f"Bearer {await self.token(made.id)}")

    async def token(self, user_id: int, **members: Any) -> str:
        """Makes an API token of a user."""
        token = directory_pb2.ApiToken(user_id=user_id, name="for tests", **members)
        request = directory_service_pb2.CreateApiTokenRequest(api_token=token)
        reply = await self.almoner.directory.CreateApiToken(request, metadata=self.almoner.as_admin_token)
        secret: str = reply.token
        return secret

    async def application(self, tenant: Tenant | None = None, **members: Any) -> int:
        """Registers an HDP application, by default of the first tenant, and returns its id."""
        body = {
            "name": "Application",
            "dataStore": 54,
            "tenantId": tenant.number if tenant else 1,
            "clientId": "client",
            "clientSecret": "s3cret",
            **members,
        }
        answer = await self.post(APPLICATIONS, body)
        assert answer.status == 201, answer
        number: int = answer.json()["id"]
        return number

    async def profile(self, application: int, *, by: Member | str = ADMIN, query: str = "", **members: Any) -> int:
        """Stores an HDP profile and returns its id."""
        answer = await self.post(PROFILES + query, profile_body(application, **members), by=by)
        assert answer.status == 201, answer
        number: int = answer.json()["id"]
        return number

    async def custom_profile(self, *, by: Member | str = ADMIN, **members: Any) -> int:
        """Stores a Workato profile and returns its id."""
        answer = await self.post(CUSTOM_PROFILES, custom_body(**members), by=by)
        assert answer.status == 200, answer
        number: int = answer.json()["result"]["id"]
        return number


def profile_body(application: int, **members: Any) -> dict[str, Any]:
    """Returns the body of an HDP profile."""
    return {"name": "Profile_1", "oauthAppId": application, "refreshToken": "refresh", **members}


def custom_body(**members: Any) -> dict[str, Any]:
    """Returns the body of a Workato profile."""
    data = {"client_id": "client", "client_secret": "s3cret"}
    return {"name": "Custom profile", "provider": "hubspot", "data": data, **members}


class GatewayServer(TestServer):
    """A server that runs the gateway as the product does."""

    @override
    async def _make_runner(self, **options: Any) -> Runner:
        return Runner(self.app, **options)


@asynccontextmanager
async def gateway_over(almoner: Almoner) -> AsyncIterator[Rest]:
    """Serves the gateway over the channel of a running service."""
    async with TestClient(GatewayServer(create_app(almoner.channel))) as client:
        yield Rest(almoner, client)
