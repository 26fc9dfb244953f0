# SPDX-License-Identifier: Apache-2.0
"""The providers that the broker's faults are tried against, one of each kind for all tests of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.broker_faults.oidc_provider.process import UnavailableError, oidc_provider_process
from tests.broker_faults.provider.process import provider_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.broker_faults.oidc_provider.process import OidcProvider
    from tests.broker_faults.provider.process import Provider


@pytest.fixture(scope="session")
async def provider() -> AsyncIterator[Provider]:
    """The provider of the suite's own."""
    async with provider_process() as running:
        yield running


@pytest.fixture(scope="session")
async def oidc_provider() -> AsyncIterator[OidcProvider]:
    """The independent provider, where Node.js is."""
    try:
        async with oidc_provider_process() as running:
            yield running
    except UnavailableError as reason:
        pytest.skip(str(reason))
