# SPDX-License-Identifier: Apache-2.0
"""Addresses to listen on: whether they are free, and listeners on them.

gRPC is looked after before it starts, because it would share a port, or take over a socket's path, without a word.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from service.command.failures import CommandError
from service.settings import host_and_port

if TYPE_CHECKING:
    import ssl

    import grpc
    from aiohttp import web

    from service.command.tls import Tls

UNIX: Final = "unix:"


def require_free(name: str, address: str) -> None:
    """Makes sure that nobody listens on an address.

    Args:
        name: Who wants to: "REST", "gRPC".
        address: HOST:PORT or unix:PATH.

    Raises:
        CommandError: somebody does, or it is no address of this machine.
    """
    if address.startswith(UNIX):
        _require_free_socket(name, address)
        return
    with ExitStack() as stack:
        _bind_all(name, address, stack, share=False)


def reserve(name: str, address: str, stack: ExitStack) -> str:
    """Keeps an address for processes that share it: nobody else can take it, and port 0 becomes one port for all.

    The sockets that keep it are bound but never listen, so the system hands them no connection.

    Returns:
        The address with its port.

    Raises:
        CommandError: somebody listens there, or it is no address of this machine.
    """
    require_free(name, address)
    return with_port(address, _bind_all(name, address, stack, share=True))


async def listen_rest(
    runner: web.AppRunner, address: str, *, share: bool, context: ssl.SSLContext | None = None
) -> str:
    """Serves an application on HOST:PORT and returns the address with its port.

    Args:
        runner: The application.
        address: HOST:PORT.
        share: Whether other processes may listen on the same port.
        context: What TLS takes; None listens without.

    Raises:
        CommandError: the address cannot be listened on.
    """
    from aiohttp import web  # noqa: PLC0415 - the gRPC half alone does without

    host, port = host_and_port(address)
    others = len(runner.addresses)
    try:
        await web.TCPSite(runner, host, port, ssl_context=context, reuse_port=share or None).start()
    except OSError as error:
        raise _refused("REST" if context is None else "REST TLS", address, error) from None
    return with_port(address, runner.addresses[others][1])


def listen_grpc(server: grpc.aio.Server, address: str, tls: Tls | None = None) -> str:
    """Gives a server a port, HOST:PORT or unix:PATH, with TLS or without, and returns the address with its port.

    Raises:
        CommandError: the address cannot be listened on.
    """
    try:
        if tls is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, tls.grpc_credentials())
    except RuntimeError:
        raise CommandError(f"gRPC{' TLS' if tls else ''} cannot listen on {address}") from None
    return address if address.startswith(UNIX) else with_port(address, port)


def with_port(address: str, port: int) -> str:
    """Returns HOST:PORT with another port."""
    return f"{address.rpartition(':')[0]}:{port}"


def reachable(address: str) -> str:
    """Returns where a client of this machine reaches a listener: one on every address answers on the loopback one."""
    host, port = host_and_port(address)
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - looked for, not bound
    return f"[{local}]:{port}" if ":" in local else f"{local}:{port}"


def _bind_all(name: str, address: str, stack: ExitStack, *, share: bool) -> int:
    """Binds a socket to each address that the host has, all to one port, and returns that."""
    host, port = host_and_port(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, where in dict.fromkeys(found):
            bound = stack.enter_context(socket.socket(family, kind, protocol))
            # Not for sharing: without it, connections that have just ended would keep the port for a minute.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if share:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind((where[0], port, *where[2:]))
            port = bound.getsockname()[1]
    except OSError as error:
        raise _refused(name, address, error) from None
    return port


def _require_free_socket(name: str, address: str) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address.removeprefix(UNIX))
        except (FileNotFoundError, ConnectionRefusedError):
            # Never used, or left behind by a process that is gone; gRPC puts its own in the place.
            return
        except OSError as error:
            raise _refused(name, address, error) from None
    raise CommandError(f"{name} cannot listen on {address}: another process does")


def _refused(name: str, address: str, error: OSError) -> CommandError:
    # asyncio words its own: "[Errno 98] error while attempting to bind on address …: address already in use".
    reason = (error.strerror or str(error)).rpartition(": ")[2].lower()
    return CommandError(f"{name} cannot listen on {address}: {reason}")
