# SPDX-License-Identifier: Apache-2.0
"""Devices that wait for their user (RFC 8628)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from almoner.v1 import directory_pb2
from service.clock import MINUTE, SECOND
from service.grants import devices, guesses
from tests.service.directory.house import for_user
from tests.service.grants.tokens.counter import EVERY_WAY, GrantType, bearer, micros, reason_of, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.service.grants.tokens.counter import Counter


async def poll(counter: Counter, started: Any, **members: Any) -> Any:
    return await counter.issue(device_code=started.device_code, **members)


async def test_a_device_gets_two_codes(counter: Counter) -> None:
    started = await counter.start_device("b", "a")
    assert re.fullmatch(r"[A-Za-z0-9+/]{22}==", started.device_code)
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", started.user_code)
    assert (micros(started.lifetime), micros(started.interval)) == (5 * MINUTE, 5 * SECOND)
    assert micros(started.expire_time) == counter.time.now + 5 * MINUTE


async def test_the_user_sees_who_asks_for_what_and_lets_it_in(counter: Counter) -> None:
    started = await counter.start_device("b", "a")
    asked = await counter.device(started.user_code)
    assert (asked.application_id, asked.application_name) == (counter.application.id, "Client")
    assert (list(asked.scopes), asked.expire_time) == (["a", "b"], started.expire_time)

    decided = await counter.decide(started.user_code, approve=True)
    assert (decided.application_id, decided.application_name) == (counter.application.id, "Client")
    tokens = await poll(counter, started)
    assert tokens.grant.user_id == counter.user.id
    assert tokens.grant.grant_type == GrantType.GRANT_TYPE_DEVICE_CODE
    assert list(tokens.grant.scopes) == ["a", "b"]
    [event] = await counter.events("device.approve")
    assert event.actor == counter.user.username
    assert started.device_code not in event.changes


async def test_the_code_is_good_for_one_grant(counter: Counter) -> None:
    started = await counter.start_device()
    await counter.decide(started.user_code, approve=True)
    await poll(counter, started)
    assert await reason_of(poll(counter, started)) == "DEVICE_CODE_EXPIRED"


async def test_it_is_pending_until_somebody_decides(counter: Counter) -> None:
    started = await counter.start_device()
    refusal = await refused(poll(counter, started))
    assert (refusal.code.name, refusal.reason) == ("FAILED_PRECONDITION", "AUTHORIZATION_PENDING")


async def test_who_asks_too_soon_is_told_to_slow_down(counter: Counter) -> None:
    started = await counter.start_device()
    assert await reason_of(poll(counter, started)) == "AUTHORIZATION_PENDING"
    counter.time.pass_by(5 * SECOND - 1)
    refusal = await refused(poll(counter, started))
    assert (refusal.code.name, refusal.reason) == ("RESOURCE_EXHAUSTED", "SLOW_DOWN")
    counter.time.pass_by(5 * SECOND - 1)
    assert await reason_of(poll(counter, started)) == "SLOW_DOWN"
    counter.time.pass_by(5 * SECOND)
    assert await reason_of(poll(counter, started)) == "AUTHORIZATION_PENDING"
    await counter.decide(started.user_code, approve=True)
    assert await poll(counter, started)


async def test_a_refused_device_is_told_so(counter: Counter) -> None:
    started = await counter.start_device()
    await counter.decide(started.user_code, approve=False)
    for _ in range(2):
        refusal = await refused(poll(counter, started))
        assert (refusal.code.name, refusal.reason) == ("FAILED_PRECONDITION", "AUTHORIZATION_DENIED")
    [event] = await counter.events("device.deny")
    assert event.actor == counter.user.username


@pytest.mark.parametrize("approve", [True, False])
async def test_what_is_decided_stays(counter: Counter, *, approve: bool) -> None:
    started = await counter.start_device()
    other = await counter.another_user()
    await counter.decide(started.user_code, approve=approve)
    await counter.decide(started.user_code, approve=approve)
    assert await reason_of(counter.decide(started.user_code, approve=not approve)) == "DEVICE_CODE_EXPIRED"
    by_other = counter.almoner.as_(other.username)
    assert await reason_of(counter.decide(started.user_code, approve=False, by=by_other)) == "DEVICE_CODE_EXPIRED"
    assert await reason_of(counter.device(started.user_code)) == "DEVICE_CODE_EXPIRED"
    assert len(await counter.events("device.approve", "device.deny")) == 1


async def test_both_codes_expire(counter: Counter) -> None:
    started = await counter.start_device()
    counter.time.pass_by(5 * MINUTE)
    assert await reason_of(poll(counter, started)) == "DEVICE_CODE_EXPIRED"
    assert await reason_of(counter.device(started.user_code)) == "DEVICE_CODE_EXPIRED"
    assert await reason_of(counter.decide(started.user_code, approve=True)) == "DEVICE_CODE_EXPIRED"


async def test_an_approved_one_expires_too(counter: Counter) -> None:
    started = await counter.start_device()
    await counter.decide(started.user_code, approve=True)
    counter.time.pass_by(5 * MINUTE)
    assert await reason_of(poll(counter, started)) == "DEVICE_CODE_EXPIRED"


@pytest.mark.parametrize("form", ["{0}-{1}", "{0}{1}", " {0} {1} ", "{0}--{1}"])
@pytest.mark.parametrize("case", [str.upper, str.lower, str.capitalize])
async def test_a_user_code_may_be_typed_as_people_type(counter: Counter, form: str, case: Callable[[str], str]) -> None:
    started = await counter.start_device()
    assert await counter.device(case(form.format(*started.user_code.split("-"))))


@pytest.mark.parametrize("typed", ["-", "AEIO-UAEI", "BCDF", "ß", "é" * 64, "BCDF-GHJK"])
async def test_what_is_no_user_code_is_as_one_that_has_expired(counter: Counter, typed: str) -> None:
    refusal = await refused(counter.device(typed))
    assert (refusal.code.name, refusal.reason) == ("FAILED_PRECONDITION", "DEVICE_CODE_EXPIRED")


async def test_the_device_code_is_its_clients(counter: Counter) -> None:
    other, _ = await counter.another_application()
    started = await counter.start_device()
    await counter.decide(started.user_code, approve=True)
    assert await reason_of(poll(counter, started, client_id=other.id)) == "DEVICE_CODE_EXPIRED"
    assert await poll(counter, started)


async def test_the_application_must_allow_scopes_and_way(counter: Counter) -> None:
    assert (await refused(counter.start_device("a", "x"))).metadata == {"scope": "x"}
    assert (await refused(counter.start_device("a b"))).fields == ["scopes[0]"]
    assert await reason_of(counter.start_device(client_id="no such")) == "CLIENT_INVALID"
    others = [way for way in EVERY_WAY if way != GrantType.GRANT_TYPE_DEVICE_CODE]
    await counter.change_application("grant_types", grant_types=others)
    assert (await refused(counter.start_device())).metadata == {"grant_type": "DEVICE_CODE"}


async def test_a_user_lets_in_what_their_rule_allows(counter: Counter) -> None:
    started = await counter.start_device("c")
    assert (await refused(counter.decide(started.user_code, approve=True))).metadata == {"scope": "c"}
    other = await counter.another_user()
    by_other = counter.almoner.as_(other.username)
    assert await reason_of(counter.decide(started.user_code, approve=True, by=by_other)) == "GRANT_REFUSED"
    # Neither has decided.
    assert await counter.decide(started.user_code, approve=False, by=by_other)


async def test_what_was_allowed_at_the_approval_is_looked_at_again_at_the_issue(counter: Counter) -> None:
    started = await counter.start_device("a", "b")
    await counter.decide(started.user_code, approve=True)
    await counter.change_rule("allowed_scopes", allowed_scopes=["a"])
    assert (await refused(poll(counter, started))).metadata == {"scope": "b"}
    await counter.change_user("locked", locked=True)
    await counter.change_rule("allowed_scopes", allowed_scopes=["a", "b"])
    assert await reason_of(poll(counter, started)) == "CREDENTIALS_INVALID"
    await counter.change_user("locked", locked=False)
    assert await poll(counter, started)


async def test_an_access_token_lets_no_device_in(counter: Counter) -> None:
    started = await counter.start_device()
    tokens = await counter.issue("a")
    by = bearer(tokens.access_token)
    assert await reason_of(counter.decide(started.user_code, approve=True, by=by)) == "SCOPE_MISSING"


async def test_who_acts_for_a_user_lets_in_no_more_than_they_are_worth(counter: Counter) -> None:
    await counter.change_application("allowed_scopes", allowed_scopes=["admin"])
    powerful = await counter.another_user(permissions=[directory_pb2.PERMISSION_ADMINISTRATOR])
    await counter.allow(None, powerful, allowed_scopes=["admin"])
    acting = await counter.another_user(permissions=[directory_pb2.PERMISSION_ON_BEHALF_OF])
    started = await counter.start_device("admin")
    by = for_user(counter.almoner.as_(acting.username), powerful.username)
    assert await reason_of(counter.decide(started.user_code, approve=True, by=by)) == "PERMISSION_ESCALATION"


async def test_codes_cannot_be_guessed_at_will(counter: Counter) -> None:
    started = await counter.start_device()
    for _ in range(guesses.MOST):
        assert await reason_of(counter.device("BCDF-GHJK")) == "DEVICE_CODE_EXPIRED"
    refusal = await refused(counter.device(started.user_code))
    assert (refusal.code.name, refusal.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_ATTEMPTS")
    assert await reason_of(counter.decide(started.user_code, approve=True)) == "TOO_MANY_ATTEMPTS"
    counter.time.pass_by(guesses.WITHIN - 1)
    assert await reason_of(counter.device(started.user_code)) == "TOO_MANY_ATTEMPTS"
    counter.time.pass_by(1)
    started = await counter.start_device()
    assert await counter.device(started.user_code)


async def test_only_so_many_devices_of_an_application_wait(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "MOST_WAITING", 3)
    for _ in range(3):
        await counter.start_device()
    assert await reason_of(counter.start_device()) == "TOO_MANY_ATTEMPTS"
    counter.time.pass_by(5 * MINUTE)
    assert await counter.start_device()
