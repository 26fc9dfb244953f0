# SPDX-License-Identifier: Apache-2.0
"""The command over nothing yet, and over databases that have been started once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.command.processes import Almoner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.command.shell import Shell
    from tests.databases import SqliteTemplate, Template


@pytest.fixture
def new(tmp_path: Path, shell: Shell) -> Almoner:
    """The command where it was never used."""
    return Almoner(tmp_path, shell)


@pytest.fixture
async def started(sqlite_template: SqliteTemplate, new: Almoner) -> AsyncIterator[Almoner]:
    """The command with an SQLite database and a keyring that have been started once."""
    async with sqlite_template.copy(new.directory / "data"):
        yield new


@pytest.fixture
async def started_on(template: Template, new: Almoner) -> AsyncIterator[Almoner]:
    """The command with a database of each backend that has been started once."""
    async with template.copy(new.directory / "data") as settings:
        new.environment["ALMONER_DATABASE_URL"] = settings.database_url
        yield new
