# SPDX-License-Identifier: Apache-2.0
"""`almoner serve-grpc`: the service alone, for gateways and gRPC clients elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.command.parsing import add_settings
from service.command.serving import Plan, Running, run

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from service.command.parsing import CommandParser
    from service.settings import Settings


def configure(parser: CommandParser) -> None:
    """Adds a flag for every setting but the gateway's."""
    from service.settings import SETTINGS  # noqa: PLC0415 - only when this command is used

    add_settings(parser, {setting.name for setting in SETTINGS} - {"rest_listen"})
    parser.set_defaults(run=lambda options: run(options, Plan({"gRPC": "grpc_listen"}, _open, _prepare)))


async def _prepare(settings: Settings) -> None:
    from service.command import service_half  # noqa: PLC0415 - slow: not for --help and wrong settings

    await service_half.prepare(settings)


async def _open(settings: Settings, stack: AsyncExitStack) -> Running:
    from service.command import service_half  # noqa: PLC0415 - slow: not for --help and wrong settings

    service = await service_half.open_service(settings, stack)
    server, address = await service_half.listen(service, settings, stack)

    async def finish() -> None:
        await server.stop(settings.shutdown_grace)

    return Running({"gRPC": address}, service.health.enter_graceful_shutdown, finish)
