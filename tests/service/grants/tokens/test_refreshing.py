# SPDX-License-Identifier: Apache-2.0
"""A refresh token is good once; whoever presents it twice ends the grant."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from grpc.aio import AioRpcError

from service.clock import DAY, HOUR
from tests.refusals import read_refusal
from tests.service.grants.tokens.counter import GrantType, duration, micros, reason_of, refused

if TYPE_CHECKING:
    from tests.service.grants.tokens.counter import Counter

CALLERS = 50


async def test_both_tokens_are_new_and_the_ones_before_end(counter: Counter) -> None:
    first = await counter.issue("a", "b")
    counter.time.pass_by(HOUR)
    second = await counter.refresh(first.refresh_token)

    assert {first.access_token, first.refresh_token}.isdisjoint({second.access_token, second.refresh_token})
    assert not await counter.is_good(first.access_token)
    assert await counter.is_good(second.access_token)
    assert second.grant.id == first.grant.id
    assert list(second.grant.scopes) == ["a", "b"]
    assert second.grant.issue_time == first.grant.issue_time
    assert second.grant.expire_time == first.grant.expire_time
    assert micros(second.grant.access_token_issue_time) == counter.time.now
    assert micros(second.grant.access_token_expire_time) == counter.time.now + 90 * DAY


async def test_it_goes_on_and_on(counter: Counter) -> None:
    tokens = await counter.issue()
    for _ in range(5):
        tokens = await counter.refresh(tokens.refresh_token)
    assert await counter.is_good(tokens.access_token)
    events = await counter.events("grant.refresh")
    assert [event.actor for event in events] == [counter.user.username] * 5
    assert not any(tokens.access_token in event.changes for event in events)


async def test_the_lifetime_stays_that_of_the_grant(counter: Counter) -> None:
    await counter.change_rule("access_token_lifetime", access_token_lifetime=duration(HOUR))
    tokens = await counter.issue()
    await counter.change_rule("access_token_lifetime", access_token_lifetime=duration(2 * HOUR))
    tokens = await counter.refresh(tokens.refresh_token)
    assert micros(tokens.access_token_lifetime) == HOUR


async def test_no_token_outlives_the_grant_however_often_it_is_refreshed(counter: Counter) -> None:
    await counter.change_application(
        "access_token_lifetime", "grant_lifetime",
        access_token_lifetime=duration(2 * HOUR), grant_lifetime=duration(3 * HOUR),
    )  # fmt: skip
    first = await counter.issue()
    counter.time.pass_by(2 * HOUR)
    second = await counter.refresh(first.refresh_token)
    assert second.grant.access_token_expire_time == second.grant.expire_time == first.grant.expire_time
    counter.time.pass_by(HOUR)
    assert not await counter.is_good(second.access_token)
    assert await reason_of(counter.refresh(second.refresh_token)) == "TOKEN_INVALID"


async def test_a_replay_ends_the_grant(counter: Counter) -> None:
    first = await counter.issue()
    second = await counter.refresh(first.refresh_token)

    refusal = await refused(counter.refresh(first.refresh_token))
    assert (refusal.code.name, refusal.reason) == ("UNAUTHENTICATED", "REFRESH_TOKEN_REUSED")
    assert refusal.metadata == {"grant": str(first.grant.id)}
    assert not await counter.is_good(second.access_token)
    assert await reason_of(counter.refresh(second.refresh_token)) == "TOKEN_INVALID"
    [event] = await counter.events("grant.replay")
    assert (event.actor, event.resource) == (counter.user.username, f"grants/{first.grant.id}")


async def test_a_replay_is_told_each_time_and_recorded_once(counter: Counter) -> None:
    first = await counter.issue()
    second = await counter.refresh(first.refresh_token)
    await counter.refresh(second.refresh_token)
    for used in (first.refresh_token, second.refresh_token, first.refresh_token):
        assert await reason_of(counter.refresh(used)) == "REFRESH_TOKEN_REUSED"
    assert len(await counter.events("grant.replay")) == 1


async def test_another_clients_refresh_token_is_none_and_revokes_nothing(counter: Counter) -> None:
    other, _ = await counter.another_application()
    await counter.allow(other)
    first = await counter.issue()
    assert await reason_of(counter.refresh(first.refresh_token, client_id=other.id)) == "TOKEN_INVALID"
    second = await counter.refresh(first.refresh_token)
    assert await reason_of(counter.refresh(first.refresh_token, client_id=other.id)) == "TOKEN_INVALID"
    assert await counter.is_good(second.access_token)


@pytest.mark.parametrize("token", ["x", "é", "A" * 1024, "AAAAAAAAAAAAAAAAAAAAAA=="])
async def test_what_is_no_refresh_token_is_refused(counter: Counter, token: str) -> None:
    assert await reason_of(counter.refresh(token)) == "TOKEN_INVALID"


async def test_an_access_token_refreshes_nothing(counter: Counter) -> None:
    tokens = await counter.issue()
    assert await reason_of(counter.refresh(tokens.access_token)) == "TOKEN_INVALID"


async def test_the_rule_must_still_be_there(counter: Counter) -> None:
    tokens = await counter.issue()
    await counter.drop_rule()
    assert await reason_of(counter.refresh(tokens.refresh_token)) == "GRANT_REFUSED"
    counter.rule = await counter.allow()
    assert await counter.refresh(tokens.refresh_token)


async def test_and_so_must_the_scopes(counter: Counter) -> None:
    tokens = await counter.issue("a", "b")
    await counter.change_rule("allowed_scopes", allowed_scopes=["a"])
    assert (await refused(counter.refresh(tokens.refresh_token))).metadata == {"scope": "b"}
    await counter.change_rule("allowed_scopes", allowed_scopes=["a", "b"])
    await counter.change_application("allowed_scopes", allowed_scopes=["b"])
    assert (await refused(counter.refresh(tokens.refresh_token))).metadata == {"scope": "a"}


async def test_the_policy_can_forbid_it(counter: Counter) -> None:
    tokens = await counter.issue()
    await counter.change_policy("refused_grant_types", refused_grant_types=[GrantType.GRANT_TYPE_REFRESH_TOKEN])
    refusal = await refused(counter.refresh(tokens.refresh_token))
    assert (refusal.reason, refusal.metadata) == ("GRANT_TYPE_REFUSED", {"grant_type": "REFRESH_TOKEN"})
    assert await counter.is_good(tokens.access_token)


@pytest.mark.parametrize("change", ["locked", "disabled"])
async def test_a_user_who_may_not_log_in_refreshes_nothing(counter: Counter, change: str) -> None:
    tokens = await counter.issue()
    await counter.change_user(change, **{change: True})
    assert await reason_of(counter.refresh(tokens.refresh_token)) == "TOKEN_INVALID"
    await counter.change_user(change, **{change: False})
    assert await counter.refresh(tokens.refresh_token)


async def test_of_many_who_refresh_at_once_one_wins_and_nobody_keeps_anything(counter: Counter) -> None:
    first = await counter.issue()

    async def refresh() -> Any:
        try:
            return await counter.refresh(first.refresh_token)
        except AioRpcError as error:
            return read_refusal(error).reason

    outcomes = await asyncio.gather(*(refresh() for _ in range(CALLERS)))
    winners = [outcome for outcome in outcomes if not isinstance(outcome, str)]
    assert len(winners) == 1
    assert {outcome for outcome in outcomes if isinstance(outcome, str)} == {"REFRESH_TOKEN_REUSED"}
    assert not await counter.is_good(first.access_token)
    assert not await counter.is_good(winners[0].access_token)
    assert await reason_of(counter.refresh(winners[0].refresh_token)) == "TOKEN_INVALID"
    assert len(await counter.events("grant.refresh")) == len(await counter.events("grant.replay")) == 1
