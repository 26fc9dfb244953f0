# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.running import running
from tests.service.clients import Clients, Time, open_clients

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.databases import Template


@pytest.fixture
async def clients(template: Template, tmp_path: Path) -> AsyncIterator[Clients]:
    """The clients of a new organization, on a service on each backend whose clock stands."""
    time = Time()
    async with running(template, tmp_path, clock=time) as almoner:
        yield await open_clients(almoner, time)
