# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import BACKENDS
from tests.running import Almoner, running
from tests.service.grants.office import Office, open_office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.databases import PostgresTemplate, SqliteTemplate


@pytest.fixture(scope="package")
async def grants_on_sqlite(
    sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Almoner]:
    async with running(sqlite_template, tmp_path_factory.mktemp("grants")) as almoner:
        yield almoner


@pytest.fixture(scope="package")
async def grants_on_postgresql(
    postgres_template: PostgresTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Almoner]:
    async with running(postgres_template, tmp_path_factory.mktemp("grants")) as almoner:
        yield almoner


@pytest.fixture(params=BACKENDS)
def shared_almoner(request: pytest.FixtureRequest) -> Almoner:
    """One service of each backend for all tests of grants: each has an organization of its own in it."""
    found: Almoner = request.getfixturevalue(f"grants_on_{request.param}")
    return found


@pytest.fixture
async def office(shared_almoner: Almoner) -> Office:
    """A new organization, kept by an administrator of it."""
    return await open_office(shared_almoner)


@pytest.fixture
async def elsewhere(shared_almoner: Almoner) -> Office:
    """Another one on the same server."""
    return await open_office(shared_almoner)
