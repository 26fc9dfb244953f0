# SPDX-License-Identifier: Apache-2.0
"""The methods of ApplicationService about secrets of clients: from messages to rules and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from typing_extensions import override

from almoner.v1 import application_service_pb2, application_service_pb2_grpc
from service.applications import rotation
from service.applications.messages import new_secret_message, secret_message, stated_duration
from service.applications.rotation import Wish

if TYPE_CHECKING:
    from almoner.v1 import application_pb2
    from service.applications.secret_uses import SecretUses
    from service.applications.secrets import ClientAuthenticator
    from service.applications.tables import ApplicationSecretRow
    from service.crypto.passwords import PasswordHasher
    from service.rpc.units import Units
    from service.work import Work

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class SecretMethods(application_service_pb2_grpc.ApplicationServiceServicer):
    """Serves secrets."""

    def __init__(
        self, units: Units, *, passwords: PasswordHasher, clients: ClientAuthenticator, uses: SecretUses
    ) -> None:
        self._units = units
        self._passwords = passwords
        self._clients = clients
        self._uses = uses

    @override
    async def ListSecrets(
        self, request: application_service_pb2.ListSecretsRequest, context: Context
    ) -> application_service_pb2.ListSecretsResponse:
        secrets = await self._units.read(lambda work: rotation.secrets_of(work, request.application_id))
        return application_service_pb2.ListSecretsResponse(secrets=map(self._message, secrets))

    @override
    async def RotateSecret(
        self, request: application_service_pb2.RotateSecretRequest, context: Context
    ) -> application_service_pb2.RotateSecretResponse:
        wish = Wish(await self._digest(request.client_secret), stated_duration(request, "previous_lifetime"))

        def rule(work: Work) -> application_service_pb2.RotateSecretResponse:
            new = rotation.rotate(work, request.application_id, wish, request.etag)
            return application_service_pb2.RotateSecretResponse(
                secret=new_secret_message(new), client_secret=new.client_secret
            )

        return await self._units.write_once(request, application_service_pb2.RotateSecretResponse, rule)

    @override
    async def RevokeSecret(
        self, request: application_service_pb2.RevokeSecretRequest, context: Context
    ) -> application_service_pb2.RevokeSecretResponse:
        await self._units.write(
            lambda work: rotation.revoke(work, request.application_id, request.secret_id, request.etag)
        )
        return application_service_pb2.RevokeSecretResponse()

    @override
    async def EndRotation(
        self, request: application_service_pb2.EndRotationRequest, context: Context
    ) -> application_service_pb2.EndRotationResponse:
        newest = await self._units.write(lambda work: rotation.end_rotation(work, request.application_id, request.etag))
        secret = None if newest is None else self._message(newest)
        return application_service_pb2.EndRotationResponse(secret=secret)

    @override
    async def RotateOwnSecret(
        self, request: application_service_pb2.RotateOwnSecretRequest, context: Context
    ) -> application_service_pb2.RotateOwnSecretResponse:
        proof = await self._clients.prove(request.client_id, request.client_secret)
        wish = Wish(await self._digest(request.new_client_secret), stated_duration(request, "previous_lifetime"))
        new = await self._units.write_anonymous(lambda work: rotation.rotate_own(work, proof, wish))
        return application_service_pb2.RotateOwnSecretResponse(
            secret=new_secret_message(new), client_secret=new.client_secret
        )

    async def _digest(self, chosen: str) -> str:
        """Returns the digest of a chosen secret; the empty text where none was chosen."""
        return await self._passwords.hash(chosen) if chosen else ""

    def _message(self, secret: ApplicationSecretRow) -> application_pb2.ApplicationSecret:
        return secret_message(secret, self._uses.last_of(secret.id, secret.last_used))
