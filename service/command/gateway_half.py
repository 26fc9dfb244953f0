# SPDX-License-Identifier: Apache-2.0
"""The gateway as the serve commands run it, over a channel to a service here or elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from gateway.app import create_app
from gateway.settings import GatewaySettings
from service.command import listening

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc
    from aiohttp.typedefs import Handler

    from service.settings import Settings


async def listen(
    channel: grpc.aio.Channel, settings: Settings, leaving: Callable[[], bool] | None = None
) -> tuple[web.AppRunner, str]:
    """Serves the gateway, and returns what runs it and its address.

    Args:
        channel: Leads to the service.
        settings: Where to listen, and limits.
        leaving: Whether this process is about to end, where the service's own health cannot tell.

    Raises:
        CommandError: the address cannot be listened on.
    """
    app = create_app(channel, settings=GatewaySettings(settings.max_body_bytes, settings.rpc_timeout))
    if leaving is not None:
        app.middlewares.append(_not_ready_when(leaving))
    # Its clean-up closes the listener, then waits that long for the requests that run.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=settings.shutdown_grace)
    await runner.setup()
    return runner, await listening.listen_rest(runner, settings.rest_listen, share=settings.workers > 1)


def _not_ready_when(leaving: Callable[[], bool]) -> web.Middleware:
    @web.middleware
    async def report(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/readyz" and leaving():
            raise web.HTTPServiceUnavailable(text="this gateway is about to end\n")
        return await handler(request)

    return report
