# SPDX-License-Identifier: Apache-2.0
"""What operations are held against, each a process of its own: bare servers, the usual way, raw statements."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from almoner.v1.profile_pb2 import Profile
from almoner.v1.profile_service_pb2 import GetProfileRequest, ListProfilesRequest, UpdateProfileRequest
from benchmarks.ceilings import raw_sqlite
from benchmarks.h2load import Call
from benchmarks.load import Load, Request
from benchmarks.servers import BASIC, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HTTP = "empty aiohttp route"
HTTP_UPDATE = "empty aiohttp route with a body"
GRPC = "empty grpc.aio method"
GRPC_TWICE = "empty grpc.aio method, 2 processes"
GRPC_UPDATE = "empty grpc.aio update"
GRPC_LIST = "empty grpc.aio list of 100"
ORM = "ORM session a request, get"
ORM_UPDATE = "ORM session and commit a request, update"
RAW_UPDATE = "raw sqlite3 durable update"

BODY = (
    '{"name":"User_1","description":"OAuth profile 1","oauthAppId":1,'
    '"accessToken":"111c334445e55","refreshToken":"222d"}'
)
"""A profile, as the bodies of updates have it."""

_SERVICE = "/almoner.v1.ProfileService"


@contextmanager
def running(directory: Path) -> Iterator[Mapping[str, Load]]:
    """Starts all ceilings, whose files are in a directory, and gives them by name."""
    raw_sqlite.prepare(directory / "raw.db")
    with ExitStack() as stack:
        http = stack.enter_context(_server("empty_http", free_port()))
        orm = stack.enter_context(_server("orm", free_port(), str(directory / "orm.db")))
        grpc = stack.enter_context(_server("empty_grpc", free_port()))
        shared = free_port()
        stack.enter_context(_server("empty_grpc", shared))
        grpc_twice = stack.enter_context(_server("empty_grpc", shared))
        json_body = {"Content-Type": "application/json"}
        basic = {"Authorization": BASIC}
        update = UpdateProfileRequest(profile=Profile(id=33, name="User_1"))
        yield {
            HTTP: Request(f"http://{http}/profiles/33"),
            HTTP_UPDATE: Request(f"http://{http}/profiles/33", "PUT", json_body, BODY),
            ORM: Request(f"http://{orm}/profiles/1", headers=basic),
            ORM_UPDATE: Request(f"http://{orm}/profiles/1", "PUT", basic | json_body, BODY),
            GRPC: Call(grpc, f"{_SERVICE}/GetProfile", GetProfileRequest(id=33)),
            GRPC_TWICE: Call(grpc_twice, f"{_SERVICE}/GetProfile", GetProfileRequest(id=33)),
            GRPC_UPDATE: Call(grpc, f"{_SERVICE}/UpdateProfile", update),
            GRPC_LIST: Call(grpc, f"{_SERVICE}/ListProfiles", ListProfilesRequest(page_size=100)),
            RAW_UPDATE: raw_sqlite.Statement(directory / "raw.db", raw_sqlite.UPDATE),
        }


@contextmanager
def provider(lifetime: int) -> Iterator[str]:
    """Starts a provider whose access tokens are good for so many seconds, and gives its address."""
    with _server("provider", free_port(), str(lifetime)) as address:
        yield address


@contextmanager
def _server(module: str, port: int, *arguments: str) -> Iterator[str]:
    """Runs a module of this package on a port and gives HOST:PORT once it is ready."""
    command = [sys.executable, "-m", f"benchmarks.ceilings.{module}", str(port), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
