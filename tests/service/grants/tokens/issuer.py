# SPDX-License-Identifier: Apache-2.0
"""A small OpenID provider, which tests let misbehave."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web
from joserfc import jwk, jws

from almoner.v1 import grant_pb2, grant_service_pb2
from service.clock import SECOND

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

    from tests.service.grants.tokens.counter import Counter

DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/keys"


class _AnyAlgorithm(jws.JWSRegistry):
    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


@dataclass
class Issuer:
    """A provider with its keys.

    Attributes:
        uri: Its iss.
        keys: Its private keys; the first one signs.
        asked: How often each of its documents was asked for.
        answers: Replies that take the place of the documents once: the arguments of a response.
        hang: Until when it answers nobody.
    """

    uri: str = ""
    keys: list[jwk.Key] = field(default_factory=lambda: [new_key("1")])
    asked: dict[str, int] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    hang: asyncio.Event | None = None

    def sign(self, claims: dict[str, Any], *, alg: str = "ES256", key: jwk.Key | None = None, **header: Any) -> str:
        used = key or self.keys[0]
        members = {"alg": alg, "typ": "JWT", "kid": used.kid, **header}
        protected = {name: value for name, value in members.items() if value is not None}
        registry = _AnyAlgorithm(algorithms=[alg], strict_check_header=False)
        return jws.serialize_compact(protected, msgspec.json.encode(claims), used, registry=registry)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked[request.path] = self.asked.get(request.path, 0) + 1
        if self.hang is not None:
            await self.hang.wait()
        if request.path in self.answers:
            return web.Response(**self.answers.pop(request.path))
        if request.path == DISCOVERY:
            return web.json_response({"issuer": self.uri, "jwks_uri": self.uri + JWKS})
        if request.path == JWKS:
            return web.json_response({"keys": [key.as_dict(private=False) for key in self.keys]})
        return web.Response(status=404)


def new_key(kid: str, kind: str = "EC", size: Any = "P-256", **parameters: str) -> jwk.Key:
    return jwk.generate_key(kind, size, {"kid": kid, **parameters})  # type: ignore[call-overload,no-any-return]


@asynccontextmanager
async def serving() -> AsyncIterator[Issuer]:
    """Runs a provider on this machine, over plain http."""
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/{path:.*}", issuer.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    issuer.uri = f"http://{host}:{port}"
    try:
        yield issuer
    finally:
        if issuer.hang is not None:
            issuer.hang.set()
        await runner.cleanup()


async def map_to(counter: Counter, issuer: Issuer, **members: Any) -> None:
    """Makes a mapping to the user of the counter for `aud` almoner, unless members say otherwise."""
    whole = {
        "name": f"mapping {issuer.uri}",
        "organization_id": counter.organization.id,
        "issuer_uri": issuer.uri,
        "purpose_field": "aud",
        "purpose_match": "almoner",
        "id_field": "sub",
        "id_match": "*",
        "user_id": counter.user.id,
    }
    request = grant_service_pb2.CreateJwtMappingRequest(jwt_mapping=grant_pb2.JwtMapping(**{**whole, **members}))
    await counter.grants.CreateJwtMapping(request, metadata=counter.by_admin)


def claims(counter: Counter, issuer: Issuer, **others: Any) -> dict[str, Any]:
    """Returns claims that are good for a minute; those that are None are left out."""
    now = counter.time.now // SECOND
    whole = {"iss": issuer.uri, "aud": "almoner", "sub": "robot", "exp": now + 60, "iat": now, **others}
    return {name: value for name, value in whole.items() if value is not None}
