# SPDX-License-Identifier: Apache-2.0
"""The token server of a running gateway, and clients and users who may use it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from almoner.v1 import application_pb2, application_service_pb2, grant_pb2, grant_service_pb2
from almoner.v1.application_service_pb2_grpc import ApplicationServiceStub
from almoner.v1.grant_service_pb2_grpc import GrantServiceStub

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.rest import Answer, Rest

AUTHORIZE = "/vedauth/authorize"
VERIFY = f"{AUTHORIZE}/verify"
REVOKE = "/vedauth/revoke/token"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
SCOPES = ("certificate", "certificate:manage", "ssh")

_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Person:
    """A user with a password, and the client that an access rule lets them use."""

    id: int
    username: str
    password: str
    client_id: str

    def asking(self, scope: str = "certificate:manage", **members: Any) -> dict[str, Any]:
        """Returns the body of a login; a member that is None is left out."""
        body = {
            "client_id": self.client_id,
            "username": self.username,
            "password": self.password,
            "scope": scope,
            **members,
        }
        return {name: value for name, value in body.items() if value is not None}


def public_client(client_id: str, **members: Any) -> application_pb2.Application:
    """Returns a client application that may get tokens in every way."""
    client = application_pb2.ClientApplication(
        **{
            "allowed_scopes": SCOPES,
            "grant_types": [number for number in application_pb2.GrantType.values() if number],
            **members,
        }
    )
    return application_pb2.Application(id=client_id, name=f"Client {client_id}", client=client)


async def register(rest: Rest, application: application_pb2.Application, secret: str = "") -> str:
    """Registers a client application, public unless it has a secret, and returns its id."""
    stub: Any = rest.almoner.stub(ApplicationServiceStub)
    request = application_service_pb2.CreateApplicationRequest(
        application=application, client_secret=secret, public=not secret
    )
    made = (await stub.CreateApplication(request, metadata=rest.almoner.as_admin_token)).application
    client_id: str = made.id
    return client_id


async def allow(rest: Rest, client_id: str, user_id: int, scopes: Sequence[str] = SCOPES, **members: Any) -> None:
    """Lets a user have tokens of a client."""
    stub: Any = rest.almoner.stub(GrantServiceStub)
    rule = grant_pb2.AccessRule(application_id=client_id, user_id=user_id, allowed_scopes=scopes, **members)
    request = grant_service_pb2.CreateAccessRuleRequest(access_rule=rule)
    await stub.CreateAccessRule(request, metadata=rest.almoner.as_admin_token)


async def person(rest: Rest, **members: Any) -> Person:
    """Makes a user, and a client application that they may use; `members` are the application's."""
    number = next(_NUMBERS)
    client_id = await register(rest, public_client(f"client-{number}", **members))
    user = await rest.almoner.user(f"person {number}")
    await allow(rest, client_id, user.id)
    return Person(user.id, user.username, f"password of {user.username}", client_id)


async def ask(rest: Rest, name: str, body: dict[str, Any], **options: Any) -> Answer:
    """Posts JSON to authorize/NAME, with no credentials."""
    return await rest.post(f"{AUTHORIZE}/{name}", body, **{"by": None, **options})


async def ask_by_form(rest: Rest, name: str, body: dict[str, Any], **options: Any) -> Answer:
    """Posts a form to authorize/NAME, with no credentials."""
    data = urlencode(body).encode()
    return await rest.post(f"{AUTHORIZE}/{name}", data=data, headers=[FORM], **{"by": None, **options})


async def log_in(rest: Rest, who: Person, scope: str = "certificate:manage") -> dict[str, Any]:
    """Logs in and returns the tokens."""
    answer = await ask(rest, "oauth", who.asking(scope))
    assert answer.status == 200, answer
    tokens: dict[str, Any] = answer.json()
    return tokens


def bearer(tokens: dict[str, Any]) -> str:
    """Returns the Authorization header of an access token."""
    return f"Bearer {tokens['access_token']}"
