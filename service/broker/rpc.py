# SPDX-License-Identifier: Apache-2.0
"""The methods of ProfileService about access tokens: from messages to the broker and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
from typing_extensions import override

from almoner.v1 import profile_service_pb2, profile_service_pb2_grpc
from service.broker import use
from service.broker.use import Stale, Token, Wish
from service.clock import MINUTE
from service.rpc.times import from_duration, set_timestamp

if TYPE_CHECKING:
    from service.broker.broker import Broker
    from service.broker.token_endpoint import Granted
    from service.rpc.units import Units

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

DEFAULT_VALIDITY: Final = MINUTE
"""Microseconds that a token is good for at the least where its caller does not say."""


class TokenMethods(profile_service_pb2_grpc.ProfileServiceServicer):
    """Serves access tokens."""

    def __init__(self, units: Units, broker: Broker) -> None:
        self._units = units
        self._broker = broker

    @override
    async def GetAccessToken(
        self, request: profile_service_pb2.GetAccessTokenRequest, context: Context
    ) -> profile_service_pb2.GetAccessTokenResponse:
        stated = request.HasField("minimum_validity")
        validity = from_duration(request.minimum_validity) if stated else DEFAULT_VALIDITY
        wish = Wish(request.id, validity, " ".join(request.scope.split()))
        taken, refreshed = await self._take(wish, None), False
        while isinstance(taken, Stale):
            asked = self._broker.clock()
            granted = await self._broker.refresh(wish.profile_id, taken.fence, wish.scope)
            if granted is not None and wish.scope:
                await self._units.write(lambda work: use.reveal_narrowed(work, wish))
                return _narrowed(granted, wish, asked)
            taken, refreshed = await self._take(wish, taken), True
        return _answer(taken, refreshed=refreshed)

    async def _take(self, wish: Wish, seen: Stale | None) -> Token | Stale:
        now = self._broker.clock()
        return await self._units.write(lambda work: use.take(work, wish, now, seen))


def _answer(token: Token, *, refreshed: bool) -> profile_service_pb2.GetAccessTokenResponse:
    message = profile_service_pb2.GetAccessTokenResponse(
        access_token=token.access_token, token_type=token.token_type, scope=token.scope, refreshed=refreshed
    )
    if token.expires:
        set_timestamp(message.expire_time, token.expires)
    return message


def _narrowed(granted: Granted, wish: Wish, asked: int) -> profile_service_pb2.GetAccessTokenResponse:
    expires = asked + granted.lifetime if granted.lifetime else 0
    scope = wish.scope if granted.scope is None else granted.scope
    return _answer(Token(granted.access_token, granted.token_type, expires, scope), refreshed=True)
