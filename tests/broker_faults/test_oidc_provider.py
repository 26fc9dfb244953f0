# SPDX-License-Identifier: Apache-2.0
"""The broker against the independent provider, and what these tests believe of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from almoner.v1.application_pb2 import CLIENT_AUTHENTICATION_BASIC, ProviderRegistration
from tests.broker_faults.held import hold, outcome, outcomes
from tests.broker_faults.oidc_provider.process import CLIENT_ID, CLIENT_SECRET
from tests.broker_faults.sabotage import Step

if TYPE_CHECKING:
    import grpc

    from tests.broker_faults.held import Held
    from tests.broker_faults.house import House
    from tests.broker_faults.oidc_provider.process import OidcProvider
    from tests.broker_faults.replicas import Replica
    from tests.broker_faults.window import Window


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


async def hold_of(channel: grpc.aio.Channel, provider: OidcProvider) -> Held:
    registration = ProviderRegistration(
        provider="oidc-provider",
        authorize_uri=f"{provider.url}/auth",
        token_uri=f"{provider.url}/token",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        client_authentication=CLIENT_AUTHENTICATION_BASIC,
        rotates_refresh_tokens=True,
    )
    tokens = await provider.grant()
    return await hold(channel, registration, tokens["access_token"], tokens["refresh_token"])


async def test_calls_at_once_make_one_refresh(oidc_provider: OidcProvider, survivor: Replica, window: Window) -> None:
    refreshes, reuses = await oidc_provider.counts()
    held = await hold_of(survivor.channel, oidc_provider)

    tokens = await outcomes(held.token() for _ in range(50))

    assert set(tokens) == {(await held.profile()).access_token}
    assert await oidc_provider.counts() == (refreshes + 1, reuses)
    window.note(refreshes=1, reuses=0, lost=False)


async def test_every_refresh_uses_the_token_that_the_one_before_has_brought(
    oidc_provider: OidcProvider, survivor: Replica, window: Window
) -> None:
    refreshes, reuses = await oidc_provider.counts()
    held = await hold_of(survivor.channel, oidc_provider)

    tokens = []
    for _ in range(3):
        await held.end_access_token()
        tokens.append(await outcome(held.token()))

    assert len(set(tokens)) == 3
    assert await oidc_provider.counts() == (refreshes + 3, reuses)
    window.note(refreshes=3, reuses=0, lost=False)


async def test_an_answer_that_was_lost_after_the_token_rotated_is_found_out_and_said(
    oidc_provider: OidcProvider, survivor: Replica, window: Window
) -> None:
    refreshes, reuses = await oidc_provider.counts()
    held = await hold_of(survivor.channel, oidc_provider)
    await oidc_provider.lose_next_answer()

    assert await outcome(held.token()) == "UNAVAILABLE"
    assert await held.state() == "IN_DOUBT"
    assert await outcome(held.token()) == "FAILED_PRECONDITION"

    assert await held.state() == "NEEDS_CONSENT"
    assert await oidc_provider.counts() == (refreshes + 1, reuses + 1)
    window.note(refreshes=1, reuses=1, lost=True)


async def test_killed_after_the_commit_the_token_is_there(
    oidc_provider: OidcProvider, house: House, survivor: Replica, window: Window
) -> None:
    refreshes, reuses = await oidc_provider.counts()
    held = await hold_of(survivor.channel, oidc_provider)

    await house.kill_refreshing(held, Step.OUTCOME_COMMITTED)

    token = await outcome(held.token())
    assert token == (await held.profile()).access_token != held.access_token
    assert await oidc_provider.counts() == (refreshes + 1, reuses)
    window.note(refreshes=1, reuses=0, lost=False)


async def test_killed_between_the_answer_and_the_commit_it_is_found_out_and_said(
    oidc_provider: OidcProvider, house: House, survivor: Replica, window: Window
) -> None:
    refreshes, reuses = await oidc_provider.counts()
    held = await hold_of(survivor.channel, oidc_provider)

    await house.kill_refreshing(held, Step.OUTCOME_WRITTEN)

    assert await outcome(held.token()) == "FAILED_PRECONDITION"
    assert await held.state() == "NEEDS_CONSENT"
    assert await oidc_provider.counts() == (refreshes + 1, reuses + 1)
    window.note(refreshes=1, reuses=1, lost=True)
