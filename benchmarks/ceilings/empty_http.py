# SPDX-License-Identifier: Apache-2.0
"""An aiohttp server with one route that does nothing but answer. `python -m benchmarks.ceilings.empty_http PORT`."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web

BODY = b'{"id":33,"name":"User_1","oauthAppId":17,"description":"","accessToken":"111c334445e55","refreshToken":"222d"}'


async def answer(_request: web.Request) -> web.Response:
    """Answers with a profile's worth of JSON."""
    return web.Response(body=BODY, content_type="application/json")


async def update(request: web.Request) -> web.Response:
    """Reads a body and answers with as much."""
    await request.read()
    return web.Response(body=BODY, content_type="application/json")


async def serve(port: int) -> None:
    """Serves until the process is ended."""
    app = web.Application()
    app.router.add_get("/profiles/{id}", answer)
    app.router.add_put("/profiles/{id}", update)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
