# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from service.audit.rules import Verification
from service.server import open_service
from tests.conftest import BACKENDS
from tests.service.audit.trail import Trail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.databases import PostgresTemplate, SqliteTemplate, Template


@asynccontextmanager
async def _opened(template: Template, directory: Path) -> AsyncIterator[Trail]:
    async with template.copy(directory) as settings:
        service = open_service(settings)
        yield Trail(service)
        await service.close()


@pytest.fixture
async def trail(template: Template, tmp_path: Path) -> AsyncIterator[Trail]:
    """The trail of a service on each backend that seals only when told to."""
    async with _opened(template, tmp_path) as trail:
        yield trail


async def _seal_three(trail: Trail) -> Trail:
    for events in (3, 4, 4):  # the first start has left one
        await trail.record(events)
        await trail.seal()
    assert await trail.verify() == Verification(12, 0, None)
    assert await trail.scalars("SELECT seal FROM audit_events ORDER BY id") == [1] * 4 + [2] * 4 + [3] * 4
    return trail


@pytest.fixture(scope="module")
async def sealed_on_sqlite(
    sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Trail]:
    async with _opened(sqlite_template, tmp_path_factory.mktemp("sealed")) as trail:
        yield await _seal_three(trail)


@pytest.fixture(scope="module")
async def sealed_on_postgresql(
    postgres_template: PostgresTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Trail]:
    async with _opened(postgres_template, tmp_path_factory.mktemp("sealed")) as trail:
        yield await _seal_three(trail)


@pytest.fixture(params=BACKENDS)
def sealed(request: pytest.FixtureRequest) -> Trail:
    """Three seals over twelve events, ids 1 to 12, four each. Tests leave it as it is (`Trail.what_if`)."""
    found: Trail = request.getfixturevalue(f"sealed_on_{request.param}")
    return found
