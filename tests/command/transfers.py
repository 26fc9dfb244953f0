# SPDX-License-Identifier: Apache-2.0
"""Houses to export and databases to import into, of each backend."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.crypto.keyring import Keyring
from service.storage.migrate import migrate
from service.transfer.exporting import SEAL_DIGEST
from tests.command.processes import PATIENCE, Almoner
from tests.databases import settings_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from service.settings import Settings
    from tests.command.shell import Shell
    from tests.databases import PostgresTemplate, Template

Lines = list[dict[str, Any]]

KILLED = Path(__file__).with_name("killed_import.py")
_NUMBERS = itertools.count(1)


def settings_of(command: Almoner) -> Settings:
    """Returns the settings of a command, for a look into its database."""
    url = command.environment.get("ALMONER_DATABASE_URL")
    return settings_for(command.directory / "data", **({"database_url": url} if url else {}))


@asynccontextmanager
async def house(template: Template, directory: Path, shell: Shell) -> AsyncIterator[Almoner]:
    """The command with a database that has been started once."""
    async with template.copy(directory / "data") as settings:
        yield Almoner(directory, shell, {"ALMONER_DATABASE_URL": settings.database_url})


@asynccontextmanager
async def empty_postgresql(template: PostgresTemplate) -> AsyncIterator[str]:
    """The URL of a database that is migrated, and where no server was started."""
    name = f"blank_{os.getpid()}_{next(_NUMBERS)}"
    await template.run(f"CREATE DATABASE {name}")
    try:
        settings = settings_for(template.directory, database_url=template.url_of(name))
        await migrate(settings.database_url)
        yield settings.database_url
    finally:
        await template.run(f"DROP DATABASE {name} WITH (FORCE)")


def moved(file: Path, change: Callable[[Lines], object], keyring_file: Path) -> Path:
    """Changes the lines of a file, as somebody who has its keyring can: digest and seal are made anew."""
    lines = [json.loads(line) for line in file.read_bytes().splitlines()]
    change(lines)
    *body, footer = lines
    data = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in body)
    digest = hashlib.sha256(data)
    footer["sha256"] = digest.hexdigest()
    footer["seal"] = Keyring.open(keyring_file).digest(SEAL_DIGEST, digest.digest()).hex()
    other = file.with_name("changed")
    other.write_bytes(data + json.dumps(footer).encode() + b"\n")
    return other


def killed_import(command: Almoner, file: Path, batches: int, *flags: str) -> int:
    """Runs an import that is killed in the batch behind these, and returns its exit code: 0 if it came to its end."""
    return subprocess.run(
        (sys.executable, str(KILLED), str(batches), str(file), *flags),
        cwd=command.directory,
        env=command._environment({}),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    ).returncode
