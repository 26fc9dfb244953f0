# SPDX-License-Identifier: Apache-2.0
"""What tokens are good for, who may know it, and what ends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from almoner.v1 import directory_pb2, grant_service_pb2
from service.clock import DAY
from tests.service.grants.tokens.counter import reason_of, refused

if TYPE_CHECKING:
    from tests.service.grants.tokens.counter import Counter


async def test_a_token_verifies_as_the_grant_that_it_is_of(counter: Counter) -> None:
    tokens = await counter.issue("a")
    assert await counter.verify(tokens.access_token) == tokens.grant
    [introspection] = await counter.introspect(tokens.access_token)
    assert introspection.active
    assert introspection.grant == tokens.grant


@pytest.mark.parametrize("token", ["x", "é", "A" * 8192, "AAAAAAAAAAAAAAAAAAAAAA==", "almoner_x"])
async def test_what_is_no_token_is_good_for_nothing(counter: Counter, token: str) -> None:
    refusal = await refused(counter.verify(token))
    assert (refusal.code.name, refusal.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID")
    assert not await counter.is_good(token)


async def test_a_refresh_token_is_no_access_token(counter: Counter) -> None:
    assert not await counter.is_good((await counter.issue()).refresh_token)


async def test_a_token_ends_to_the_microsecond(counter: Counter) -> None:
    tokens = await counter.issue()
    counter.time.pass_by(90 * DAY - 1)
    assert await counter.is_good(tokens.access_token)
    counter.time.pass_by(1)
    assert not await counter.is_good(tokens.access_token)


@pytest.mark.parametrize("change", ["locked", "disabled"])
async def test_a_token_is_as_good_as_its_user(counter: Counter, change: str) -> None:
    tokens = await counter.issue()
    await counter.change_user(change, **{change: True})
    assert not await counter.is_good(tokens.access_token)
    await counter.change_user(change, **{change: False})
    assert await counter.is_good(tokens.access_token)


async def test_and_as_their_organization(counter: Counter) -> None:
    tokens = await counter.issue()
    await counter.change_organization("disabled", disabled=True)
    assert not await counter.is_good(tokens.access_token)


async def test_what_grant_service_revokes_is_revoked(counter: Counter) -> None:
    tokens = await counter.issue()
    request = grant_service_pb2.RevokeGrantRequest(id=tokens.grant.id)
    await counter.grants.RevokeGrant(request, metadata=counter.by_admin)
    assert not await counter.is_good(tokens.access_token)
    assert await reason_of(counter.refresh(tokens.refresh_token)) == "TOKEN_INVALID"


async def test_a_thousand_at_once_are_answered_in_order(counter: Counter) -> None:
    good = [(await counter.issue_on_word("a")).access_token for _ in range(5)]
    asked = [good[n % 5] if n % 3 == 0 else f"unknown {n}" for n in range(1_000)]
    found = await counter.introspect(*asked)
    assert [introspection.active for introspection in found] == [token in good for token in asked]
    assert (await refused(counter.introspect(*asked, "one more"))).fields == ["tokens"]
    assert (await refused(counter.introspect())).fields == ["tokens"]


async def test_to_introspect_takes_a_permission(counter: Counter) -> None:
    token = (await counter.issue()).access_token
    assert await reason_of(counter.introspect(token, by=counter.by_user)) == "PERMISSION_MISSING"


@pytest.mark.parametrize("here", [True, False])
async def test_where_it_is_not_held_tokens_are_inactive(counter: Counter, *, here: bool) -> None:
    token = (await counter.issue()).access_token
    place = counter.organization if here else await counter.almoner.organization("elsewhere")
    resource_server = await counter.another_user(place.id, permissions=[directory_pb2.PERMISSION_TOKENS_INTROSPECT])
    [found] = await counter.introspect(token, by=counter.almoner.as_(resource_server.username))
    assert found.active is here
    assert found.HasField("grant") is here


# Revocation.


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_either_token_revokes_the_grant(counter: Counter, kind: str) -> None:
    tokens = await counter.issue()
    assert await counter.revoke(getattr(tokens, kind)) == tokens.grant

    assert not await counter.is_good(tokens.access_token)
    assert await reason_of(counter.refresh(tokens.refresh_token)) == "TOKEN_INVALID"
    for token in (tokens.access_token, tokens.refresh_token):
        assert await reason_of(counter.revoke(token)) == "TOKEN_INVALID"
    [event] = await counter.events("grant.revoke")
    assert (event.actor, event.resource) == (counter.user.username, f"grants/{tokens.grant.id}")


async def test_after_a_refresh_only_the_current_tokens_revoke(counter: Counter) -> None:
    first = await counter.issue()
    second = await counter.refresh(first.refresh_token)
    for token in (first.access_token, first.refresh_token, "unknown"):
        refusal = await refused(counter.revoke(token))
        assert (refusal.code.name, refusal.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID")
    assert await counter.is_good(second.access_token)
    assert (await counter.revoke(second.refresh_token)).id == second.grant.id


async def test_what_has_expired_revokes_nothing(counter: Counter) -> None:
    tokens = await counter.issue()
    counter.time.pass_by(90 * DAY)
    assert await reason_of(counter.revoke(tokens.access_token)) == "TOKEN_INVALID"
    assert (await counter.revoke(tokens.refresh_token)).id == tokens.grant.id


async def test_one_grant_ends_and_others_stay(counter: Counter) -> None:
    first, second = await counter.issue(), await counter.issue()
    await counter.revoke(first.access_token)
    assert await counter.is_good(second.access_token)


async def test_tokens_of_a_locked_user_can_be_revoked(counter: Counter) -> None:
    tokens = await counter.issue()
    await counter.change_user("locked", locked=True)
    assert (await counter.revoke(tokens.refresh_token)).id == tokens.grant.id
