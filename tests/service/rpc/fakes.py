# SPDX-License-Identifier: Apache-2.0
"""Methods that do what no real one does (raise, dawdle), behind a service's own interceptors, over each transport."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import grpc

from almoner.v1.directory_service_pb2 import WhoAmIRequest, WhoAmIResponse
from service.local_channel import LocalChannel

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from service.server import Service
    from tests.running import Metadata

    Behavior = Callable[[WhoAmIRequest, Any], Awaitable[WhoAmIResponse]]
    Streaming = Callable[[WhoAmIRequest, Any], AsyncGenerator[WhoAmIResponse, None]]

_NUMBERS = itertools.count(1)


class Fake(NamedTuple):
    """A service of one method, which takes WhoAmIRequest and answers WhoAmIResponse.

    Attributes:
        channel: A channel to it.
        method: Full name of the method.
    """

    channel: grpc.aio.Channel
    method: str

    async def call(self, metadata: Metadata = (), *, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - gRPC's
        """Calls the method."""
        multicallable: Any = self.channel.unary_unary(
            self.method,
            request_serializer=WhoAmIRequest.SerializeToString,
            response_deserializer=WhoAmIResponse.FromString,
        )
        return await multicallable(WhoAmIRequest(), metadata=metadata, timeout=timeout)

    def stream(self, metadata: Metadata = (), *, timeout: float | None = None) -> Any:
        """Begins a call of a method that streams."""
        multicallable: Any = self.channel.unary_stream(
            self.method,
            request_serializer=WhoAmIRequest.SerializeToString,
            response_deserializer=WhoAmIResponse.FromString,
        )
        return multicallable(WhoAmIRequest(), metadata=metadata, timeout=timeout)


@asynccontextmanager
async def faking(
    service: Service, behavior: Behavior, *, over_grpc: bool, package: str = "test"
) -> AsyncIterator[Fake]:
    """Serves a method behind the interceptors of a service; in package `almoner.v1` it needs credentials."""
    handler = grpc.unary_unary_rpc_method_handler(
        cast("Any", behavior),
        request_deserializer=WhoAmIRequest.FromString,
        response_serializer=WhoAmIResponse.SerializeToString,
    )
    async with _serving(service, handler, over_grpc=over_grpc, package=package) as fake:
        yield fake


@asynccontextmanager
async def streaming(
    service: Service, behavior: Streaming, *, over_grpc: bool, package: str = "test"
) -> AsyncIterator[Fake]:
    """Serves a method that streams; see `faking`."""
    handler = grpc.unary_stream_rpc_method_handler(
        cast("Any", behavior),
        request_deserializer=WhoAmIRequest.FromString,
        response_serializer=WhoAmIResponse.SerializeToString,
    )
    async with _serving(service, handler, over_grpc=over_grpc, package=package) as fake:
        yield fake


@asynccontextmanager
async def _serving(service: Service, handler: Any, *, over_grpc: bool, package: str) -> AsyncIterator[Fake]:
    # Interceptors remember methods by name.
    name = f"{package}.Fake{next(_NUMBERS)}"
    method = f"/{name}/Do"
    if not over_grpc:
        local = LocalChannel(service.interceptors)
        local.add_registered_method_handlers(name, {"Do": handler})
        yield Fake(cast("grpc.aio.Channel", local), method)
        return
    server = grpc.aio.server(interceptors=service.interceptors)
    server.add_registered_method_handlers(name, {"Do": handler})
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Fake(channel, method)
    await server.stop(None)
