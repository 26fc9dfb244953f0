# SPDX-License-Identifier: Apache-2.0
"""The independent provider: what the rest of the suite believes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

if TYPE_CHECKING:
    from tests.broker_faults.oidc_provider.process import OidcProvider


async def test_a_refresh_token_that_was_used_ends_its_grant_and_is_counted(oidc_provider: OidcProvider) -> None:
    refreshes, reuses = await oidc_provider.counts()
    first = await oidc_provider.grant()
    status, second = await oidc_provider.refresh(first["refresh_token"])
    assert status == 200
    assert second["refresh_token"] != first["refresh_token"]

    assert (await oidc_provider.refresh(first["refresh_token"]))[1]["error"] == "invalid_grant"

    assert (await oidc_provider.refresh(second["refresh_token"]))[1]["error"] == "invalid_grant"
    assert await oidc_provider.counts() == (refreshes + 1, reuses + 1)


async def test_an_answer_is_lost_after_the_token_rotated(oidc_provider: OidcProvider) -> None:
    refreshes, reuses = await oidc_provider.counts()
    tokens = await oidc_provider.grant()
    await oidc_provider.lose_next_answer()

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await oidc_provider.refresh(tokens["refresh_token"])

    assert await oidc_provider.counts() == (refreshes + 1, reuses)
