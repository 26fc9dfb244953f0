# SPDX-License-Identifier: Apache-2.0
"""`almoner serve-grpc`: the service alone, for gateways and gRPC clients elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.command.parsing import add_settings
from service.command.serving import Plan, Running, run

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from service.command.parsing import CommandParser
    from service.command.tls import Tls
    from service.settings import Settings


_LISTENERS: Final = {"gRPC": "grpc_listen", "gRPC TLS": "grpc_tls_listen"}
_GATEWAYS: Final = {"rest_listen", "rest_tls_listen", "tls_client_ca_file", "service_ca_file"}


def configure(parser: CommandParser) -> None:
    """Adds a flag for every setting but the gateway's."""
    from service.settings import SETTINGS  # noqa: PLC0415 - only when this command is used

    add_settings(parser, {setting.name for setting in SETTINGS} - _GATEWAYS)
    parser.set_defaults(run=lambda options: run(options, Plan(_LISTENERS, _open, _prepare)))


async def _prepare(settings: Settings) -> None:
    from service.command import service_half  # noqa: PLC0415 - slow: not for --help and wrong settings

    await service_half.prepare(settings)


async def _open(settings: Settings, tls: Tls | None, stack: AsyncExitStack) -> Running:
    from service.command import service_half  # noqa: PLC0415 - slow: not for --help and wrong settings

    service = await service_half.open_service(settings, stack)
    server, addresses = await service_half.listen(service, settings, tls, stack)

    async def finish() -> None:
        service.end_streams()
        await server.stop(settings.shutdown_grace)

    return Running(addresses, service.health.enter_graceful_shutdown, finish)
