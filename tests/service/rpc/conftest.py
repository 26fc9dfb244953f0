# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.conftest import TRANSPORTS
from tests.running import Almoner, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.databases import SqliteTemplate

RPC_TIMEOUT = 0.5
"""Seconds that `quick` gives a call at the most."""


@pytest.fixture(scope="package")
async def served(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Almoner]:
    """A service over a real socket, which logs each call."""
    async with running(sqlite_template, tmp_path_factory.mktemp("rpc"), over_grpc=True, access_log=True) as almoner:
        yield almoner


@pytest.fixture(scope="package")
def local(served: Almoner) -> Almoner:
    """The same in process, where a call has ended for the server when it has for the client."""
    return Almoner(served.service, cast("Any", served.service.local_channel()), served.settings)


@pytest.fixture(scope="package")
async def quick(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Almoner]:
    """A service that does not give calls much time."""
    async with running(sqlite_template, tmp_path_factory.mktemp("quick"), rpc_timeout=RPC_TIMEOUT) as almoner:
        yield almoner


@pytest.fixture(params=TRANSPORTS)
def over_grpc(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "over_grpc")
