# SPDX-License-Identifier: Apache-2.0
"""The methods of TokenService about JWTs and the keys that sign them: from messages to rules and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from typing_extensions import override

from almoner.v1 import token_service_pb2, token_service_pb2_grpc
from service.grants import api_token_exchange, client_tokens
from service.rpc.times import from_duration, to_duration

if TYPE_CHECKING:
    from service.access.signed_tokens import SignedTokens
    from service.applications.secrets import ClientAuthenticator
    from service.clock import Clock
    from service.crypto.signing import TokenSigner
    from service.rpc.units import Units

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class ClientTokenMethods(token_service_pb2_grpc.TokenServiceServicer):
    """Serves JWTs."""

    def __init__(
        self, *, units: Units, clients: ClientAuthenticator, signer: TokenSigner, tokens: SignedTokens, clock: Clock
    ) -> None:
        self._units = units
        self._clients = clients
        self._signer = signer
        self._tokens = tokens
        self._clock = clock

    @override
    async def IssueClientToken(
        self, request: token_service_pb2.IssueClientTokenRequest, context: Context
    ) -> token_service_pb2.IssueClientTokenResponse:
        client = await self._clients.authenticate_confidential(request.client_id, request.client_secret)
        wanted = client_tokens.Wanted(request.organization_id, request.scopes, from_duration(request.lifetime))
        issued = await self._units.read_anonymous(lambda work: client_tokens.issue(work, self._tokens, client, wanted))
        return token_service_pb2.IssueClientTokenResponse(
            access_token=issued.access_token,
            lifetime=to_duration(issued.lifetime),
            scopes=issued.scopes,
            organization_id=issued.organization_id,
        )

    @override
    async def ExchangeApiToken(
        self, request: token_service_pb2.ExchangeApiTokenRequest, context: Context
    ) -> token_service_pb2.ExchangeApiTokenResponse:
        wanted = api_token_exchange.Wanted(request.organization_id, from_duration(request.lifetime))
        issued = await self._units.read_anonymous(
            lambda work: api_token_exchange.exchange(work, self._tokens, request.api_token, wanted)
        )
        return token_service_pb2.ExchangeApiTokenResponse(
            access_token=issued.access_token,
            lifetime=to_duration(issued.lifetime),
            scopes=issued.scopes,
            organization_id=issued.organization_id,
        )

    @override
    async def ListSigningKeys(
        self, request: token_service_pb2.ListSigningKeysRequest, context: Context
    ) -> token_service_pb2.ListSigningKeysResponse:
        keys = self._signer.jwks(self._clock())["keys"]
        return token_service_pb2.ListSigningKeysResponse(
            keys=[token_service_pb2.SigningKey(**{name: str(value) for name, value in key.items()}) for key in keys]
        )
