# SPDX-License-Identifier: Apache-2.0
"""`almoner healthcheck`: what a container or a supervisor runs to see whether the server of this machine is ready."""

from __future__ import annotations

from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, Final, cast

from service.command.parsing import add_settings, settings_of
from service.settings import host_and_port

if TYPE_CHECKING:
    import argparse

    from service.command.parsing import CommandParser

PATIENCE: Final = 3.0
"""Seconds that a listener may take to answer."""


def configure(parser: CommandParser) -> None:
    """Adds the flags of the listeners."""
    parser.description = (
        "Ask the REST listener of the settings whether it is ready or, where nothing listens there, the gRPC one. "
        "Exits with 0 if it is, with 1 if not."
    )
    add_settings(parser, {"rest_listen", "grpc_listen"})
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Asks, says what was answered, and returns the exit code."""
    from service.command.listening import UNIX, reachable  # noqa: PLC0415 - not for --help

    settings = settings_of(options)
    address = reachable(settings.rest_listen)
    answer = _ask_rest(address)
    if answer is None:
        address = settings.grpc_listen
        address = address if address.startswith(UNIX) else reachable(address)
        answer = _ask_grpc(address)
    print(f"{address}: {answer}")
    return 0 if answer == "ready" else 1


def _ask_rest(address: str) -> str | None:
    """Returns what /readyz answers, None if nobody listens."""
    host, port = host_and_port(address)
    connection = HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except ConnectionRefusedError:
        return None
    except (OSError, HTTPException) as error:
        return f"no answer ({error})"
    finally:
        connection.close()
    return "ready" if status == HTTPStatus.OK else f"not ready (status {status})"


def _ask_grpc(target: str) -> str:
    import grpc  # noqa: PLC0415 - slow, and seldom needed
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    with grpc.insecure_channel(target) as channel:
        try:
            # The published types leave the methods of the stub out.
            check = cast("Any", health_pb2_grpc.HealthStub(channel)).Check
            status = check(health_pb2.HealthCheckRequest(), timeout=PATIENCE).status
        except grpc.RpcError:
            return "no answer"
    return "ready" if status == health_pb2.HealthCheckResponse.SERVING else "not ready"
