# SPDX-License-Identifier: Apache-2.0
"""Workato's own command-line client, as it is published, against the gateway."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.databases import ADMIN_TOKEN
from tests.rest import CONNECTIONS

if TYPE_CHECKING:
    from tests.rest import Rest


async def workato(rest: Rest, home: Path, *arguments: str) -> str:
    """Runs the client with its settings in a home directory of its own, and returns what it prints."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("workato")),
        *arguments,
        cwd=home,
        env={
            "HOME": str(home),
            "WORKATO_HOST": str(rest.client.make_url("")).rstrip("/"),
            "WORKATO_API_TOKEN": ADMIN_TOKEN,
            "WORKATO_DISABLE_KEYRING": "true",
            "WORKATO_DISABLE_UPDATE_CHECK": "1",
            "WORKATO_DISABLE_DEPRECATION_WARNING": "1",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_it_shows_the_workspace(rest: Rest, tmp_path: Path) -> None:
    shown = await workato(rest, tmp_path, "workspace")

    assert "Name: Administrator" in shown
    assert "Plan: almoner" in shown


async def test_it_lists_connections(rest: Rest, tmp_path: Path) -> None:
    made = await rest.send("POST", CONNECTIONS, json={"name": "Acme HubSpot", "provider": "hubspot"})

    listed = await workato(rest, tmp_path, "connections", "list")

    assert made.status == 200
    assert "Acme HubSpot" in listed
