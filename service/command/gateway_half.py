# SPDX-License-Identifier: Apache-2.0
"""The gateway as the serve commands run it: listening, and ending without cutting anybody off."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from gateway.app import create_app
from gateway.endpoint import refuse, request_id_of
from gateway.failures import Failure
from gateway.own import OWN
from gateway.routing import Refused
from gateway.runner import Runner
from gateway.settings import GatewaySettings
from service.command import listening

if TYPE_CHECKING:
    import grpc
    from aiohttp import web

    from gateway.runner import Serve
    from service.command.tls import Tls
    from service.settings import Settings

LAST_BYTES: Final = 1.0
"""Seconds that replies which are ready may take to be written at the end."""


class Gateway:
    """A gateway that listens."""

    def __init__(self, channel: grpc.aio.Channel, settings: Settings) -> None:
        """Builds it; `listen` starts it."""
        self._settings = settings
        self._requests = 0
        self._leaving = False
        self._idle = asyncio.Event()
        app = create_app(channel, settings=GatewaySettings(settings.max_body_bytes, settings.rpc_timeout))
        self._runner = Runner(app, shutdown_timeout=LAST_BYTES, around=self._count)

    async def listen(self, tls: Tls | None = None) -> dict[str, str]:
        """Serves, over TLS too if there is a certificate and an address for it, and returns names and addresses.

        Raises:
            CommandError: an address cannot be listened on.
        """
        await self._runner.setup()
        settings, share = self._settings, self._settings.workers > 1
        addresses = {"REST": await listening.listen_rest(self._runner, settings.rest_listen, share=share)}
        if tls is not None and settings.rest_tls_listen is not None:
            addresses["REST TLS"] = await listening.listen_rest(
                self._runner, settings.rest_tls_listen, share=share, context=tls.context
            )
        return addresses

    async def leave(self) -> None:
        """Reports that it is no longer ready, and closes each connection after the reply that comes next."""
        self._leaving = True

    async def finish(self) -> None:
        """Closes the listeners, then waits for the requests that run, as long as the settings say."""
        for site in list(self._runner.sites):
            await site.stop()
        # The runner's own end drops what a request's body still lacks, so it must not begin before they are served.
        if self._requests:
            self._idle.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), self._settings.shutdown_grace)
        await self._runner.cleanup()

    def _count(self, serve: Serve) -> Serve:
        async def serve_counted(request: web.BaseRequest) -> web.StreamResponse:
            self._requests += 1
            try:
                if self._leaving and request.path == "/readyz":
                    failure = Failure(HTTPStatus.SERVICE_UNAVAILABLE, "NOT_READY", "this server is about to end")
                    return refuse(OWN, Refused(failure, None, request_id_of(request)))
                response = await serve(request)
                if self._leaving:
                    response.force_close()
                return response
            finally:
                self._requests -= 1
                if not self._requests:
                    self._idle.set()

        return serve_counted
