# SPDX-License-Identifier: Apache-2.0
"""schemathesis holds a running gateway to its own /openapi.json: every check, every operation, both credentials."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from almoner.v1 import directory_pb2 as pb
from tests.rest import CONNECTIONS
from tests.running import basic

if TYPE_CHECKING:
    from tests.rest import Rest

SEED = "20261122"
PASSWORD = "of the administrator"


class Credentials(NamedTuple):
    """Authorization headers of an administrator."""

    basic: str
    bearer: str


@pytest.fixture
async def credentials(rest: Rest) -> Credentials:
    """Makes some of everything, and an administrator whose id nobody guesses: what is guessed is changed and deleted."""
    application = await rest.application()
    for _ in range(3):
        await rest.profile(application)
        profile = await rest.custom_profile()
        await rest.post(CONNECTIONS, {"name": "C", "provider": "p", "custom_oauth_profile_id": profile})
        await rest.post("/api/admin/roles", {"name": "R", "permissions": [5]})
        await rest.tenant()
    for _ in range(30):
        await rest.member()
    user = await rest.almoner.user(f"administrator {application}", PASSWORD, permissions=[pb.PERMISSION_ADMINISTRATOR])
    return Credentials(basic(user.username, PASSWORD), f"Bearer {await rest.token(user.id)}")


async def schemathesis(rest: Rest, directory: Path, *arguments: str) -> tuple[int | None, str]:
    """Runs the command against the gateway, and returns its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        str(rest.client.make_url("/openapi.json")),
        "--seed",
        SEED,
        "--generation-database",
        "none",
        "--no-color",
        *arguments,
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.mark.timeout(180)
async def test_every_operation_does_what_the_document_says(
    rest: Rest, credentials: Credentials, tmp_path: Path
) -> None:
    code, output = await schemathesis(
        rest, tmp_path, "--header", f"Authorization: {credentials.bearer}", "--max-examples", "3"
    )

    assert code == 0, output


@pytest.mark.timeout(180)
async def test_hdp_does_so_with_basic_credentials_too(rest: Rest, credentials: Credentials, tmp_path: Path) -> None:
    code, output = await schemathesis(
        rest,
        tmp_path,
        *("--header", f"Authorization: {credentials.basic}", "--include-path-regex", "^/api/(mgmt|admin)/"),
        # The coverage phase sends the same whoever calls.
        *("--phases", "fuzzing,stateful", "--max-examples", "3"),
    )

    assert code == 0, output
