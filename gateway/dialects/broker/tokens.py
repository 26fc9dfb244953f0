# SPDX-License-Identifier: Apache-2.0
"""Access tokens of profiles."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from almoner.v1.profile_service_pb2 import GetAccessTokenRequest
from gateway.call import Call, Reply
from gateway.dialects.broker.bodies import AccessToken, AccessTokenWish, ById
from gateway.timestamps import to_datetime

NOT_STORED = {"Cache-Control": "no-store"}
"""RFC 6749 section 5.1: what has a token in it is not to be kept."""


async def get_access_token(call: Call[ById, None, AccessTokenWish]) -> Reply:
    """Gives a token that is good for a while."""
    validity = Duration(seconds=call.body.minimum_validity)
    message = GetAccessTokenRequest(id=call.path.id, minimum_validity=validity, scope=call.body.scope)
    token = await call.send(call.services.profiles.GetAccessToken, message)
    body = AccessToken(
        access_token=token.access_token,
        token_type=token.token_type,
        refreshed=token.refreshed,
        scope=token.scope,
        expire_time=to_datetime(token.expire_time) if token.HasField("expire_time") else None,
    )
    return Reply(body, headers=NOT_STORED)
