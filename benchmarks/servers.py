# SPDX-License-Identifier: Apache-2.0
"""The servers that are measured, each a process of its own: the installed command in one process or in two."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "a password for benchmarks"
TOKEN = "a-token-for-benchmarks"
BASIC = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Running:
    """A started server: the address of its gateway, HOST:PORT of its gRPC service, and its processes."""

    url: str
    grpc: str
    pids: tuple[int, ...]

    def send(self, method: str, path: str, body: dict[str, Any] | None = None, authorization: str = BASIC) -> Any:
        """Sends one request, as user admin if nobody else is named, and returns the reply's JSON."""
        request = urllib.request.Request(  # noqa: S310 - the address is our own server's
            self.url + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": authorization, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as reply:  # noqa: S310
            return json.load(reply)

    def cpu(self) -> float:
        """Returns the seconds of CPU that its processes have used so far."""
        return processes.cpu(self.pids)

    def resident(self) -> int:
        """Returns the resident memory of its largest process in bytes."""
        return processes.resident(self.pids)


def migrate(directory: Path, *flags: str) -> None:
    """Runs `almoner migrate`, which a database of a server of its own needs before the first start."""
    with _command(directory, "migrate", *flags) as process:
        if process.wait():
            raise RuntimeError("the database could not be migrated")


@contextmanager
def almoner(directory: Path, *flags: str) -> Iterator[Running]:
    """Runs `almoner serve` on a directory and gives it once it is ready."""
    rest, grpc = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    with _command(directory, "serve", "--rest-listen", rest, "--grpc-listen", grpc, *flags) as process:
        _wait(f"http://{rest}/readyz", process)
        yield Running(f"http://{rest}", grpc, (process.pid,))


@contextmanager
def halves(directory: Path, *flags: str) -> Iterator[Running]:
    """Runs `almoner serve-grpc`, and `almoner serve-gateway` before it."""
    rest, grpc = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    with (
        _command(directory, "serve-grpc", "--grpc-listen", grpc, *flags) as service,
        _command(directory, "serve-gateway", "--service", grpc, "--rest-listen", rest) as gateway,
    ):
        _wait(f"http://{rest}/readyz", service, gateway)
        yield Running(f"http://{rest}", grpc, (service.pid, gateway.pid))


@contextmanager
def _command(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", *arguments],
        env={
            **os.environ,
            "ALMONER_DATA_DIR": str(directory),
            "ALMONER_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD,
            "ALMONER_BOOTSTRAP_API_TOKEN": TOKEN,
            "ALMONER_LOG_LEVEL": "warning",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _wait(url: str, *needed: subprocess.Popen[str]) -> None:
    """Waits until the address answers."""
    while True:
        try:
            urllib.request.urlopen(url).close()  # noqa: S310 - the address is our own server's
        except OSError:
            if any(process.poll() is not None for process in needed):
                raise RuntimeError("the server has ended") from None
            time.sleep(0.01)
        else:
            return
