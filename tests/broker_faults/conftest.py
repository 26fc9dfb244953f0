# SPDX-License-Identifier: Apache-2.0
"""The second provider that the broker is tried against, and databases with servers over them.

Many tests share them: what a test changes is a client at a provider and a profile of its own.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.broker_faults.house import House
from tests.broker_faults.oidc_provider.process import UnavailableError, oidc_provider_process
from tests.broker_faults.replicas import nursery_process
from tests.broker_faults.window import Window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.broker_faults.oidc_provider.process import OidcProvider
    from tests.broker_faults.replicas import Nursery, Replica
    from tests.databases import Template


@pytest.fixture(scope="session")
async def oidc_provider() -> AsyncIterator[OidcProvider]:
    """The independent provider, where Node.js is."""
    try:
        async with oidc_provider_process() as running:
            yield running
    except UnavailableError as reason:
        pytest.skip(str(reason))


@pytest.fixture
def window(record_property: Callable[[str, object], None]) -> Window:
    """Where a test notes what a provider has counted."""
    return Window(record_property)


@pytest.fixture(scope="session")
async def nursery() -> AsyncIterator[Nursery]:
    """What servers are forked from."""
    async with nursery_process() as process:
        yield process


@pytest.fixture(scope="module")
async def house(nursery: Nursery, module_template: Template) -> AsyncIterator[House]:
    """A database of each backend, for a whole module."""
    with tempfile.TemporaryDirectory(prefix="almoner-") as directory:
        async with module_template.copy(Path(directory, "data")) as settings:
            backend = "sqlite" if settings.sqlite_path else "postgresql"
            yield House(backend, nursery, settings, Path(directory))


@pytest.fixture(scope="module")
async def survivor(house: House) -> AsyncIterator[Replica]:
    """A server that nothing happens to, and that soon takes over what others have left in the middle."""
    async with house.serving(lease=0.1) as replica:
        yield replica
