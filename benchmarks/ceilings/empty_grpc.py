# SPDX-License-Identifier: Apache-2.0
"""A grpc.aio server whose methods do nothing but answer. `python -m benchmarks.ceilings.empty_grpc PORT`.

Several may share a port, as the workers of the product do.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import grpc
import uvloop

from almoner.v1.profile_pb2 import Profile
from almoner.v1.profile_service_pb2 import (
    GetProfileRequest,
    GetProfileResponse,
    ListProfilesRequest,
    ListProfilesResponse,
    UpdateProfileRequest,
    UpdateProfileResponse,
)

if TYPE_CHECKING:
    from google.protobuf.message import Message

PROFILE = Profile(
    id=33,
    organization_id="00000000-0000-4000-8000-000000000001",
    organization_number=1,
    owner_id=1,
    creator_id=1,
    name="User_1",
    description="OAuth profile 1",
    provider="salesforce",
    application_number=17,
    client_id="client",
    etag='"1"',
)


def _answering(request: type[Message], reply: Message) -> grpc.RpcMethodHandler[Any, Any]:
    """Returns a method that reads a request and answers with the same message each time."""

    async def answer(_request: Message, _context: grpc.aio.ServicerContext[Any, Any]) -> Message:
        return reply

    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=request.FromString,
        response_serializer=type(reply).SerializeToString,
    )


METHODS = {
    "GetProfile": _answering(GetProfileRequest, GetProfileResponse(profile=PROFILE)),
    "UpdateProfile": _answering(UpdateProfileRequest, UpdateProfileResponse(profile=PROFILE)),
    "ListProfiles": _answering(ListProfilesRequest, ListProfilesResponse(profiles=[PROFILE] * 100)),
}


async def serve(port: int) -> None:
    """Serves until the process is ended."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("almoner.v1.ProfileService", METHODS),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
