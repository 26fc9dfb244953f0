# SPDX-License-Identifier: Apache-2.0
"""The methods of ProfileService that get the tokens of a profile by consent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from typing_extensions import override

from almoner.v1 import profile_service_pb2, profile_service_pb2_grpc
from service.consent import rules
from service.consent.rules import CodeAnswer, Wanted
from service.errors import InvalidField, Violation
from service.rpc.call import AUTHORIZATION, current_call
from service.rpc.times import to_timestamp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.access.caller import Caller
    from service.consent.exchanges import Exchanges
    from service.rpc.call import Call
    from service.rpc.units import Units

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class ConsentMethods(profile_service_pb2_grpc.ProfileServiceServicer):
    """Serves the authorization-code flow."""

    def __init__(
        self, units: Units, exchanges: Exchanges, find_caller: Callable[[Call], Awaitable[Caller]], redirect_uri: str
    ) -> None:
        """Puts the parts together.

        Args:
            units: Runs rules.
            exchanges: Exchanges codes.
            find_caller: Authenticates a call.
            redirect_uri: The gateway's own, for requests that name none.
        """
        self._units = units
        self._exchanges = exchanges
        self._find_caller = find_caller
        self._redirect_uri = redirect_uri

    @override
    async def StartAuthorization(
        self, request: profile_service_pb2.StartAuthorizationRequest, context: Context
    ) -> profile_service_pb2.StartAuthorizationResponse:
        wanted = Wanted(request.scope, request.redirect_uri or self._redirect_uri)
        now = self._exchanges.clock()
        started = await self._units.write(lambda work: rules.start(work, request.id, wanted, now))
        return profile_service_pb2.StartAuthorizationResponse(
            authorization_uri=started.authorization_uri,
            state=started.state,
            expire_time=to_timestamp(started.expires),
        )

    @override
    async def CompleteAuthorization(
        self, request: profile_service_pb2.CompleteAuthorizationRequest, context: Context
    ) -> profile_service_pb2.CompleteAuthorizationResponse:
        if not request.code and not request.error:
            raise InvalidField(Violation("code", "is required"))
        call = current_call()
        # Nobody has to log in; but who does is held to it.
        caller = await self._find_caller(call) if call.text(AUTHORIZATION) else None
        answer = CodeAnswer(request.state, request.code, request.error, request.issuer)
        completed = await self._exchanges.complete(answer, caller, call.request_id)
        return profile_service_pb2.CompleteAuthorizationResponse(
            profile_id=completed.profile_id, profile_name=completed.profile_name
        )
