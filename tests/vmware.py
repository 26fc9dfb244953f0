# SPDX-License-Identifier: Apache-2.0
"""The dialects of VMware's two products as tests use them: an organization with people and apps."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from tests.vedauth import FORM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.rest import Answer, Member, Rest, Tenant

CPN: Final = "/cphub/api/auth"
CSP: Final = "/csp/gateway/am/api"
BASES: Final = {"cpn": f"{CPN}/v2", "csp": CSP}
"""Paths below which both products have the same routes."""

OWNER, ADMINISTRATOR, DEVELOPER, MEMBER = 10, 11, 12, 13
"""The built-in roles of people in an organization."""

SECRET: Final = "Abcdefg1"
"""A secret that the published pattern matches."""

CSP_REQUIRED: Final = {
    "displayName": "App",
    "description": "What it is for",
    "grantTypes": ["client_credentials"],
    "allowedScopes": {},
}
"""What CSP requires of a new app."""

ERROR_MEMBERS: Final = ["statusCode", "traceId", "cspErrorCode", "message", "moduleCode", "requestId", "metadata"]

_NUMBERS = itertools.count(1)


def basic(client_id: str, client_secret: str) -> str:
    """Returns the Authorization header of an app."""
    return "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()


def named(*names: str) -> list[dict[str, str]]:
    """Returns roles as bodies have them."""
    return [{"name": name} for name in names]


def error(answer: Answer, status: int) -> dict[str, Any]:
    """Returns the body of a failure, which must have the documented members and agree with itself."""
    body: dict[str, Any] = answer.json()
    assert answer.status == status, answer
    assert list(body) == ERROR_MEMBERS
    assert body["statusCode"] == status
    assert body["cspErrorCode"].startswith(f"{body['moduleCode']}.")
    assert body["requestId"] == answer.headers["X-Request-Id"]
    assert body["traceId"]
    assert body["message"]
    return body


@dataclass
class Org:
    """An organization, and somebody who owns it."""

    rest: Rest
    tenant: Tenant
    owner: Member

    @classmethod
    async def make(cls, rest: Rest) -> Org:
        """Makes one."""
        tenant = await rest.tenant()
        return cls(rest, tenant, await rest.member(tenant, roles=(OWNER,)))

    @property
    def id(self) -> str:
        """Its GUID."""
        return self.tenant.id

    async def person(self, *roles: int) -> Member:
        """Makes a user who has built-in roles there."""
        return await self.rest.member(self.tenant, roles=roles)

    def path(self, below: str, product: str = "cpn") -> str:
        """Returns a path below the organization, as one of the products has it."""
        return f"{BASES[product]}/orgs/{self.id}/{below}"

    async def send(
        self, method: str, below: str, json: Any = None, *, product: str = "cpn", by: Any = "", **options: Any
    ) -> Answer:
        """Sends a request to a path below the organization, by default as its owner."""
        sent = options if json is None else {"json": json, **options}
        return await self.rest.send(method, self.path(below, product), by=by or self.owner, **sent)

    async def app(self, *, product: str = "cpn", **members: Any) -> str:
        """Makes an app and returns its id."""
        app_id: str = members.pop("id", f"app-{next(_NUMBERS)}")
        body = {"id": app_id, "secret": SECRET, **(CSP_REQUIRED if product == "csp" else {}), **members}
        answer = await self.send("POST", "oauth-apps", body, product=product)
        assert answer.status == 200, answer
        return app_id

    async def client(self, *roles: str, services: Mapping[str, tuple[str, ...]] | None = None, **members: Any) -> str:
        """Makes an app that has roles in the organization, and is allowed them, and returns its id."""
        given = services or {}
        allowed = {
            "organizationScopes": {"roles": named(*roles)},
            "servicesScopes": [{"serviceDefinitionId": name, "roles": named(*some)} for name, some in given.items()],
        }
        app_id = await self.app(**{"allowedScopes": allowed, **members})
        body = {
            "ids": [app_id],
            "organizationRoles": named(*roles),
            "serviceRoles": [
                {"serviceDefinitionId": name, "serviceRoles": named(*some)} for name, some in given.items()
            ],
        }
        answer = await self.send("POST", "clients", body)
        assert (answer.status, answer.json()) == (200, {"failures": []}), answer
        return app_id

    async def token(self, app_id: str, secret: str = SECRET) -> Answer:
        """Asks for an access token of an app."""
        form = urlencode({"grant_type": "client_credentials", "orgId": self.id}).encode()
        return await self.rest.post(f"{CSP}/auth/authorize", data=form, headers=[FORM], by=basic(app_id, secret))

    async def lets_in(self, app_id: str, *secrets: str) -> list[bool]:
        """Returns of each secret whether an app gets a token with it."""
        statuses = [(await self.token(app_id, secret)).status for secret in secrets]
        assert set(statuses) <= {200, 401}
        return [status == 200 for status in statuses]
