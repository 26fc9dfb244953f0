# SPDX-License-Identifier: Apache-2.0
"""Statements on the sqlite3 module alone: `python -m benchmarks.ceilings.raw_sqlite FILE SECONDS STATEMENT`.

Runs the statement over and over, a transaction each, as durable as the product, and prints the result as JSON.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from benchmarks.load import Result

if TYPE_CHECKING:
    from pathlib import Path

UPDATE = "UPDATE profiles SET name = 'User_1', revision = revision + 1 WHERE id = 1"


@dataclass(frozen=True)
class Statement:
    """A statement that is run over and over on a database file, by a process of its own: one caller, however many."""

    file: Path
    text: str

    def run(self, callers: int, seconds: int) -> Result:  # noqa: ARG002 - one process waits for nobody else
        """Runs it for some seconds."""
        command = [sys.executable, "-m", "benchmarks.ceilings.raw_sqlite", str(self.file), str(seconds), self.text]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return Result(**json.loads(printed))


def prepare(file: Path) -> None:
    """Makes a file with a hundred small profiles."""
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE profiles (id INTEGER PRIMARY KEY, name TEXT, revision INTEGER)")
        database.executemany("INSERT INTO profiles (name, revision) VALUES (?, 1)", ((f"{n}",) for n in range(100)))


def _run(file: str, seconds: float, statement: str) -> Result:
    latencies = []
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        began = now = time.perf_counter()
        while now < began + seconds:
            database.execute(statement).fetchall()
            ended = time.perf_counter()
            latencies.append(ended - now)
            now = ended
    latencies.sort()
    rate = len(latencies) / (now - began)
    return Result(rate, latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100], len(latencies))


if __name__ == "__main__":
    print(json.dumps(asdict(_run(sys.argv[1], float(sys.argv[2]), sys.argv[3]))))
