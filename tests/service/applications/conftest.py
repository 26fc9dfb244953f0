# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from service.applications.tables import ApplicationRow
from service.storage.tables import table_of
from tests.running import running
from tests.service.applications.registry import Registry
from tests.service.applications.vault import Vault
from tests.service.grants.tokens.counter import Time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.databases import Template
    from tests.running import Almoner


@pytest.fixture
async def registry(almoner: Almoner) -> Registry:
    """The applications of a running service on each backend: none, but number 1 was that of the first start."""
    await almoner.service.store.write(lambda tx: tx.execute(delete(table_of(ApplicationRow))))
    return Registry(almoner)


@pytest.fixture
async def vault(template: Template, tmp_path: Path) -> AsyncIterator[Vault]:
    """The client applications of a service on each backend, whose time stands still."""
    time = Time()
    async with running(template, tmp_path, clock=time) as almoner:
        yield Vault(almoner, time)
