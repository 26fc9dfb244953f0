# SPDX-License-Identifier: Apache-2.0
"""Routes of the gateway itself: what there is, whether it lives, whether it can serve."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version

import msgspec
from aiohttp import web
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from gateway.call import Call, Reply
from gateway.failures import Failure
from gateway.problem import PROBLEM
from gateway.routing import Dialect, Route

OPENAPI: web.AppKey[bytes] = web.AppKey("openapi", bytes)
"""The OpenAPI document of the application, as it is sent."""

OpenCall = Call[None, None, None]


class Health(msgspec.Struct):
    """What a probe reads."""

    status: str


class Links(msgspec.Struct):
    """Where to go from the index."""

    openapi: str = "/openapi.json"
    health: str = "/healthz"
    readiness: str = "/readyz"


class Index(msgspec.Struct):
    """What answers at the root."""

    name: str
    version: str
    links: Links


async def index(_: OpenCall) -> Reply:
    """Says what this is."""
    return Reply(Index("almoner", version("almoner"), Links()))


async def healthz(_: OpenCall) -> Reply:
    """Says that the process lives, whatever the service does."""
    return Reply(Health("ok"))


async def readyz(call: OpenCall) -> Reply:
    """Says whether the service can serve."""
    health = await call.send(call.services.health.Check, HealthCheckRequest())
    if health.status != HealthCheckResponse.SERVING:
        message = "the service is not ready; try again"
        raise Failure(HTTPStatus.SERVICE_UNAVAILABLE, "NOT_READY", message, retry_after=1)
    return Reply(Health("ready"))


async def openapi(call: OpenCall) -> Reply:
    """Gives the OpenAPI document."""
    return Reply(msgspec.Raw(call.request.app[OPENAPI]))


OWN = Dialect(
    name="almoner",
    title="Almoner",
    prefixes=(),
    routes=(
        Route("GET", "/", index, "What this is", "RFC 9457 for failures", reply=Index, anonymous=True),
        Route("GET", "/healthz", healthz, "Whether the process lives", "Liveness probe", reply=Health, anonymous=True),
        Route(
            "GET",
            "/readyz",
            readyz,
            "Whether the service can serve",
            "Readiness probe (grpc.health.v1)",
            refusals=(HTTPStatus.SERVICE_UNAVAILABLE,),
            reply=Health,
            anonymous=True,
        ),
        Route(
            "GET",
            "/openapi.json",
            openapi,
            "This document",
            "OpenAPI 3.1.1",
            reply=dict[str, msgspec.Raw],
            anonymous=True,
        ),
    ),
    errors=PROBLEM,
)
