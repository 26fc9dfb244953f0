# SPDX-License-Identifier: Apache-2.0
"""The service as the serve commands run it: opened, announced at its first start, listening over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.command import banner, listening, worker
from service.command.opening import start_service

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    import grpc

    from service.server import Service
    from service.settings import Settings


async def open_service(settings: Settings, stack: AsyncExitStack) -> Service:
    """Opens the service, ready to serve; the stack closes it.

    Raises:
        CommandError: the database or the keyring cannot be used.
    """
    service, first_start = await start_service(settings)
    stack.push_async_callback(service.close)
    if first_start is not None and worker.index() is None:
        banner.first_start(first_start)
    return service


async def listen(service: Service, settings: Settings, stack: AsyncExitStack) -> tuple[grpc.aio.Server, str]:
    """Serves the service over gRPC, and returns the server and its address; the stack ends what is left of it.

    Raises:
        CommandError: the address cannot be listened on.
    """
    server = service.grpc_server(share_port=settings.workers > 1)
    stack.push_async_callback(server.stop, None)
    address = listening.listen_grpc(server, settings.grpc_listen)
    await server.start()
    return server, address


async def prepare(settings: Settings) -> None:
    """Does what the first start of several processes must do once.

    Raises:
        CommandError: the database or the keyring cannot be used.
    """
    service, first_start = await start_service(settings)
    await service.close()
    if first_start is not None:
        banner.first_start(first_start)
