# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.service.profiles.desk import Desk, open_desk

if TYPE_CHECKING:
    from tests.running import Almoner


@pytest.fixture
async def desk(almoner: Almoner) -> Desk:
    """The profiles of a new organization, kept by an administrator of it."""
    return await open_desk(almoner)


@pytest.fixture
async def desk_over(almoner_over: Almoner) -> Desk:
    """The same over each transport."""
    return await open_desk(almoner_over)
