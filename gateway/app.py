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
from gateway.own import OPENAPI, OWN
from gateway.problem import PROBLEM
from gateway.routing import Dialect, Refused, Route
from gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from grpc import aio

_NOWHERE = Dialect(name="", title="", prefixes=("",), routes=(), errors=PROBLEM)
"""Owner of the paths that are no dialect's."""

Spellings = Mapping[tuple[str, str], "Endpoint | _WrongMethod"]
"""What serves a method, or any other, at a folded path."""


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
    app = web.Application(client_max_size=settings.max_body_bytes)
    spellings: dict[tuple[str, str], Endpoint | _WrongMethod] = {}
    for dialect in (*dialects, OWN):
        for path, routes in _by_path(dialect).items():
            endpoints = {route.method: Endpoint(route, dialect, services, settings) for route in routes}
            serving = _serving(dialect, routes[0], endpoints)
            _add_resource(app, path, serving)
            if dialect.ignores_case:
                spellings |= {(method, dialect.folded(path)): serves for method, serves in serving.items()}
    app.router.add_route(hdrs.METH_ANY, "/{path:.*}", _Unmatched(dialects, spellings).serve)
    app[OPENAPI] = document((*dialects, OWN))
    return app


def _by_path(dialect: Dialect) -> dict[str, list[Route]]:
    paths: dict[str, list[Route]] = {}
    # Of paths that begin alike the router tries one after the other: single resources are asked for most.
    for route in sorted(dialect.routes, key=lambda route: "{" not in route.path):
        paths.setdefault(route.path, []).append(route)
    return paths


def _serving(dialect: Dialect, route: Route, endpoints: Mapping[str, Endpoint]) -> dict[str, Endpoint | _WrongMethod]:
    serving: dict[str, Endpoint | _WrongMethod] = dict(endpoints)
    if hdrs.METH_GET in endpoints:
        serving[hdrs.METH_HEAD] = endpoints[hdrs.METH_GET]
    serving[hdrs.METH_ANY] = _WrongMethod(dialect, route, tuple(serving))
    return serving


def _add_resource(app: web.Application, path: str, serving: Mapping[str, Endpoint | _WrongMethod]) -> None:
    resource = app.router.add_resource(path)
    for method, serves in serving.items():
        resource.add_route(method, serves.serve)


class _WrongMethod:
    """Answers a method that the resource does not have."""

    def __init__(self, dialect: Dialect, route: Route, methods: Sequence[str]) -> None:
        self._dialect = dialect
        self._route = route
        self._allow = ", ".join(sorted(methods))

    async def serve(self, request: web.Request) -> web.Response:
        message = f"the resource has no method {request.method[:32]}; it has {self._allow}"
        failure = Failure(HTTPStatus.METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message, allow=self._allow)
        return refuse(self._dialect, Refused(failure, self._route, request_id_of(request), trace_id_of(request)))


class _Unmatched:
    """Answers a path that no route has, in the form of the dialect that the path is under."""

    def __init__(self, dialects: Sequence[Dialect], spellings: Spellings) -> None:
        self._dialects = dialects
        self._spellings = spellings

    async def serve(self, request: web.Request) -> web.Response:
        dialect = next((dialect for dialect in self._dialects if dialect.serves(request.path)), _NOWHERE)
        path = dialect.folded(request.path)
        serving = self._spellings.get((request.method, path)) or self._spellings.get((hdrs.METH_ANY, path))
        if serving is not None:
            return await serving.serve(request)
        failure = Failure(HTTPStatus.NOT_FOUND, "ROUTE_NOT_FOUND", "there is nothing at this path")
        return refuse(dialect, Refused(failure, None, request_id_of(request), trace_id_of(request)))
