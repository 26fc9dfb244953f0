# SPDX-License-Identifier: Apache-2.0
"""How a test steers the provider, over HTTP under /control: clients, grants, faults, and what has come of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from tests.broker_faults.provider.faults import Fault
from tests.broker_faults.provider.grants import Client, Tokens
from tests.broker_faults.provider.requests import Report

if TYPE_CHECKING:
    from tests.broker_faults.provider.grants import Registry
    from tests.broker_faults.provider.requests import Requests


class Control:
    """Its handlers."""

    def __init__(self, registry: Registry, requests: Requests) -> None:
        """`registry` and `requests` are the provider's."""
        self._registry = registry
        self._requests = requests

    def routes(self) -> list[web.AbstractRouteDef]:
        """Returns where they are."""
        return [
            web.put("/control/clients", self.put_client),
            web.post("/control/clients/{client_id}/grants", self.grant),
            web.put("/control/clients/{client_id}/faults", self.script),
            web.post("/control/clients/{client_id}/release", self.release),
            web.get("/control/clients/{client_id}", self.report),
        ]

    async def put_client(self, request: web.Request) -> web.Response:
        """Makes a client, or changes one: its grants stay."""
        given = msgspec.json.decode(await request.read(), type=Client)
        client = self._registry.clients.setdefault(given.id, given)
        for member in dataclasses.fields(Client):
            setattr(client, member.name, getattr(given, member.name))
        return web.Response()

    async def grant(self, request: web.Request) -> web.Response:
        """Makes a grant with its first tokens."""
        client = self._registry.clients[request.match_info["client_id"]]
        tokens: Tokens = self._registry.grant(client, msgspec.json.decode(await request.read(), type=frozenset[str]))
        return web.Response(body=msgspec.json.encode(tokens))

    async def script(self, request: web.Request) -> web.Response:
        """Lets the next requests meet faults."""
        faults = msgspec.json.decode(await request.read(), type=list[Fault])
        self._requests.script(request.match_info["client_id"], faults)
        return web.Response()

    async def release(self, request: web.Request) -> web.Response:
        """Lets the requests go on that are held."""
        self._requests.release(request.match_info["client_id"])
        return web.Response()

    async def report(self, request: web.Request) -> web.Response:
        """Tells what has come of a client, as soon as there were so many requests as the query says."""
        client_id = request.match_info["client_id"]
        await self._requests.wait(client_id, {what: int(number) for what, number in request.query.items()})
        reuses = self._registry.reuses.get(client_id, 0)
        report = Report(self._requests.of(client_id), self._requests.elsewhere(client_id), reuses)
        return web.Response(body=msgspec.json.encode(report))
