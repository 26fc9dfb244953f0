# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.server import open_service
from tests.service.audit.trail import Trail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.databases import Template


@pytest.fixture
async def trail(template: Template, tmp_path: Path) -> AsyncIterator[Trail]:
    """The trail of a service on each backend that seals only when told to."""
    async with template.copy(tmp_path) as settings:
        service = open_service(settings)
        yield Trail(service)
        await service.close()
