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

    from service.command.parsing import CommandParser
    from service.settings import Settings

_SETTINGS: Final = frozenset(
    {
        "rest_listen",
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
    async def open_gateway(settings: Settings, stack: AsyncExitStack) -> Running:
        import grpc  # noqa: PLC0415 - slow: not for --help and wrong settings

        from service.command import gateway_half  # noqa: PLC0415

        channel = await stack.enter_async_context(
            grpc.aio.insecure_channel(
                target,
                options=(
                    ("grpc.service_config", _BALANCED),
                    ("grpc.max_reconnect_backoff_ms", 2_000),
                    ("grpc.keepalive_time_ms", 60_000),
                    ("grpc.max_receive_message_length", -1),
                ),
            )
        )
        gateway = gateway_half.Gateway(channel, settings)
        return Running({"REST": await gateway.listen()}, gateway.leave, gateway.finish)

    return Plan({"REST": "rest_listen"}, open_gateway)


def _target(text: str) -> str:
    from service.settings import host_and_port  # noqa: PLC0415 - only when this command is used

    if not text.removeprefix("unix:") or not text.startswith("unix:"):
        try:
            host_and_port(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is neither HOST:PORT nor unix:PATH") from None
    return text
