# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import BACKENDS
from tests.running import Almoner, running
from tests.service.grants.tokens.counter import Counter, Time, open_counter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.databases import PostgresTemplate, SqliteTemplate


@pytest.fixture(scope="package")
def time() -> Time:
    """The clock of the services below, which only ever goes on."""
    return Time()


@pytest.fixture(scope="package")
async def tokens_on_sqlite(
    time: Time, sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Almoner]:
    directory = tmp_path_factory.mktemp("tokens")
    async with running(
        sqlite_template, directory, clock=time, outgoing_allow_http=True, outgoing_allow_private=True
    ) as almoner:
        yield almoner


@pytest.fixture(scope="package")
async def tokens_on_postgresql(
    time: Time, postgres_template: PostgresTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Almoner]:
    directory = tmp_path_factory.mktemp("tokens")
    async with running(
        postgres_template, directory, clock=time, outgoing_allow_http=True, outgoing_allow_private=True
    ) as almoner:
        yield almoner


@pytest.fixture(params=BACKENDS)
def shared_almoner(request: pytest.FixtureRequest) -> Almoner:
    """One service of each backend for all tests of tokens."""
    found: Almoner = request.getfixturevalue(f"tokens_on_{request.param}")
    return found


@pytest.fixture
async def counter(shared_almoner: Almoner, time: Time) -> Counter:
    """A counter of a new organization."""
    return await open_counter(shared_almoner, time)
