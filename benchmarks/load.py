# SPDX-License-Identifier: Apache-2.0
"""Load from outside, by wrk: a program of its own, so that the one measured has its core for itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True)
class Result:
    """One round: requests a second, latency in seconds at the median and the 99th percentile, requests and refusals."""

    rate: float
    p50: float
    p99: float
    requests: int
    refused: int = 0


class Load(Protocol):
    """Something that can be sent, or done, over and over."""

    def run(self, callers: int, seconds: int) -> Result:
        """Keeps this many callers busy for some seconds."""
        ...


@cache
def installed(program: str, package: str) -> str:
    """Returns the path of a program, installed from Debian's packages where that is possible.

    Raises:
        SystemExit: it is not there and cannot be installed.
    """
    found = shutil.which(program)
    if found is None and shutil.which("apt-get"):
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", package]):
            subprocess.run(command, check=False, capture_output=True)
        found = shutil.which(program)
    if found is None:
        raise SystemExit(f"benchmarks need {program}, which could not be installed here: see Debian package {package}")
    return found


@dataclass(frozen=True)
class Request:
    """An HTTP request that is sent over and over. `script` is Lua for wrk, for what is not the same every time."""

    url: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    script: str = ""

    def run(self, callers: int, seconds: int) -> Result:
        """Sends it from a number of connections for some seconds."""
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(self._lua())
            script.flush()
            command = [installed("wrk", "wrk"), "-t1", f"-c{callers}", f"-d{seconds}s", "--timeout=10s", "--latency"]
            command += ["-s", script.name, self.url]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return read(output)

    def _lua(self) -> str:
        lines = [f'wrk.method = "{self.method}"', f"wrk.body = [==[{self.body}]==]" if self.body else ""]
        lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in self.headers.items()]
        return "\n".join([*lines, self.script])


@dataclass(frozen=True)
class Fresh:
    """A load that is made anew for each round, because a round uses it up."""

    make: Callable[[], Load]

    def run(self, callers: int, seconds: int) -> Result:
        """Makes it and runs it."""
        return self.make().run(callers, seconds)


def read(output: str) -> Result:
    """Reads what wrk prints.

    Raises:
        RuntimeError: it is no report of wrk's.
    """
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    requests = re.search(r"(\d+) requests in", output)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    if rate is None or requests is None:
        raise RuntimeError(output)
    return Result(
        float(rate[1]),
        _latency(output, "50%"),
        _latency(output, "99%"),
        int(requests[1]),
        (int(refused[1]) if refused else 0) + (sum(map(int, broken.groups())) if broken else 0),
    )


def _latency(output: str, percentile: str) -> float:
    found = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)", output)
    return float(found[1]) * _UNITS[found[2]] if found else float("nan")
