# SPDX-License-Identifier: Apache-2.0
"""Consents that profiles get their tokens by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from almoner.v1.profile_service_pb2 import StartAuthorizationRequest
from gateway.call import Call, Reply
from gateway.dialects.broker.bodies import Authorization
from gateway.timestamps import to_datetime

if TYPE_CHECKING:
    from gateway.dialects.broker.bodies import AuthorizationWish, ById


async def start_authorization(call: Call[ById, None, AuthorizationWish]) -> Reply:
    """Says where to send the one who consents."""
    message = StartAuthorizationRequest(id=call.path.id, scope=call.body.scope, redirect_uri=call.body.redirect_uri)
    started = await call.send(call.services.profiles.StartAuthorization, message)
    return Reply(Authorization(started.authorization_uri, started.state, to_datetime(started.expire_time)))
