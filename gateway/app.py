# SPDX-License-Identifier: Apache-2.0
"""Builds the gateway: every dialect's routes, the gateway's own, and an answer for everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from gateway.call import Services
from gateway.dialects import DIALECTS
from gateway.endpoint import Endpoint, refuse, request_id_of, trace_id_of
from gateway.failures import Failure
from gateway.openapi import document
from gateway.own import OWN, own_dialect
from gateway.paths import Found, Paths
from gateway.problem import PROBLEM
from gateway.routing import Dialect, Refused, Route
from gateway.runner import SERVE
from gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from grpc import aio

_NOWHERE = Dialect(name="", title="", prefixes=("",), routes=(), errors=PROBLEM)
"""Owner of the paths that are no dialect's."""

Parameters = Mapping[str, str]
Serving = Mapping[str, "Endpoint | _WrongMethod"]
"""What serves each method of a path, and under "*" whatever else is asked of it."""


def create_app(
    channel: aio.Channel,
    *,
    settings: GatewaySettings | None = None,
    dialects: Sequence[Dialect] = DIALECTS,
) -> web.Application:
    """Builds the gateway.

    Args:
        channel: Leads to the service: a gRPC channel, or anything else that the generated stubs take for one.
        settings: Its limits; the defaults if None.
        dialects: The dialects to serve.

    Returns:
        The application. It owns nothing that must be closed; the channel stays the caller's.
    """
    settings = settings or GatewaySettings()
    services = Services.over(channel)
    own = own_dialect(document((*dialects, OWN)))
    dispatch = _Dispatch(dialects)
    for dialect in (*dialects, own):
        for path, routes in _by_path(dialect).items():
            endpoints = {route.method: Endpoint(route, dialect, services, settings) for route in routes}
            dispatch.add(dialect, path, _serving(dialect, routes[0], endpoints))
    app = web.Application(client_max_size=settings.max_body_bytes)
    app[SERVE] = dispatch.serve
    app.router.add_route(hdrs.METH_ANY, "/{path:.*}", dispatch.serve)
    return app


def _by_path(dialect: Dialect) -> dict[str, list[Route]]:
    paths: dict[str, list[Route]] = {}
    for route in dialect.routes:
        paths.setdefault(route.path, []).append(route)
    return paths


def _serving(dialect: Dialect, route: Route, endpoints: Mapping[str, Endpoint]) -> Serving:
    serving: dict[str, Endpoint | _WrongMethod] = dict(endpoints)
    if hdrs.METH_GET in endpoints:
        serving[hdrs.METH_HEAD] = endpoints[hdrs.METH_GET]
    serving[hdrs.METH_ANY] = _WrongMethod(dialect, route, tuple(serving))
    return serving


class _WrongMethod:
    """Answers a method that the resource does not have."""

    def __init__(self, dialect: Dialect, route: Route, methods: Sequence[str]) -> None:
        self._dialect = dialect
        self._route = route
        self._allow = ", ".join(sorted(methods))

    async def serve(self, request: web.Request, _parameters: Parameters) -> web.Response:
        message = f"the resource has no method {request.method[:32]}; it has {self._allow}"
        failure = Failure(HTTPStatus.METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message, allow=self._allow)
        return refuse(self._dialect, Refused(failure, self._route, request_id_of(request), trace_id_of(request)))


class _Dispatch:
    """Finds what serves a request, by its path and its method."""

    def __init__(self, dialects: Sequence[Dialect]) -> None:
        self._dialects = dialects
        self._paths: Paths[Serving] = Paths()
        self._spellings: dict[str, Serving] = {}

    def add(self, dialect: Dialect, path: str, serving: Serving) -> None:
        """Serves a path."""
        self._paths.add(path, serving)
        if dialect.ignores_case:
            self._spellings[dialect.folded(path)] = serving

    async def serve(self, request: web.Request) -> web.Response:
        """Answers a request, if need be in the form of the dialect that its path is under."""
        url = request.rel_url
        path = url.raw_path
        found = self._paths.find(url.path_safe if "%" in path else path)
        if found is None:
            dialect = next((dialect for dialect in self._dialects if dialect.serves(request.path)), _NOWHERE)
            serving = self._spellings.get(dialect.folded(request.path))
            if serving is None:
                failure = Failure(HTTPStatus.NOT_FOUND, "ROUTE_NOT_FOUND", "there is nothing at this path")
                return refuse(dialect, Refused(failure, None, request_id_of(request), trace_id_of(request)))
            found = Found(serving, {})
        serves = found.here.get(request.method) or found.here[hdrs.METH_ANY]
        return await serves.serve(request, found.parameters)
