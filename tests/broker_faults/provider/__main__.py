# SPDX-License-Identifier: Apache-2.0
"""Runs the provider: `python -m tests.broker_faults.provider --port 0` prints its port, and ends when its stdin does."""

from __future__ import annotations

import argparse
import asyncio
import sys

from aiohttp import web

from tests.broker_faults.provider.control import Control
from tests.broker_faults.provider.endpoints import Endpoints
from tests.broker_faults.provider.grants import Registry
from tests.broker_faults.provider.requests import Requests


async def serve(port: int) -> None:
    """Serves until whoever has started it goes away."""
    registry, requests = Registry(), Requests()
    app = web.Application()
    app.add_routes(Endpoints(registry, requests).routes())
    app.add_routes(Control(registry, requests).routes())
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201 - its port is what the program has to say
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=0)
asyncio.run(serve(parser.parse_args().port))
