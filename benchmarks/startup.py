# SPDX-License-Identifier: Apache-2.0
"""How long a start on an existing database takes, against importing the libraries alone."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks import servers

if TYPE_CHECKING:
    from pathlib import Path

_LIBRARIES = "import aiohttp.web, alembic, asyncpg, grpc.aio, protovalidate, sqlmodel, structlog, uvloop"
_TIMES = 3


def measured(directory: Path) -> dict[str, float]:
    """Returns seconds of both, medians."""
    imports, starts = [], []
    for _ in range(_TIMES):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", _LIBRARIES], check=True)
        imports.append(time.perf_counter() - began)
        began = time.perf_counter()
        with servers.almoner(directory):
            starts.append(time.perf_counter() - began)
    return {"import": statistics.median(imports), "ready": statistics.median(starts)}
