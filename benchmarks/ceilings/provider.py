# SPDX-License-Identifier: Apache-2.0
"""A token endpoint that grants whatever it is asked for. `python -m benchmarks.ceilings.provider PORT LIFETIME`.

LIFETIME is that of its access tokens, in seconds. `GET /` tells how many it has granted.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

import uvloop
from aiohttp import web


class Provider:
    """What has been granted."""

    def __init__(self, lifetime: int) -> None:
        self._lifetime = lifetime
        self._numbers = itertools.count(1)
        self._granted = 0

    async def token(self, request: web.Request) -> web.Response:
        """Grants another pair of tokens."""
        await request.read()
        self._granted = number = next(self._numbers)
        return web.json_response(
            {
                "access_token": f"access token {number:040}",
                "refresh_token": f"refresh token {number:040}",
                "token_type": "Bearer",
                "expires_in": self._lifetime,
            }
        )

    async def granted(self, _request: web.Request) -> web.Response:
        """Tells how many."""
        return web.json_response(self._granted)


async def serve(port: int, lifetime: int) -> None:
    """Serves until the process is ended."""
    provider = Provider(lifetime)
    app = web.Application()
    app.router.add_post("/token", provider.token)
    app.router.add_get("/", provider.granted)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
