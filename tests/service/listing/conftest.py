# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from service.clock import system_clock
from service.crypto.keyring import Keyring
from tests.service.listing.shelf import METADATA, create

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from tests.service.listing.shelf import Run

Result = TypeVar("Result")


@pytest.fixture(scope="session")
def on_sqlite() -> Iterator[Run]:
    engine = create_engine("sqlite://", hide_parameters=True)
    with engine.connect() as connection:
        create(connection)
        connection.commit()

        def run(use_case: Callable[[Connection], Result]) -> Result:
            with connection.begin() as transaction:
                result = use_case(connection)
                transaction.rollback()
            return result

        yield run
    engine.dispose()


@pytest.fixture(scope="session")
def on_postgresql(postgres_url: str) -> Iterator[Run]:
    loop = asyncio.new_event_loop()
    engine = create_async_engine(
        postgres_url.replace("postgresql://", "postgresql+asyncpg://"), hide_parameters=True, pool_size=1
    )

    async def create_anew() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(METADATA.drop_all)
            await connection.run_sync(create)

    def run(use_case: Callable[[Connection], Result]) -> Result:
        async def in_transaction() -> Result:
            async with engine.connect() as connection:
                result = await connection.run_sync(use_case)
                await connection.rollback()
            return result

        return loop.run_until_complete(in_transaction())

    loop.run_until_complete(create_anew())
    yield run
    loop.run_until_complete(engine.dispose())
    loop.close()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def on_database(request: pytest.FixtureRequest) -> Run:
    """Runs a use case in a transaction that is rolled back, on each backend."""
    run: Run = request.getfixturevalue(f"on_{request.param}")
    return run


@pytest.fixture(scope="session")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring.open_or_create(tmp_path_factory.mktemp("keys") / "keyring", system_clock)


@pytest.fixture(scope="session")
def other_keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring.open_or_create(tmp_path_factory.mktemp("other-keys") / "keyring", system_clock)
