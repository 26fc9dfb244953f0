# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import BACKENDS
from tests.running import Almoner, running
from tests.service.profiles.desk import Desk, open_desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.databases import PostgresTemplate, SqliteTemplate


@pytest.fixture(scope="package")
async def profiles_on_sqlite(
    sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Almoner]:
    async with running(sqlite_template, tmp_path_factory.mktemp("profiles")) as almoner:
        yield almoner


@pytest.fixture(scope="package")
async def profiles_on_postgresql(
    postgres_template: PostgresTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Almoner]:
    async with running(postgres_template, tmp_path_factory.mktemp("profiles")) as almoner:
        yield almoner


@pytest.fixture(params=BACKENDS)
def shared_almoner(request: pytest.FixtureRequest) -> Almoner:
    """One service of each backend for all tests of profiles: each has an organization of its own in it."""
    found: Almoner = request.getfixturevalue(f"profiles_on_{request.param}")
    return found


@pytest.fixture
async def desk(shared_almoner: Almoner) -> Desk:
    """The profiles of a new organization, kept by an administrator of it."""
    return await open_desk(shared_almoner)
