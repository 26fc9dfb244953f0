# SPDX-License-Identifier: Apache-2.0
"""How the product is run while it is measured: on SQLite and PostgreSQL, in one process and in several."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks import operations, postgres, servers
from benchmarks.ceilings import GRPC, GRPC_TWICE
from benchmarks.load import Request
from benchmarks.measuring import Operation, Pace, Row, measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from benchmarks.load import Load

SQLITE = "SQLite"
HOP = "SQLite, gateway over gRPC"
POSTGRES = "PostgreSQL"
WORKERS = {2: "PostgreSQL, 2 workers", 4: "PostgreSQL, 4 workers"}
ONE_WORKER = "one worker"


def on_sqlite(directory: Path, ceilings: Mapping[str, Load], pace: Pace, *, wanted: str = "") -> Iterator[Row]:
    """Measures everything whose name contains `wanted`."""
    directory.mkdir()
    with servers.almoner(directory) as server:
        for operation in operations.operations(server):
            if wanted in operation.name:
                yield measure(operation, server, SQLITE, ceilings, pace)


def over_grpc(directory: Path, ceilings: Mapping[str, Load], pace: Pace) -> Iterator[Row]:
    """Measures what goes over the hop between the gateway and a service of its own."""
    directory.mkdir()
    with servers.halves(directory) as server:
        for operation in _everywhere(server):
            if isinstance(operation.load, Request):
                yield measure(operation, server, HOP, ceilings, pace)


def on_postgres(directory: Path, ceilings: Mapping[str, Load], pace: Pace) -> Iterator[Row]:
    """Measures one worker, and more of them in turn with it; all share a database."""
    directory.mkdir()
    with postgres.running() as url:
        database = ("--database-url", url)
        servers.migrate(directory, *database)
        with servers.almoner(directory, *database) as alone:
            single = _everywhere(alone)
            for operation in single:
                yield measure(operation, alone, POSTGRES, ceilings, pace)
            one_worker = {operation.name: operation.load for operation in single}
            for workers, setting in WORKERS.items():
                with servers.almoner(directory, *database, "--workers", str(workers)) as server:
                    for operation in _everywhere(server):
                        twice = (GRPC_TWICE,) if GRPC in operation.against else ()
                        beside = replace(operation, against=(*operation.against, *twice, ONE_WORKER))
                        held = {**ceilings, ONE_WORKER: one_worker[operation.name]}
                        yield measure(beside, server, setting, held, pace)


def _everywhere(server: servers.Running) -> list[Operation]:
    """Returns the operations that every setting is measured by, held against their ceiling alone."""
    return [
        replace(operation, against=operation.against[:1])
        for operation in operations.operations(server)
        if operation.everywhere
    ]
