# SPDX-License-Identifier: Apache-2.0
"""schemathesis, with all its checks, against the OpenAPI document that a running gateway serves of itself."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.databases import ADMIN_TOKEN
from tests.rest import gateway_over
from tests.running import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.databases import SqliteTemplate
    from tests.rest import Rest


@pytest.fixture
async def fuzzed(sqlite_template: SqliteTemplate, tmp_path: Path) -> AsyncIterator[Rest]:
    """A server of its own: what is thrown at it stays in it."""
    async with running(sqlite_template, tmp_path) as service, gateway_over(service) as gateway:
        yield gateway


CREDENTIALS_WITHIN = "^/(vedauth|aperture)/|/authn/|/api/auth/(authorize|token|api-tokens)|^/v1/oauth/"
"""Paths where a request is refused with 400, however well-formed, because its credential is wrong (RFC 6749 5.2)."""


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "options",
    [
        [f"--exclude-path-regex={CREDENTIALS_WITHIN}"],
        [f"--include-path-regex={CREDENTIALS_WITHIN}", "--exclude-checks=positive_data_acceptance"],
    ],
    ids=["resources", "tokens"],
)
async def test_every_route_does_what_the_document_says(fuzzed: Rest, tmp_path: Path, options: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        str(fuzzed.client.make_url("/openapi.json")),
        f"--header=Authorization: Bearer {ADMIN_TOKEN}",
        # The examples, the edges of every parameter, and a few random requests of each operation.
        "--phases=examples,coverage,fuzzing",
        "--max-examples=4",
        "--seed=1",
        "--generation-deterministic",
        "--max-failures=5",
        "--no-color",
        "--warnings=off",
        *options,
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()[-8_000:]
