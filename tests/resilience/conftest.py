# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.command.processes import Almoner as Command

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.command.shell import Shell
    from tests.databases import SqliteTemplate


@pytest.fixture
async def command(sqlite_template: SqliteTemplate, tmp_path: Path, shell: Shell) -> AsyncIterator[Command]:
    """The command with an SQLite database that has been started once."""
    async with sqlite_template.copy(tmp_path / "data"):
        yield Command(tmp_path, shell)
