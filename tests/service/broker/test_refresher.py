# SPDX-License-Identifier: Apache-2.0
"""What the broker does without being asked: keeping profiles fresh, and finding out about abandoned claims."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from almoner.v1 import profile_pb2
from service.broker import claims
from service.broker.refresher import Refresher
from service.clock import HOUR, MINUTE
from service.profiles.tables import TokenState
from tests.broker_faults.provider import faults
from tests.service.profiles.desk import TOKENS, Profile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.service.broker.bench import Bench

PATIENCE = 10.0


@pytest.fixture
async def refresher(bench: Bench) -> AsyncIterator[Refresher]:
    """A refresher that tests have look, beside the service's own, which does so every second."""
    service = bench.desk.almoner.service
    refresher = Refresher(service.store, service.broker)
    yield refresher
    await refresher.stop()


async def settled(bench: Bench, refresher: Refresher, profile: Profile, *states: TokenState) -> Any:
    """Has the refresher look until a profile is in one of these states, and due later or never."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await refresher.look()
            row = await bench.desk.row(profile)
            if row.token_state in states and (row.token_due or 2**62) > bench.now:
                return row
            await asyncio.sleep(0.01)


async def test_a_profile_that_is_kept_fresh_gets_its_first_token(bench: Bench, refresher: Refresher) -> None:
    profile = await bench.profile(keep_fresh=True)
    row = await settled(bench, refresher, profile, TokenState.OK)
    assert row.access_token is not None
    assert bench.now + HOUR * 7 // 10 <= row.token_due < bench.now + HOUR - 5 * MINUTE


async def test_it_is_refreshed_before_the_end(bench: Bench, refresher: Refresher) -> None:
    profile = await bench.profile(keep_fresh=True)
    await settled(bench, refresher, profile, TokenState.OK)
    before = await bench.desk.get(profile.id, view=TOKENS)
    bench.time.pass_by(54 * MINUTE)
    await settled(bench, refresher, profile, TokenState.OK)
    after = await bench.desk.get(profile.id, view=TOKENS)
    assert after.access_token != before.access_token
    assert (await bench.token(profile)).access_token == after.access_token
    assert await bench.refreshes() == 2


async def test_others_are_left_alone(bench: Bench, refresher: Refresher) -> None:
    profile = await bench.profile()
    await refresher.look()
    assert (await bench.desk.row(profile)).token_state == TokenState.OK
    assert await bench.refreshes() == 0


async def test_two_who_look_refresh_once(bench: Bench, refresher: Refresher) -> None:
    service = bench.desk.almoner.service
    other = Refresher(service.store, service.broker)
    profile = await bench.profile(keep_fresh=True)
    await asyncio.gather(refresher.look(), other.look())
    await settled(bench, refresher, profile, TokenState.OK)
    await other.stop()
    assert await bench.refreshes() == 1


async def test_a_failing_provider_is_tried_again_later(bench: Bench, refresher: Refresher) -> None:
    await bench.client.meets(faults.UNAVAILABLE)
    profile = await bench.profile(keep_fresh=True)
    row = await settled(bench, refresher, profile, TokenState.FAILING)
    assert row.token_due == row.token_next_try > bench.now
    bench.an_hour_passes()
    await settled(bench, refresher, profile, TokenState.OK)


async def test_a_doubt_is_settled_without_anybody_asking(bench: Bench, refresher: Refresher) -> None:
    await bench.client.meets(faults.REFUSED_WITHOUT_ANSWER)
    profile = await bench.profile(keep_fresh=True)
    await settled(bench, refresher, profile, TokenState.IN_DOUBT)
    bench.an_hour_passes()
    await settled(bench, refresher, profile, TokenState.OK)


async def test_what_cannot_be_refreshed_is_due_no_more(bench: Bench, refresher: Refresher) -> None:
    profile = await bench.profile({"token_uri": ""}, keep_fresh=True)
    row = await settled(bench, refresher, profile, TokenState.OK)
    assert row.token_due is None


async def test_a_token_whose_key_is_lost_is_due_no_more(bench: Bench, refresher: Refresher) -> None:
    profile = await bench.profile()
    await bench.desk.put(profile, refresh_token=b"sealed by a key that is lost", keep_fresh=True, token_due=bench.now)
    await settled(bench, refresher, profile, TokenState.OK)
    assert (await bench.client.report()).requests == []


async def test_it_is_due_again_when_the_application_is_mended(bench: Bench, refresher: Refresher) -> None:
    number = await bench.application(token_uri="")
    tokens = await bench.client.grant()
    made = Profile(name="G", application_number=number, refresh_token=tokens.refresh_token or "", keep_fresh=True)
    profile = await bench.desk.create(made)
    await settled(bench, refresher, profile, TokenState.OK)
    await bench.desk.mend_application(number, token_uri=f"{bench.client.endpoints}/token")
    assert (await settled(bench, refresher, profile, TokenState.OK)).access_token is not None


async def abandon(bench: Bench, profile: Profile) -> None:
    """Claims a profile as a process does that dies before it settles."""
    service = bench.desk.almoner.service
    await service.store.write(service.broker.as_service(lambda work: claims.claim(work, profile.id)))


async def test_an_abandoned_claim_is_tried_once_more(bench: Bench, refresher: Refresher) -> None:
    profile = await bench.profile()
    await abandon(bench, profile)
    assert (await bench.status(profile)).state == profile_pb2.TOKEN_STATE_REFRESHING
    await settled(bench, refresher, profile, TokenState.OK)
    assert await bench.refreshes() == 1


async def test_one_who_asks_waits_for_that(bench: Bench) -> None:
    profile = await bench.profile()
    await abandon(bench, profile)
    reply = await bench.token(profile)
    assert await bench.client.provider.admits(reply.access_token)


async def test_a_claim_that_is_abandoned_twice_stays_in_doubt(bench: Bench, refresher: Refresher) -> None:
    profile = await bench.profile()
    await abandon(bench, profile)
    await bench.desk.put(profile, doubtful=True)
    row = await settled(bench, refresher, profile, TokenState.IN_DOUBT)
    assert (row.token_failure, row.token_next_try, row.token_due) == (claims.ABANDONED, 0, None)
    assert (await bench.client.report()).requests == []


async def test_where_nothing_rotates_there_is_no_doubt(bench: Bench, refresher: Refresher) -> None:
    await bench.client.change(rotates=False)
    profile = await bench.profile({"rotates_refresh_tokens": False})
    await abandon(bench, profile)
    await bench.desk.put(profile, doubtful=True)
    await settled(bench, refresher, profile, TokenState.OK)


async def test_an_answer_that_comes_after_a_successor_is_dropped(bench: Bench) -> None:
    profile = await bench.profile()
    await bench.client.meets(faults.SLOW_ANSWER)
    stalled = asyncio.create_task(bench.token(profile))
    await bench.client.report(processed=1)
    tokens = await bench.client.grant()
    await bench.desk.update(Profile(id=profile.id, refresh_token=tokens.refresh_token or ""))
    await bench.client.release()
    await asyncio.gather(stalled)
    stored = await bench.desk.get(profile.id, view=TOKENS)
    assert await bench.client.provider.admits(stored.access_token)
    assert (await bench.client.report()).reuses == 0
