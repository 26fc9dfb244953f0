# SPDX-License-Identifier: Apache-2.0
"""Runs the application so that what cannot be read as HTTP is refused like everything else.

By itself aiohttp answers and logs such a request with the bytes at fault, and those may be the credentials of a header.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from aiohttp import hdrs, web
from typing_extensions import override

from gateway.endpoint import refuse, request_id_of
from gateway.failures import Failure, unexpected
from gateway.own import OWN
from gateway.routing import Refused

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

Serve: TypeAlias = Callable[[Any], Awaitable[web.StreamResponse]]

LOG = logging.getLogger(__name__)

SERVE: web.AppKey[Serve] = web.AppKey("serve")
"""What serves every request of an application, without aiohttp's router: to find a route takes that longer."""


class Runner(web.AppRunner):
    """`aiohttp.web.AppRunner` with connections of our own."""

    def __init__(
        self,
        app: web.Application,
        *,
        shutdown_timeout: float = 60.0,
        handler_cancellation: bool = False,
        around: Callable[[Serve], Serve] | None = None,
        **options: Any,
    ) -> None:
        """Prepares to serve; see AppRunner.

        Args:
            app: The application.
            shutdown_timeout: Seconds that running requests have at the end.
            handler_cancellation: Whether a request is given up when its client goes away.
            around: Wraps what serves every request, once. A middleware of aiohttp's would cost more for each.
            options: Options of each connection, as aiohttp.web.RequestHandler has them.
        """
        self._serve = app.get(SERVE)
        super().__init__(
            app,
            shutdown_timeout=shutdown_timeout,
            handler_cancellation=handler_cancellation,
            access_log=None,
            **options,
        )
        self._options = {"access_log": None, **options}
        self._around = around

    @override
    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        serve: Serve = made.request_handler if self._serve is None else _directly(self._serve, made.request_handler)
        if self._around is not None:
            serve = self._around(serve)
        return _Server(made, serve, self._options)


def _directly(serve: Serve, by_router: Serve) -> Serve:
    """Returns what serves a request without the router, which sees to what clients expect (RFC 9110 section 10.1.1)."""
    return lambda request: (by_router if hdrs.EXPECT in request.headers else serve)(request)


class _Server(web.Server):
    """Makes a protocol for each connection."""

    def __init__(self, made: web.Server, serve: Serve, options: dict[str, Any]) -> None:
        super().__init__(
            serve,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            **options,
        )
        self._options = options

    @override
    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, loop=asyncio.get_running_loop(), **self._options)


class _Protocol(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    @override
    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        request_id = request_id_of(request)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            LOG.error("a request failed, request id %s", request_id, exc_info=exc)
            failure = unexpected()
        else:
            LOG.info("a request cannot be read, request id %s: %s", request_id, type(exc).__name__)
            failure = Failure(HTTPStatus(status), "MALFORMED_REQUEST", "the request cannot be read as HTTP")
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer is sent already")
        response = refuse(OWN, Refused(failure, None, request_id))
        response.force_close()
        return response
