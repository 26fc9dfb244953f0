# SPDX-License-Identifier: Apache-2.0
"""The service as the serve commands run it: opened, announced at its first start, listening over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.command import banner, cores, listening, worker
from service.command.opening import start_service

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    import grpc

    from service.command.tls import Tls
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


async def listen(
    service: Service, settings: Settings, tls: Tls | None, stack: AsyncExitStack
) -> tuple[grpc.aio.Server, dict[str, str]]:
    """Serves the service over gRPC, over TLS too if there is a certificate and an address for it.

    Returns:
        The server, and names and addresses of its listeners; the stack ends what is left of it.

    Raises:
        CommandError: an address cannot be listened on.
    """
    server = service.grpc_server(share_port=settings.workers > 1, on_one_core=cores.has_one())
    stack.push_async_callback(server.stop, None)
    addresses = {"gRPC": listening.listen_grpc(server, settings.grpc_listen)}
    if tls is not None and settings.grpc_tls_listen is not None:
        addresses["gRPC TLS"] = listening.listen_grpc(server, settings.grpc_tls_listen, tls)
    await server.start()
    return server, addresses


async def prepare(settings: Settings) -> None:
    """Does what the first start of several processes must do once.

    Raises:
        CommandError: the database or the keyring cannot be used.
    """
    service, first_start = await start_service(settings)
    await service.close()
    if first_start is not None:
        banner.first_start(first_start)
