# SPDX-License-Identifier: Apache-2.0
"""Builds the gateway: every dialect's routes, the gateway's own, and an answer for everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from gateway.call import Services
from gateway.dialects import DIALECTS
from gateway.endpoint import Endpoint, refuse, request_id_of
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

Spellings = Mapping[tuple[str, str], Endpoint]
"""Endpoints by method and folded path."""


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
    spellings: dict[tuple[str, str], Endpoint] = {}
    for dialect in (*dialects, OWN):
        for path, routes in _by_path(dialect).items():
            endpoints = {route.method: Endpoint(route, dialect, services, settings) for route in routes}
            _add_resource(app, path, endpoints, _WrongMethod(dialect, routes[0], endpoints))
            if dialect.ignores_case:
                spellings |= {(method, dialect.folded(path)): endpoint for method, endpoint in endpoints.items()}
    app.router.add_route(hdrs.METH_ANY, "/{path:.*}", _Unmatched(dialects, spellings).serve)
    app[OPENAPI] = document((*dialects, OWN))
    return app


def _by_path(dialect: Dialect) -> dict[str, list[Route]]:
    paths: dict[str, list[Route]] = {}
    for route in dialect.routes:
        paths.setdefault(route.path, []).append(route)
    return paths


def _add_resource(
    app: web.Application, path: str, endpoints: Mapping[str, Endpoint], wrong_method: _WrongMethod
) -> None:
    resource = app.router.add_resource(path)
    for method, endpoint in endpoints.items():
        resource.add_route(method, endpoint.serve)
        if method == hdrs.METH_GET:
            resource.add_route(hdrs.METH_HEAD, endpoint.serve)
    resource.add_route(hdrs.METH_ANY, wrong_method.serve)


class _WrongMethod:
    """Answers a method that the resource does not have."""

    def __init__(self, dialect: Dialect, route: Route, endpoints: Mapping[str, Endpoint]) -> None:
        self._dialect = dialect
        self._route = route
        methods = {*endpoints, hdrs.METH_HEAD} if hdrs.METH_GET in endpoints else {*endpoints}
        self._allow = ", ".join(sorted(methods))

    async def serve(self, request: web.Request) -> web.Response:
        message = f"the resource has no method {request.method[:32]}; it has {self._allow}"
        failure = Failure(HTTPStatus.METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message, allow=self._allow)
        return refuse(self._dialect, Refused(failure, self._route, request_id_of(request)))


class _Unmatched:
    """Answers a path that no route has, in the form of the dialect that the path is under."""

    def __init__(self, dialects: Sequence[Dialect], spellings: Spellings) -> None:
        self._dialects = dialects
        self._spellings = spellings

    async def serve(self, request: web.Request) -> web.Response:
        dialect = next((dialect for dialect in self._dialects if dialect.serves(request.path)), _NOWHERE)
        endpoint = self._spellings.get((request.method, dialect.folded(request.path)))
        if endpoint is not None:
            return await endpoint.serve(request)
        failure = Failure(HTTPStatus.NOT_FOUND, "ROUTE_NOT_FOUND", "there is nothing at this path")
        return refuse(dialect, Refused(failure, None, request_id_of(request)))
