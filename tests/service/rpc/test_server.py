# SPDX-License-Identifier: Apache-2.0
"""The gRPC server itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.running import running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databases import SqliteTemplate


async def test_it_awaits_the_next_call_and_not_one_of_each_method(
    sqlite_template: SqliteTemplate, tmp_path: Path
) -> None:
    before = asyncio.all_tasks()
    async with running(sqlite_template, tmp_path, over_grpc=True):
        waits = [task for task in asyncio.all_tasks() - before if "_request_" in repr(task)]
        assert len(waits) == 1, waits
