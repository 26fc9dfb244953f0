# SPDX-License-Identifier: Apache-2.0
"""A gateway over real gRPC, in front of a service that says what the test tells it to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from google.protobuf import any_pb2, descriptor_pool, message_factory
from google.rpc import error_details_pb2, status_pb2
from typing_extensions import override

from almoner.v1 import application_service_pb2, directory_service_pb2, profile_service_pb2, token_service_pb2
from gateway.app import create_app
from gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message

SERVED = (application_service_pb2, directory_service_pb2, profile_service_pb2, token_service_pb2)
"""Modules whose import makes their services known to the descriptor pool."""

Client = TestClient[web.Request, web.Application]


class Refuse(NamedTuple):
    """A refusal as the service sends it."""

    code: grpc.StatusCode
    reason: str
    message: str = "refused"
    metadata: dict[str, str] | None = None
    violations: tuple[tuple[str, str], ...] = ()

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain="almoner", metadata=self.metadata)
        details: list[Message] = [info]
        if self.violations:
            bad_request = error_details_pb2.BadRequest()
            for path, description in self.violations:
                bad_request.field_violations.add(field=path, description=description)
            details.append(bad_request)
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return (("grpc-status-details-bin", status.SerializeToString()),)


class Received(NamedTuple):
    """A call that came in."""

    method: str
    request: Any
    metadata: dict[str, str]


@dataclass
class Script:
    """What every method answers in a test: what `replies` has for it, messages one after the other, or a refusal."""

    replies: dict[str, Any] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    def methods(self) -> list[str]:
        """Returns the names of the methods called, in order."""
        return [call.method for call in self.received]

    def only(self, method: str) -> Received:
        """Returns the one call of a method."""
        (call,) = (call for call in self.received if call.method == method)
        return call


@dataclass
class Stage(grpc.GenericRpcHandler):
    """Answers every method as the script of the running test says."""

    script: Script = field(default_factory=Script)

    @override
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        service, _, name = handler_call_details.method.strip("/").partition("/")
        method = descriptor_pool.Default().FindMethodByName(f"{service}.{name}")
        request_class = message_factory.GetMessageClass(method.input_type)
        response_class = message_factory.GetMessageClass(method.output_type)
        script = self.script

        async def answer(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
            script.received.append(Received(name, request, metadata))
            reply: Any = script.replies.get(name, response_class())
            if isinstance(reply, list):
                reply = reply.pop(0)
            if isinstance(reply, Refuse):
                await context.abort(reply.code, reply.message, reply.trailing_metadata())
            answered: Message = reply
            return answered

        return grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=request_class.FromString, response_serializer=response_class.SerializeToString
        )


@pytest.fixture(scope="session")
def stage() -> Stage:
    return Stage()


@pytest.fixture
def script(stage: Stage) -> Script:
    stage.script = Script()
    return stage.script


@pytest.fixture(scope="session")
async def channel(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[grpc.aio.Channel]:
    address = f"unix:{tmp_path_factory.mktemp('stage')}/service.sock"
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((stage,))
    server.add_insecure_port(address)
    await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        yield channel
    await server.stop(None)


@pytest.fixture(scope="session")
async def gateway(channel: grpc.aio.Channel) -> AsyncIterator[Client]:
    app = create_app(channel, settings=GatewaySettings(max_body_bytes=4096))
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.fixture
def client(gateway: Client, script: Script) -> Client:
    """A client of the gateway; it has nothing left of what other tests wanted to be answered."""
    return gateway
