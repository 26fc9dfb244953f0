# SPDX-License-Identifier: Apache-2.0
"""`almoner serve`: the service and its gateway in one process, joined by a channel that needs no socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from service.command.parsing import add_settings
from service.command.serving import Plan, Running, run

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    import grpc

    from service.command.parsing import CommandParser
    from service.command.tls import Tls
    from service.settings import Settings


def configure(parser: CommandParser) -> None:
    """Adds a flag for every setting."""
    from service.settings import SETTINGS  # noqa: PLC0415 - only when this command is used

    add_settings(parser, {setting.name for setting in SETTINGS})
    parser.set_defaults(run=lambda options: run(options, Plan(_LISTENERS, _open, _prepare)))


_LISTENERS = {
    "REST": "rest_listen",
    "REST TLS": "rest_tls_listen",
    "gRPC": "grpc_listen",
    "gRPC TLS": "grpc_tls_listen",
}


async def _prepare(settings: Settings) -> None:
    from service.command import service_half  # noqa: PLC0415 - slow: not for --help and wrong settings

    await service_half.prepare(settings)


async def _open(settings: Settings, tls: Tls | None, stack: AsyncExitStack) -> Running:
    from service.command import gateway_half, service_half  # noqa: PLC0415 - slow: not for --help and wrong settings

    service = await service_half.open_service(settings, stack)
    server, grpc_addresses = await service_half.listen(service, settings, tls, stack)
    channel = cast("grpc.aio.Channel", service.local_channel())
    gateway = gateway_half.Gateway(channel, settings)
    listening = {**await gateway.listen(tls), **grpc_addresses}

    async def leave() -> None:
        await asyncio.gather(gateway.leave(), service.health.enter_graceful_shutdown())

    async def finish() -> None:
        service.end_streams()
        await asyncio.gather(gateway.finish(), server.stop(settings.shutdown_grace))

    return Running(listening, leave, finish)
