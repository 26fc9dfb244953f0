# SPDX-License-Identifier: Apache-2.0
"""The servers that are measured: the installed command, and the bare ceiling, each a process of its own."""

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
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "a password for benchmarks"
TOKEN = "a-token-for-benchmarks"
BASIC = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def bare() -> Iterator[str]:
    """Runs the bare aiohttp server and gives the address of its route."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.bare", str(port)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield f"http://127.0.0.1:{port}/profiles/33"
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Running:
    """A started server."""

    url: str
    process: subprocess.Popen[str]

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Sends one request as user admin and returns the reply's JSON."""
        request = urllib.request.Request(  # noqa: S310 - the address is our own server's
            self.url + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": BASIC, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as reply:  # noqa: S310
            return json.load(reply)

    def resident(self) -> int:
        """Returns the resident memory of the process in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024


def environment(directory: Path) -> dict[str, str]:
    """Returns the environment of a server whose files are in a directory."""
    return {
        **os.environ,
        "ALMONER_DATA_DIR": str(directory),
        "ALMONER_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD,
        "ALMONER_BOOTSTRAP_API_TOKEN": TOKEN,
        "ALMONER_LOG_LEVEL": "warning",
    }


@contextmanager
def almoner(directory: Path, *flags: str) -> Iterator[Running]:
    """Runs `almoner serve` on a directory and gives it once it is ready."""
    rest = free_port()
    command = [
        sys.executable,
        "-m",
        "service.cli",
        "serve",
        "--rest-listen",
        f"127.0.0.1:{rest}",
        "--grpc-listen",
        f"127.0.0.1:{free_port()}",
        *flags,
    ]
    process = subprocess.Popen(command, env=environment(directory), stdout=subprocess.PIPE, text=True)
    try:
        _wait(f"http://127.0.0.1:{rest}/readyz", process)
        yield Running(f"http://127.0.0.1:{rest}", process)
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str, process: subprocess.Popen[str]) -> None:
    """Waits until the address answers."""
    while True:
        try:
            urllib.request.urlopen(url).close()  # noqa: S310 - the address is our own server's
        except OSError:
            if process.poll() is not None:
                raise RuntimeError("the server has ended") from None
            time.sleep(0.01)
        else:
            return
