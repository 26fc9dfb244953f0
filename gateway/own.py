# SPDX-License-Identifier: Apache-2.0
"""Routes of the gateway itself: what there is, whether it lives and can serve, and the keys that JWTs are checked with."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version

import msgspec
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from almoner.v1.token_service_pb2 import ListSigningKeysRequest, SigningKey
from gateway.call import Call, Reply
from gateway.failures import Failure
from gateway.problem import PROBLEM
from gateway.routing import Dialect, Route

CACHED = {"Cache-Control": "public, max-age=300"}

OpenCall = Call[None, None, None]


class Health(msgspec.Struct):
    """What a probe reads."""

    status: str


class Links(msgspec.Struct):
    """Where to go from the index."""

    openapi: str = "/openapi.json"
    health: str = "/healthz"
    readiness: str = "/readyz"
    jwks: str = "/.well-known/jwks.json"


class Index(msgspec.Struct):
    """What answers at the root."""

    name: str
    version: str
    links: Links


class Jwk(msgspec.Struct, omit_defaults=True):
    """A public key (RFC 7517 section 4), with the members that a key of its type has."""

    kid: str
    kty: str
    alg: str
    use: str
    crv: str = ""
    x: str = ""
    y: str = ""
    n: str = ""
    e: str = ""


class JwkSet(msgspec.Struct):
    """Public keys (RFC 7517 section 5), the newest first."""

    keys: list[Jwk]


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


async def jwks(call: OpenCall) -> Reply:
    """Gives the keys that JWTs issued here are checked with.

    A key is published longer before it signs than it may be cached.
    """
    listed = await call.send(call.services.tokens.ListSigningKeys, ListSigningKeysRequest())
    return Reply(JwkSet([_jwk(key) for key in listed.keys]), headers=CACHED)


def _jwk(key: SigningKey) -> Jwk:
    return Jwk(key.kid, key.kty, key.alg, key.use, crv=key.crv, x=key.x, y=key.y, n=key.n, e=key.e)


def own_dialect(document: bytes = b"") -> Dialect:
    """Returns the routes of the gateway itself.

    Args:
        document: The OpenAPI document, as it is sent; left out where nothing but the table is wanted.
    """

    async def openapi(_: OpenCall) -> Reply:
        return Reply(msgspec.Raw(document))

    return Dialect(
        name="almoner",
        title="Almoner",
        prefixes=(),
        routes=(
            Route("GET", "/", index, "What this is", "RFC 9457 for failures", reply=Index, anonymous=True),
            Route(
                "GET", "/healthz", healthz, "Whether the process lives", "Liveness probe", reply=Health, anonymous=True
            ),
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
            Route(
                "GET",
                "/.well-known/jwks.json",
                jwks,
                "The keys that JWTs are checked with",
                "RFC 7517 section 5",
                refusals=(HTTPStatus.SERVICE_UNAVAILABLE,),
                reply=JwkSet,
                anonymous=True,
            ),
        ),
        errors=PROBLEM,
    )


OWN = own_dialect()
"""The table of these routes, and the form of their failures."""
