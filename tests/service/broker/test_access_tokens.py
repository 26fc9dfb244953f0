# SPDX-License-Identifier: Apache-2.0
"""Getting an access token: when the stored one will do, what is refreshed, and what is stored of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from almoner.v1 import profile_pb2
from service.clock import HOUR, MINUTE, SECOND
from tests.broker_faults.provider import faults
from tests.refusals import refusal_of
from tests.service.grants.tokens.counter import micros
from tests.service.profiles.desk import TOKENS, Credentials, P, Profile, own

if TYPE_CHECKING:
    from tests.service.broker.bench import Bench


async def test_a_profile_with_a_refresh_token_alone_gets_an_access_token(bench: Bench) -> None:
    profile = await bench.profile()
    reply = await bench.token(profile)
    assert reply.refreshed
    assert (reply.token_type, reply.scope) == ("Bearer", "read write")
    assert micros(reply.expire_time) == bench.now + HOUR
    assert await bench.client.provider.admits(reply.access_token)


async def test_what_came_is_stored(bench: Bench) -> None:
    profile = await bench.profile()
    reply = await bench.token(profile)
    after = await bench.desk.get(profile.id, view=TOKENS)
    assert after.access_token == reply.access_token
    assert after.refresh_token not in ("", profile.refresh_token)
    assert after.access_token_expire_time == reply.expire_time
    assert after.token_status.state == profile_pb2.TOKEN_STATE_OK
    assert micros(after.token_status.refresh_time) == bench.now
    assert after.etag != profile.etag


async def test_a_token_that_is_good_for_long_enough_is_given_again(bench: Bench) -> None:
    profile = await bench.profile()
    first = await bench.token(profile)
    bench.time.pass_by(50 * MINUTE)
    again = await bench.token(profile, validity=9 * 60)
    assert (again.access_token, again.refreshed) == (first.access_token, False)
    assert await bench.refreshes() == 1


async def test_a_token_that_is_not_good_for_long_enough_is_refreshed(bench: Bench) -> None:
    profile = await bench.profile()
    first = await bench.token(profile)
    bench.time.pass_by(50 * MINUTE)
    other = await bench.token(profile, validity=11 * 60)
    assert other.refreshed
    assert other.access_token != first.access_token


async def test_without_a_wish_a_token_is_good_for_a_minute(bench: Bench) -> None:
    profile = await bench.profile()
    first = await bench.desk.call("GetAccessToken", id=profile.id)
    bench.time.pass_by(HOUR - MINUTE)
    assert (await bench.desk.call("GetAccessToken", id=profile.id)).access_token == first.access_token
    bench.time.pass_by(SECOND)
    assert (await bench.desk.call("GetAccessToken", id=profile.id)).access_token != first.access_token


async def test_more_than_its_life_gets_a_new_token_and_no_more(bench: Bench) -> None:
    profile = await bench.profile()
    await bench.token(profile, validity=100_000)
    await bench.token(profile, validity=100_000)
    assert await bench.refreshes() == 2


async def test_many_who_ask_at_once_share_one_refresh(bench: Bench) -> None:
    profile = await bench.profile()
    replies = await asyncio.gather(*(bench.token(profile) for _ in range(50)))
    assert len({reply.access_token for reply in replies}) == 1
    assert await bench.refreshes() == 1


async def test_one_who_gives_up_does_not_end_the_refresh(bench: Bench) -> None:
    profile = await bench.profile()
    await bench.client.meets(faults.SLOW)
    waiting = asyncio.create_task(bench.token(profile))
    await bench.client.report(held=1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await bench.client.release()
    assert (await bench.token(profile)).access_token
    assert (await bench.client.report()).reuses == 0


@pytest.mark.parametrize("authentication", ["client_secret_basic", "client_secret_post"])
async def test_the_client_shows_who_it_is_as_the_application_says(bench: Bench, authentication: str) -> None:
    await bench.client.change(authentication=authentication)
    number = ["client_secret_basic", "client_secret_post"].index(authentication) + 1
    assert (await bench.token(await bench.profile({"client_authentication": number}))).access_token


async def test_a_public_client_shows_its_id_alone(bench: Bench) -> None:
    await bench.client.change(authentication="none", secret="")
    assert (await bench.token(await bench.profile({"client_secret": ""}))).access_token


async def test_a_refresh_token_that_does_not_rotate_stays(bench: Bench) -> None:
    await bench.client.change(rotates=False)
    tokens = await bench.client.grant()
    profile = await bench.profile_of(tokens)
    await bench.token(profile)
    assert (await bench.desk.get(profile.id, view=TOKENS)).refresh_token == tokens.refresh_token


async def test_an_answer_without_an_end_has_the_one_that_the_application_assumes(bench: Bench) -> None:
    await bench.client.change(expires_in=None)
    profile = await bench.profile({"assumed_token_lifetime": {"seconds": 600}})
    assert micros((await bench.token(profile)).expire_time) == bench.now + 10 * MINUTE


async def test_a_token_that_was_set_without_an_end_is_refreshed_to_know_one(bench: Bench) -> None:
    profile = await bench.profile(access_token="set by hand")
    assert (await bench.token(profile)).access_token != "set by hand"


async def test_a_token_that_was_set_with_an_end_is_given_until_then(bench: Bench) -> None:
    end = Timestamp()
    end.FromMicroseconds(bench.now + HOUR)
    profile = await bench.profile(access_token="set by hand", access_token_expire_time=end)
    assert (await bench.token(profile)).access_token == "set by hand"
    bench.an_hour_passes()
    assert (await bench.token(profile)).access_token != "set by hand"


async def test_a_token_without_a_refresh_token_is_given_as_it_is(bench: Bench) -> None:
    profile = await bench.desk.create(own(access_token="all there is"))
    reply = await bench.token(profile)
    assert (reply.access_token, reply.HasField("expire_time")) == ("all there is", False)


async def test_a_narrower_token_is_made_for_its_caller_alone(bench: Bench) -> None:
    profile = await bench.profile()
    whole = await bench.token(profile)
    narrow = await bench.token(profile, scope="read")
    assert (narrow.scope, narrow.refreshed) == ("read", True)
    assert narrow.access_token != whole.access_token
    assert (await bench.token(profile)).access_token == whole.access_token


async def test_the_whole_scope_in_another_order_is_the_stored_token(bench: Bench) -> None:
    profile = await bench.profile()
    whole = await bench.token(profile)
    assert (await bench.token(profile, scope="write  read")).access_token == whole.access_token


async def test_a_wider_scope_is_refused_and_says_nothing_against_the_tokens(bench: Bench) -> None:
    profile = await bench.profile()
    refusal = await refusal_of(bench.token(profile, scope="read everything"))
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "PROVIDER_REFUSED")
    assert refusal.metadata == {"error": "invalid_scope"}
    assert (await bench.status(profile)).state == profile_pb2.TOKEN_STATE_OK


async def test_a_profile_without_tokens_needs_consent(bench: Bench) -> None:
    profile = await bench.desk.create(own())
    refusal = await refusal_of(bench.token(profile))
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "CONSENT_NEEDED")
    assert refusal.metadata == {"id": str(profile.id)}


async def test_an_unknown_provider_without_a_token_endpoint_is_named(bench: Bench) -> None:
    profile = await bench.profile({"token_uri": ""})
    refusal = await refusal_of(bench.token(profile))
    assert (refusal.reason, refusal.metadata) == (
        "PROVIDER_UNKNOWN",
        {"provider": "example", "endpoint": "token"},
    )


async def test_a_refresh_token_that_is_taken_no_longer_needs_consent(bench: Bench) -> None:
    profile = await bench.profile(refresh_token="none of its own")
    assert (await refusal_of(bench.token(profile))).reason == "CONSENT_NEEDED"
    status = await bench.status(profile)
    assert (status.state, status.failure) == (profile_pb2.TOKEN_STATE_NEEDS_CONSENT, "invalid_grant")
    seen = len((await bench.client.report()).requests)
    assert (await refusal_of(bench.token(profile))).reason == "CONSENT_NEEDED"
    assert len((await bench.client.report()).requests) == seen


async def test_a_wrong_secret_is_not_tried_again_until_it_is_mended(bench: Bench) -> None:
    number = await bench.application(client_secret="wrong")
    tokens = await bench.client.grant()
    made = Profile(name="Grant", application_number=number, refresh_token=tokens.refresh_token or "")
    profile = await bench.desk.create(made)
    for _ in range(2):
        refusal = await refusal_of(bench.token(profile))
        assert (refusal.reason, refusal.metadata) == ("PROVIDER_REFUSED", {"error": "invalid_client"})
    assert len((await bench.client.report()).requests) == 1
    await bench.desk.mend_application(number, client_secret=bench.client.registered.secret)
    assert (await bench.token(profile)).access_token


async def test_another_client_of_the_profiles_own_mends_it_too(bench: Bench) -> None:
    number = await bench.application()
    wrong = await bench.application(client_secret="wrong")
    tokens = await bench.client.grant()
    made = Profile(name="Grant", application_number=wrong, refresh_token=tokens.refresh_token or "")
    profile = await bench.desk.create(made)
    assert (await refusal_of(bench.token(profile))).reason == "PROVIDER_REFUSED"
    await bench.desk.update(Profile(id=profile.id, application_number=number), "application_number")
    assert (await bench.token(profile)).access_token


async def test_a_provider_that_wants_to_be_left_alone_is(bench: Bench) -> None:
    profile = await bench.profile()
    await bench.client.meets(faults.TOO_MANY_REQUESTS_FOR_A_WHILE)
    for _ in range(2):
        refusal = await refusal_of(bench.token(profile))
        assert (refusal.code, refusal.reason) == (StatusCode.UNAVAILABLE, "PROVIDER_UNAVAILABLE")
        assert refusal.retry_after == 1800
    status = await bench.status(profile)
    assert (status.state, status.failures) == (profile_pb2.TOKEN_STATE_FAILING, 1)
    assert micros(status.next_try_time) == bench.now + 30 * MINUTE
    bench.time.pass_by(30 * MINUTE)
    assert (await bench.token(profile)).access_token


async def test_a_stored_token_is_given_while_the_provider_fails(bench: Bench) -> None:
    profile = await bench.profile()
    first = await bench.token(profile)
    await bench.client.meets(faults.UNAVAILABLE_FOR_A_WHILE)
    assert (await refusal_of(bench.token(profile, validity=7200))).reason == "PROVIDER_UNAVAILABLE"
    assert (await bench.token(profile)).access_token == first.access_token


async def test_a_lost_answer_puts_the_profile_in_doubt_and_is_tried_once_more(bench: Bench) -> None:
    profile = await bench.profile()
    await bench.client.meets(faults.REFUSED_WITHOUT_ANSWER)
    assert (await refusal_of(bench.token(profile))).reason == "PROVIDER_UNAVAILABLE"
    status = await bench.status(profile)
    assert (status.state, status.failure) == (profile_pb2.TOKEN_STATE_IN_DOUBT, "unanswered")
    assert status.HasField("next_try_time")
    bench.an_hour_passes()
    assert (await bench.token(profile)).access_token
    assert (await bench.status(profile)).state == profile_pb2.TOKEN_STATE_OK


async def test_two_lost_answers_leave_it_in_doubt(bench: Bench) -> None:
    profile = await bench.profile()
    await bench.client.meets(faults.REFUSED_WITHOUT_ANSWER, faults.REFUSED_WITHOUT_ANSWER)
    assert (await refusal_of(bench.token(profile))).reason == "PROVIDER_UNAVAILABLE"
    bench.an_hour_passes()
    assert (await refusal_of(bench.token(profile))).reason == "TOKEN_IN_DOUBT"
    bench.an_hour_passes()
    refusal = await refusal_of(bench.token(profile))
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "TOKEN_IN_DOUBT")
    assert not (await bench.status(profile)).HasField("next_try_time")
    assert len((await bench.client.report()).requests) == 2


async def test_new_tokens_end_the_doubt(bench: Bench) -> None:
    profile = await bench.profile()
    await bench.client.meets(faults.LOST)
    assert (await refusal_of(bench.token(profile))).reason == "PROVIDER_UNAVAILABLE"
    tokens = await bench.client.grant()
    await bench.desk.update(Profile(id=profile.id, refresh_token=tokens.refresh_token or ""))
    assert (await bench.token(profile)).access_token


async def test_where_nothing_rotates_a_lost_answer_is_a_failure_like_others(bench: Bench) -> None:
    await bench.client.change(rotates=False)
    profile = await bench.profile({"rotates_refresh_tokens": False})
    await bench.client.meets(*[faults.LOST] * 3)
    for _ in range(3):
        assert (await refusal_of(bench.token(profile))).reason == "PROVIDER_UNAVAILABLE"
        assert (await bench.status(profile)).state == profile_pb2.TOKEN_STATE_FAILING
        bench.an_hour_passes()
    assert (await bench.token(profile)).access_token


@pytest.mark.parametrize(
    ("held", "code"),
    [
        ((P.PROFILES_USE, P.PROFILES_ALL), StatusCode.OK),
        ((P.PROFILES_REVEAL, P.PROFILES_ALL), StatusCode.OK),
        ((P.PROFILES_USE,), StatusCode.NOT_FOUND),
        ((P.PROFILES_GET, P.PROFILES_ALL), StatusCode.PERMISSION_DENIED),
    ],
)
async def test_it_takes_a_permission_and_the_reach_of_the_profile(bench: Bench, held: Any, code: StatusCode) -> None:
    profile = await bench.profile()
    person = await bench.desk.person(*held)
    if code is StatusCode.OK:
        assert (await bench.token(profile, by=person.by)).access_token
    else:
        assert (await refusal_of(bench.token(profile, by=person.by))).code == code


async def test_every_call_and_every_refresh_is_audited_without_secrets(bench: Bench) -> None:
    profile = await bench.profile()
    await bench.token(profile)
    await bench.token(profile)
    await bench.token(profile, scope="read")
    (*refreshes,) = await bench.desk.events("profile.refresh")
    assert {event.actor for event in refreshes} == {"almoner"}
    assert [event.changes for event in refreshes] == [
        {"outcome": "granted", "access_token": "replaced", "refresh_token": "replaced"},
        {"outcome": "granted", "scope": "read", "refresh_token": "replaced"},
    ]
    calls = await bench.desk.events("profile.access_token")
    assert {event.actor for event in calls} == {bench.desk.chief.username}
    assert [event.changes for event in calls] == [{"refreshed": True}, {}, {"refreshed": True}]


async def test_a_profile_with_a_client_of_its_own_is_refreshed_where_its_provider_is(bench: Bench) -> None:
    credentials = Credentials(client_id="nobody", client_secret="nothing")
    profile = await bench.desk.create(own(provider="unheard-of", client=credentials, refresh_token="r"))
    refusal = await refusal_of(bench.token(profile))
    assert (refusal.reason, refusal.metadata["provider"]) == ("PROVIDER_UNKNOWN", "unheard-of")
