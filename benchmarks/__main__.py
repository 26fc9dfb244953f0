# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmarks: `python -m benchmarks [--seconds S] [--rounds N]`.

Every operation is measured beside bare aiohttp in turn, round by round, so that a machine whose speed drifts does not
change their ratio; medians are printed and written to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import clients, load, servers, tokens
from benchmarks.load import Request, Result

if TYPE_CHECKING:
    from collections.abc import Callable

CALLERS = 32
MEMORY_REQUESTS = 100_000
RESULTS = load.script_directory() / "results"

PROFILE = {"name": "User_1", "description": "OAuth profile 1", "accessToken": "111c334445e55", "refreshToken": "222d"}


class Operation(NamedTuple):
    """What is measured, and what it is held against. A function makes each round its own request."""

    name: str
    request: Request | Callable[[], Request]
    ceiling: Request

    def next(self) -> Request:
        """Returns the request of the next round."""
        return self.request if isinstance(self.request, Request) else self.request()


class Row(NamedTuple):
    """A line of the table: medians over the rounds. Rates are requests a second, latencies milliseconds."""

    operation: str
    rate: float
    ceiling: float
    ratio: float
    lowest: float
    highest: float
    p50: float
    p99: float


def operations(server: servers.Running, ceiling: str) -> list[Operation]:
    """Makes an application and a profile, and returns the operations on them."""
    application = server.send(
        "POST",
        "/api/mgmt/oauthapps",
        {"name": "app", "dataStore": 54, "clientId": "client", "clientSecret": "secret"},
    )
    body = {**PROFILE, "oauthAppId": application["id"]}
    profile = server.send("POST", "/api/mgmt/oauthprofiles", body)
    hdp = f"{server.url}/api/mgmt/oauthprofiles"
    workato = f"{server.url}/api/custom_oauth_profiles"
    basic = {"Authorization": servers.BASIC}
    bearer = {"Authorization": f"Bearer {servers.TOKEN}"}
    json_body = {"Content-Type": "application/json"}
    get, put = Request(ceiling), Request(ceiling, "PUT", json_body, json.dumps(body))
    issued = {"Authorization": f"Bearer {tokens.log_in(server)['access_token']}"}
    return [
        Operation("HDP get, Basic (reveals tokens, audited)", Request(f"{hdp}/{profile['id']}", headers=basic), get),
        Operation("Workato get, Basic", Request(f"{workato}/{profile['id']}", headers=basic), get),
        Operation("Workato get, Bearer", Request(f"{workato}/{profile['id']}", headers=bearer), get),
        Operation("HDP list of 1, Basic", Request(hdp, headers=basic), get),
        Operation(
            "HDP put, Basic (durable, audited)",
            Request(f"{hdp}/{profile['id']}", "PUT", basic | json_body, json.dumps(body)),
            put,
        ),
        Operation("Venafi authorize/verify", Request(f"{server.url}/vedauth/authorize/verify", headers=issued), get),
        Operation(
            "Venafi authorize/token, refresh (durable, audited)",
            lambda: tokens.refreshing(server, CALLERS),
            put,
        ),
        Operation("CSP auth/authorize, generated secret (JWT)", clients.asking(server), put),
    ]


def measure(operation: Operation, *, rounds: int, seconds: int) -> Row:
    """Measures an operation and its ceiling in turn."""
    load.run(operation.next(), callers=CALLERS, seconds=1)
    load.run(operation.ceiling, callers=CALLERS, seconds=1)
    pairs: list[tuple[Result, Result]] = []
    for _ in range(rounds):
        ceiling = load.run(operation.ceiling, callers=CALLERS, seconds=seconds)
        pairs.append((load.run(operation.next(), callers=CALLERS, seconds=seconds), ceiling))
    if any(ours.refused or bare.refused for ours, bare in pairs):
        raise SystemExit(f"{operation.name}: requests were refused")
    ratios = [ours.rate / bare.rate for ours, bare in pairs]
    return Row(
        operation.name,
        statistics.median(ours.rate for ours, _ in pairs),
        statistics.median(bare.rate for _, bare in pairs),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        1_000 * statistics.median(ours.p50 for ours, _ in pairs),
        1_000 * statistics.median(ours.p99 for ours, _ in pairs),
    )


def start_up(directory: Path) -> dict[str, float]:
    """Times a start on an existing database against importing the libraries alone, in seconds, medians of five."""
    libraries = "import aiohttp.web, alembic, asyncpg, grpc.aio, protovalidate, sqlmodel, structlog, uvloop"
    imports, starts = [], []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", libraries], check=True)
        imports.append(time.perf_counter() - began)
        began = time.perf_counter()
        with servers.almoner(directory):
            starts.append(time.perf_counter() - began)
    return {"import": statistics.median(imports), "ready": statistics.median(starts)}


def memory(server: servers.Running, operation: Operation) -> dict[str, float]:
    """Returns resident megabytes before and after MEMORY_REQUESTS requests."""
    before = server.resident()
    sent = 0.0
    while sent < MEMORY_REQUESTS:
        sent += load.run(operation.next(), callers=CALLERS, seconds=5).rate * 5
    return {"before": before / 1e6, "after": server.resident() / 1e6, "requests": sent}


def table(rows: list[Row]) -> str:
    """Returns the rows as a Markdown table."""
    lines = [
        "| operation | requests/s | bare aiohttp | ratio (min-max) | p50 ms | p99 ms |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.operation} | {row.rate:,.0f} | {row.ceiling:,.0f} "
        f"| **{row.ratio:.2f}** ({row.lowest:.2f}-{row.highest:.2f}) | {row.p50:.1f} | {row.p99:.1f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Runs all and writes what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each operation (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds of a round (default 3)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="almoner-bench-") as name:
        directory = Path(name)
        with servers.bare() as ceiling, servers.almoner(directory) as server:
            measured = operations(server, ceiling)
            rows = [measure(operation, rounds=options.rounds, seconds=options.seconds) for operation in measured]
            resident = memory(server, measured[0])
        started = start_up(directory)
    print(table(rows))
    print(
        f"\nmemory: {resident['before']:.0f} MB -> {resident['after']:.0f} MB after {resident['requests']:,.0f} requests"
    )
    print(f"start: ready in {started['ready']:.2f} s, importing the libraries alone takes {started['import']:.2f} s")
    RESULTS.mkdir(exist_ok=True)
    written = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}.json"
    facts = {"python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine()}
    results = {"machine": facts, "rows": [row._asdict() for row in rows], "memory": resident, "start": started}
    written.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
