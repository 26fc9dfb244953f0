# SPDX-License-Identifier: Apache-2.0
"""The secrets of client applications as tests use them, and a clock that they set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from almoner.v1 import application_service_pb2, token_service_pb2, token_service_pb2_grpc
from tests.refusals import refusal_of
from tests.service.applications.registry import Registry, client
from tests.service.grants.tokens.counter import duration

if TYPE_CHECKING:
    from almoner.v1.application_pb2 import Application
    from tests.running import Metadata
    from tests.service.grants.tokens.counter import Time

A = application_service_pb2


class Keeper(NamedTuple):
    """A client application and a secret of it."""

    application: Application
    secret: str

    @property
    def id(self) -> str:
        return self.application.id


@dataclass
class Vault(Registry):
    """The client applications of a running service, whose time is the tests'."""

    time: Time

    async def client(self, secret: str = "", organization_id: str = "", *, public: bool = False, **of: Any) -> Keeper:
        """Makes a client application with a generated secret, or a chosen one, or none."""
        wanted = client(**of)
        wanted.organization_id = organization_id
        reply = await self.create(wanted, client_secret=secret, public=public)
        return Keeper(reply.application, secret or reply.client_secret)

    async def lets_in(self, client_id: str, secret: str) -> bool:
        """Whether a client with this secret gets as far as the refresh token that it presents, which is none."""
        request = token_service_pb2.RefreshTokenRequest(client_id=client_id, client_secret=secret, refresh_token="none")
        stub: Any = token_service_pb2_grpc.TokenServiceStub(self.almoner.channel)
        reason = (await refusal_of(stub.RefreshToken(request))).reason
        assert reason in {"CLIENT_INVALID", "TOKEN_INVALID"}
        return reason == "TOKEN_INVALID"

    async def rotate(
        self, client_id: str, previous: int | None = None, by: Metadata | None = None, **members: Any
    ) -> application_service_pb2.RotateSecretResponse:
        """Sets a new secret; `previous` is what is left to those of before, in microseconds."""
        request = A.RotateSecretRequest(application_id=client_id, **_lifetime(previous), **members)
        reply = await self.stub.RotateSecret(request, metadata=by or self.almoner.as_admin)
        assert isinstance(reply, A.RotateSecretResponse)
        return reply

    async def rotate_own(
        self, client_id: str, secret: str, previous: int | None = None, new: str = ""
    ) -> application_service_pb2.RotateOwnSecretResponse:
        request = A.RotateOwnSecretRequest(
            client_id=client_id, client_secret=secret, new_client_secret=new, **_lifetime(previous)
        )
        reply = await self.stub.RotateOwnSecret(request)
        assert isinstance(reply, A.RotateOwnSecretResponse)
        return reply

    async def valid(self, client_id: str, by: Metadata | None = None) -> list[Any]:
        """Returns the secrets that are listed."""
        request = A.ListSecretsRequest(application_id=client_id)
        reply = await self.stub.ListSecrets(request, metadata=by or self.almoner.as_admin)
        return list(reply.secrets)

    async def revoke(self, client_id: str, secret_id: int, by: Metadata | None = None, etag: str = "") -> None:
        request = A.RevokeSecretRequest(application_id=client_id, secret_id=secret_id, etag=etag)
        await self.stub.RevokeSecret(request, metadata=by or self.almoner.as_admin)

    async def end(self, client_id: str, by: Metadata | None = None, etag: str = "") -> Any:
        """Ends a rotation, and returns the secret that is left."""
        request = A.EndRotationRequest(application_id=client_id, etag=etag)
        reply = await self.stub.EndRotation(request, metadata=by or self.almoner.as_admin)
        return reply.secret if reply.HasField("secret") else None

    async def choose(self, client_id: str, secret: str, by: Metadata | None = None, **members: Any) -> Any:
        """Gives an application another secret as a part of a change, and returns the application."""
        members.setdefault("application", client("Changed"))
        members["application"].id = client_id
        request = A.UpdateApplicationRequest(client_secret=secret, **members)
        return (await self.stub.UpdateApplication(request, metadata=by or self.almoner.as_admin)).application


def _lifetime(previous: int | None) -> dict[str, Any]:
    return {} if previous is None else {"previous_lifetime": duration(previous)}
