# SPDX-License-Identifier: Apache-2.0
"""Serves until asked to stop: opens the parts, says where they listen, and closes them in an order that loses nothing."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from service import logs
from service.command import banner, cores, lifetime, listening, worker, workers
from service.command.failures import CommandError
from service.command.parsing import settings_of
from service.settings import Settings, host_and_port

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Mapping

    from service.command.tls import Tls

_M_MMAP_THRESHOLD: Final = -3
"""Name of the parameter in glibc's malloc.h."""

_LOG = structlog.get_logger(__name__)


class Running(NamedTuple):
    """Parts that serve.

    Attributes:
        listening: Where they listen: name and address with port.
        leave: Reports that they are no longer ready, for load balancers to see.
        finish: Refuses new calls and waits for the running ones, as long as the settings say.
    """

    listening: Mapping[str, str]
    leave: Callable[[], Awaitable[None]]
    finish: Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Plan:
    """What one of the serve commands serves.

    Attributes:
        listeners: What listens where: name ("REST", "gRPC TLS") and name of the setting, which is None for none.
        open: Starts the parts; what outlives their listeners is closed by the stack.
        prepare: What is done once before workers start.
        database: Whether the parts have a database.
    """

    listeners: Mapping[str, str]
    open: Callable[[Settings, Tls | None, AsyncExitStack], Awaitable[Running]]
    prepare: Callable[[Settings], Awaitable[None]]
    database: bool = True

    def addresses(self, settings: Settings) -> dict[str, str]:
        """Returns what the settings want to listen, and where."""
        wanted = {name: getattr(settings, setting) for name, setting in self.listeners.items()}
        return {name: address for name, address in wanted.items() if address is not None}

    def open_tls(self, settings: Settings) -> Tls | None:
        """Returns what the TLS listeners share, None if none is wanted.

        Raises:
            UsageError: a file that a setting names cannot be used.
            CommandError: self-signed certificates cannot be made.
        """
        if not any(name.endswith(" TLS") for name in self.addresses(settings)):
            return None
        from service.command.tls import open_tls  # noqa: PLC0415 - only where it is wanted

        return open_tls(settings)


def run(options: argparse.Namespace, plan: Plan) -> int:
    """Serves a plan, by workers if the settings want several, and returns the exit code.

    Raises:
        UsageError: the settings cannot be used.
        CommandError: the start fails.
    """
    settings = settings_of(options)
    logs.configure(settings.log_level, settings.log_format)
    if settings.workers > 1 and worker.index() is None:
        return lifetime.run(lambda asked: workers.supervise(settings, plan, asked))
    return lifetime.run(lambda asked: _serve(settings, plan, asked))


async def _serve(settings: Settings, plan: Plan, asked: asyncio.Event) -> int:
    index = worker.index()
    if index is not None:
        cores.take_one(index, settings.workers)
    else:  # the parent of a worker has looked already
        for name, address in plan.addresses(settings).items():
            listening.require_free(name, address)
    tls = plan.open_tls(settings)
    _return_large_blocks()
    metrics = _offer_metrics(settings)
    async with AsyncExitStack() as stack:
        if tls is not None:
            stack.callback(asyncio.create_task(tls.follow()).cancel)
        running = await plan.open(settings, tls, stack)
        _settle()
        if index is None:
            banner.ready(settings, {**running.listening, **metrics}, database=plan.database)
        else:
            worker.announce_ready()
        await asked.wait()
        _LOG.info("serve.finishing")
        await running.leave()
        await asyncio.sleep(settings.drain)
        await running.finish()
    return 0


def _return_large_blocks() -> None:
    """Has glibc give blocks of a megabyte and more back at once.

    Left alone it keeps them once the first was freed, and a check of a password takes nineteen megabytes.
    """
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 1024 * 1024)


def _settle() -> None:
    """Takes what start-up made, which stays, out of the garbage collector's rounds, and makes rounds rarer.

    A round over a few hundred thousand objects of libraries takes as long as a hundred requests; requests themselves
    leave next to nothing that only a round would find.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


def _offer_metrics(settings: Settings) -> dict[str, str]:
    """Serves Prometheus metrics from a thread of their own, so that they are there when the event loop is not."""
    if settings.metrics_listen is None:
        return {}
    from prometheus_client import start_http_server  # noqa: PLC0415 - only where it is wanted

    host, port = host_and_port(settings.metrics_listen)
    own_port = port + (worker.index() or 0) if port else 0
    address = listening.with_port(settings.metrics_listen, own_port)
    try:
        server, _ = start_http_server(own_port, host)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CommandError(f"metrics cannot listen on {address}: {reason.lower()}") from None
    return {"metrics": listening.with_port(address, server.server_port)}
