# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.service.applications.registry import Registry

if TYPE_CHECKING:
    from tests.running import Almoner


@pytest.fixture
def registry(almoner: Almoner) -> Registry:
    """The applications of a running service on each backend."""
    return Registry(almoner)
