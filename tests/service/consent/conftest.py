# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import BACKENDS
from tests.running import Almoner, running
from tests.service.consent.counterpart import Counterpart, open_counterpart
from tests.service.profiles.desk import open_desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.broker_faults.provider.process import Provider
    from tests.databases import PostgresTemplate, SqliteTemplate

OUTGOING: Any = {"outgoing_allow_http": True, "outgoing_allow_private": True}


@pytest.fixture(scope="package")
async def consent_on_sqlite(
    sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Almoner]:
    async with running(sqlite_template, tmp_path_factory.mktemp("consent"), **OUTGOING) as almoner:
        yield almoner


@pytest.fixture(scope="package")
async def consent_on_postgresql(
    postgres_template: PostgresTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Almoner]:
    async with running(postgres_template, tmp_path_factory.mktemp("consent"), **OUTGOING) as almoner:
        yield almoner


@pytest.fixture(params=BACKENDS)
def shared_almoner(request: pytest.FixtureRequest) -> Almoner:
    """One service of each backend for all tests of consent: each has an organization of its own in it."""
    found: Almoner = request.getfixturevalue(f"consent_on_{request.param}")
    return found


@pytest.fixture
async def both(shared_almoner: Almoner, provider: Provider) -> Counterpart:
    """A profile of a new organization, and our client at the provider."""
    return await open_counterpart(await open_desk(shared_almoner), provider)
