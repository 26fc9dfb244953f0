# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.service.directory.house import House

if TYPE_CHECKING:
    from tests.running import Almoner


@pytest.fixture
def house(almoner: Almoner) -> House:
    """The directory of a running service on each backend."""
    return House(almoner)
