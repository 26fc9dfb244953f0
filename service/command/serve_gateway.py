# SPDX-License-Identifier: Apache-2.0
"""`almoner serve-gateway`: the gateway alone, over gRPC to a service elsewhere."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Final

from service.command.parsing import add_settings
from service.command.serving import Plan, Running, run

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    import grpc

    from service.command.parsing import CommandParser
    from service.command.tls import Tls
    from service.settings import Settings

_SETTINGS: Final = frozenset(
    {
        "data_dir",
        "rest_listen",
        "tls_self_signed",
        "tls_certificate_file",
        "tls_key_file",
        "tls_client_ca_file",
        "rest_tls_listen",
        "service_ca_file",
        "metrics_listen",
        "log_level",
        "log_format",
        "max_body_bytes",
        "rpc_timeout",
        "shutdown_grace",
        "drain",
        "workers",
    }
)

_LISTENERS: Final = {"REST": "rest_listen", "REST TLS": "rest_tls_listen"}

# A name with several addresses is several replicas: each gets its share of the calls.
_BALANCED: Final = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})


def configure(parser: CommandParser) -> None:
    """Adds --service and a flag for each of the gateway's settings."""
    parser.add_argument(
        "--service",
        required=True,
        type=_target,
        metavar="HOST:PORT",
        help="the gRPC service, HOST:PORT or unix:PATH; a name with several addresses is balanced over",
    )
    add_settings(parser, _SETTINGS)
    parser.set_defaults(run=lambda options: run(options, _plan(options.service)))


def _plan(target: str) -> Plan:
    async def open_gateway(settings: Settings, tls: Tls | None, stack: AsyncExitStack) -> Running:
        from service.command import gateway_half  # noqa: PLC0415 - slow: not for --help and wrong settings

        channel = await stack.enter_async_context(_channel(target, settings))
        gateway = gateway_half.Gateway(channel, settings)
        return Running(await gateway.listen(tls), gateway.leave, gateway.finish)

    return Plan(_LISTENERS, open_gateway, _prepare, database=False)


async def _prepare(settings: Settings) -> None:
    _trusted(settings)


def _channel(target: str, settings: Settings) -> grpc.aio.Channel:
    """Returns a channel to the service, over TLS if there is an authority to check its certificate with."""
    import grpc  # noqa: PLC0415 - slow: not for --help and wrong settings

    options = (
        ("grpc.service_config", _BALANCED),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.max_receive_message_length", -1),
    )
    trusted = _trusted(settings)
    if trusted is None:
        return grpc.aio.insecure_channel(target, options)
    return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(trusted), options)


def _trusted(settings: Settings) -> bytes | None:
    """Returns the authorities of the service's certificate; None: it is spoken to without TLS."""
    if settings.service_ca_file is None:
        return None
    from service.command.tls import PemFile, authorities  # noqa: PLC0415 - only where it is wanted

    return authorities(PemFile("ALMONER_SERVICE_CA_FILE", settings.service_ca_file))


def _target(text: str) -> str:
    from service.settings import host_and_port  # noqa: PLC0415 - only when this command is used

    if not text.removeprefix("unix:") or not text.startswith("unix:"):
        try:
            host_and_port(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is neither HOST:PORT nor unix:PATH") from None
    return text
