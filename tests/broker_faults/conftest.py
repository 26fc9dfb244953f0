# SPDX-License-Identifier: Apache-2.0
"""The other provider that the broker's faults are tried against, one for all tests of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.broker_faults.oidc_provider.process import UnavailableError, oidc_provider_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.broker_faults.oidc_provider.process import OidcProvider


@pytest.fixture(scope="session")
async def oidc_provider() -> AsyncIterator[OidcProvider]:
    """The independent provider, where Node.js is."""
    try:
        async with oidc_provider_process() as running:
            yield running
    except UnavailableError as reason:
        pytest.skip(str(reason))
