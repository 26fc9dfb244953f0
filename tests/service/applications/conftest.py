# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from service.applications.tables import ApplicationRow
from service.storage.tables import table_of
from tests.service.applications.registry import Registry

if TYPE_CHECKING:
    from tests.running import Almoner


@pytest.fixture
async def registry(almoner: Almoner) -> Registry:
    """The applications of a running service on each backend: none, but number 1 was that of the first start."""
    await almoner.service.store.write(lambda tx: tx.execute(delete(table_of(ApplicationRow))))
    return Registry(almoner)
