# SPDX-License-Identifier: Apache-2.0
"""Takes the answer of a provider's authorization endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from almoner.v1.profile_service_pb2 import CompleteAuthorizationRequest
from gateway.call import Call, Reply
from gateway.pages import told

if TYPE_CHECKING:
    from gateway.dialects.broker.callback.bodies import AuthorizationAnswer


async def complete_authorization(call: Call[None, AuthorizationAnswer, None]) -> Reply:
    """Has the tokens of the answer stored, and says so to whoever has consented."""
    answer = call.query
    message = CompleteAuthorizationRequest(state=answer.state, code=answer.code, error=answer.error, issuer=answer.iss)
    completed = await call.send(call.services.profiles.CompleteAuthorization, message)
    return Reply(told("Connected", f"{completed.profile_name} has access now. You may close this page."))
