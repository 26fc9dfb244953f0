# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import TRANSPORTS
from tests.running import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.databases import SqliteTemplate
    from tests.running import Almoner

RPC_TIMEOUT = 0.3


@pytest.fixture(scope="package")
async def quick(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Almoner]:
    """A service over a real socket that gives calls a third of a second, and logs each."""
    directory = tmp_path_factory.mktemp("quick")
    async with running(sqlite_template, directory, over_grpc=True, rpc_timeout=RPC_TIMEOUT, access_log=True) as almoner:
        yield almoner


@pytest.fixture(params=TRANSPORTS)
def over_grpc(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "over_grpc")
