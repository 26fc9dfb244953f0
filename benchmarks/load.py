# SPDX-License-Identifier: Apache-2.0
"""Load from outside, by wrk: a program of its own, so that the one measured has its core for itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True)
class Request:
    """What is sent over and over. `script` is Lua for wrk, for what is not the same every time."""

    url: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    script: str = ""


@dataclass(frozen=True)
class Result:
    """One round: requests a second, latency in seconds at the median and the 99th percentile, and refusals."""

    rate: float
    p50: float
    p99: float
    refused: int


def find_wrk() -> str:
    """Returns the path of wrk, installed from Debian's packages where that is possible.

    Raises:
        SystemExit: it is not there and cannot be installed.
    """
    found = shutil.which("wrk")
    if found is None and shutil.which("apt-get"):
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "wrk"]):
            subprocess.run(command, check=False, capture_output=True)
        found = shutil.which("wrk")
    if found is None:
        raise SystemExit("benchmarks need wrk (Debian package wrk)")
    return found


def run(request: Request, *, callers: int, seconds: int) -> Result:
    """Sends a request from a number of connections for some seconds."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        lines = [f'wrk.method = "{request.method}"', f"wrk.body = [==[{request.body}]==]" if request.body else ""]
        lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in request.headers.items()]
        script.write("\n".join([*lines, request.script]))
        script.flush()
        command = [find_wrk(), "-t1", f"-c{callers}", f"-d{seconds}s", "--latency", "-s", script.name, request.url]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return _read(output)


def _read(output: str) -> Result:
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    if rate is None:
        raise RuntimeError(output)
    return Result(float(rate[1]), _latency(output, "50%"), _latency(output, "99%"), int(refused[1]) if refused else 0)


def _latency(output: str, percentile: str) -> float:
    found = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)", output)
    return float(found[1]) * _UNITS[found[2]] if found else float("nan")


def script_directory() -> Path:
    """Returns where the benchmarks are."""
    return Path(__file__).parent
