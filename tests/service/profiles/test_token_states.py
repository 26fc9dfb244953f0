# SPDX-License-Identifier: Apache-2.0
"""What becomes of the state of tokens, and of the broker's claim on them, when somebody sets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from almoner.v1 import profile_pb2
from service.clock import HOUR, MINUTE, SECOND
from service.profiles import tokens
from service.profiles.tables import TokenState
from tests.refusals import refusal_of
from tests.service.profiles.desk import TOKENS, Credentials, Desk, Profile, own

if TYPE_CHECKING:
    from collections.abc import Mapping

OK, NEEDS_CONSENT = profile_pb2.TOKEN_STATE_OK, profile_pb2.TOKEN_STATE_NEEDS_CONSENT
WHOLE: Mapping[str, Any] = {"access_token": "a", "refresh_token": "r"}
SOON = Timestamp(seconds=4_102_444_800)
FOUND_BROKEN: Mapping[str, Any] = {
    "token_state": TokenState.IN_DOUBT.value,
    "token_failures": 3,
    "token_failure": "timeout",
    "token_next_try": 5,
    "doubtful": True,
}


def changed_to(profile: Profile, **members: Any) -> Profile:
    """Returns an update of a profile."""
    return Profile(id=profile.id, **members)


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ({}, NEEDS_CONSENT),
        ({"verification_token": "v"}, NEEDS_CONSENT),
        ({"access_token": "a"}, OK),
        ({"refresh_token": "r"}, OK),
    ],
)
async def test_a_profile_without_tokens_needs_consent(
    desk: Desk, members: dict[str, str], state: profile_pb2.TokenState.ValueType
) -> None:
    assert (await desk.create(own(**members))).token_status.state == state


async def test_a_new_refresh_token_ends_what_was_known_of_the_old_one(desk: Desk) -> None:
    made = await desk.create(own(**WHOLE))
    await desk.put(made, **FOUND_BROKEN)
    fence = (await desk.row(made)).fence
    after = await desk.update(changed_to(made, refresh_token="new"))
    assert (after.token_status.state, after.token_status.failure) == (OK, "")
    row = await desk.row(made)
    assert (row.doubtful, row.token_next_try, row.fence) == (False, 0, fence + 1)


@pytest.mark.parametrize(
    "members",
    [
        {"name": "Other", "description": "d", **WHOLE},
        {"access_token": "new"},
        {"client": Credentials(client_secret="new")},
        {"client": Credentials(client_id="new")},
    ],
    ids=["the same", "access token", "secret", "client"],
)
async def test_whatever_else_is_set_leaves_a_claim_and_a_doubt_alone(desk: Desk, members: dict[str, Any]) -> None:
    made = await desk.create(own(**WHOLE))
    for state in (TokenState.IN_DOUBT, TokenState.REFRESHING):
        await desk.put(made, **{**FOUND_BROKEN, "token_state": state.value})
        fence = (await desk.row(made)).fence
        await desk.update(changed_to(made, **members))
        row = await desk.row(made)
        assert (row.fence, row.token_state, row.doubtful) == (fence, state.value, True)


@pytest.mark.parametrize("state", [TokenState.FAILING, TokenState.NEEDS_CONSENT])
async def test_another_client_is_another_try(desk: Desk, state: TokenState) -> None:
    made = await desk.create(own(**WHOLE))
    await desk.put(made, token_state=state.value, token_failure="invalid_client", token_failures=1)
    after = await desk.update(changed_to(made, client=Credentials(client_secret="mended")))
    assert (after.token_status.state, after.token_status.failure) == (OK, "")


async def test_an_access_token_alone_is_all_that_is_needed_for_now(desk: Desk) -> None:
    made = await desk.create(own())
    assert (await desk.update(changed_to(made, access_token="a"))).token_status.state == OK


async def test_a_token_that_nobody_can_open_any_more_can_be_replaced(desk: Desk) -> None:
    made = await desk.create(own(**WHOLE))
    await desk.put(made, refresh_token=b"sealed by a key that is lost")
    after = await desk.update(changed_to(made, refresh_token="new"), view=TOKENS)
    assert after.refresh_token == "new"


async def test_tokens_that_are_emptied_need_consent(desk: Desk) -> None:
    made = await desk.create(own(**WHOLE))
    after = await desk.update(Profile(id=made.id), "access_token", "refresh_token")
    assert after.token_status.state == NEEDS_CONSENT


async def test_a_refresh_token_that_was_exchanged_is_not_put_back(desk: Desk) -> None:
    made = await desk.create(own(access_token="newer access", refresh_token="newer"))
    spent = tokens.spent_digest(desk.almoner.service.keyring, "older")
    await desk.put(made, spent_refresh_digest=spent)
    before = await desk.row(made)
    after = await desk.update(Profile(id=made.id, name="Renamed", access_token="older access", refresh_token="older"))
    row = await desk.row(made)
    assert after.name == "Renamed"
    assert (row.refresh_token, row.access_token) == (before.refresh_token, before.access_token)


async def test_the_end_of_an_access_token_is_set_with_it(desk: Desk) -> None:
    made = await desk.create(own(**WHOLE, access_token_expire_time=SOON))
    assert made.access_token_expire_time == SOON
    other = await desk.update(Profile(id=made.id, access_token="another"))
    assert not other.HasField("access_token_expire_time")


async def test_the_end_of_an_access_token_stays_when_something_else_changes(desk: Desk) -> None:
    made = await desk.create(own(**WHOLE, access_token_expire_time=SOON))
    assert (await desk.update(Profile(id=made.id, name="Other"))).access_token_expire_time == SOON


@pytest.mark.parametrize("how", ["create", "update"])
async def test_there_is_no_end_without_an_access_token(desk: Desk, how: str) -> None:
    late = own(refresh_token="r", access_token_expire_time=SOON)
    if how == "create":
        refusal = await refusal_of(desk.create(late))
    else:
        late.id = (await desk.create(own(refresh_token="r"))).id
        refusal = await refusal_of(desk.update(late, "access_token_expire_time"))
    assert (refusal.code, refusal.fields) == (StatusCode.INVALID_ARGUMENT, ["profile.access_token_expire_time"])


@pytest.mark.parametrize(
    ("members", "is_due"),
    [
        ({**WHOLE, "keep_fresh": True}, True),
        (WHOLE, False),
        ({"access_token": "a", "keep_fresh": True}, False),
        ({"keep_fresh": True}, False),
    ],
)
async def test_what_is_kept_fresh_and_can_be_is_due(desk: Desk, members: dict[str, Any], *, is_due: bool) -> None:
    made = await desk.create(own(**members))
    assert ((await desk.row(made)).token_due is not None) == is_due
    assert made.keep_fresh == members.get("keep_fresh", False)


async def test_keeping_fresh_can_be_ended(desk: Desk) -> None:
    made = await desk.create(own(**WHOLE, keep_fresh=True))
    after = await desk.update(Profile(id=made.id), "keep_fresh")
    assert not after.keep_fresh
    assert (await desk.row(made)).token_due is None


async def test_lists_are_filtered_by_the_state(desk: Desk) -> None:
    await desk.create(own("without"))
    await desk.create(own("with", **WHOLE, keep_fresh=True))
    assert await desk.names(filter="token_state = NEEDS_CONSENT") == ["without"]
    assert await desk.names(filter="token_state = TOKEN_STATE_OK AND keep_fresh = true") == ["with"]


@pytest.mark.parametrize("life", [10 * SECOND, 5 * MINUTE, HOUR, 24 * HOUR])
def test_profiles_are_due_before_the_end_and_not_together(life: int) -> None:
    due = [tokens.due_time(number, 0, life) for number in range(1, 200)]
    assert all(life * 7 // 10 <= time < life for time in due)
    assert all(life - time >= min(life // 5, tokens.LONGEST_AHEAD) for time in due)
    assert len(set(due)) > 150
