# SPDX-License-Identifier: Apache-2.0
"""Deliveries: every change at least once, signed, and those of one profile in their order, whatever the receiver does."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from sqlalchemy import func, select

from almoner.v1 import profile_pb2
from service.clock import DAY, HOUR, SECOND
from service.storage.tables import table_of
from service.webhooks import dispatcher
from service.webhooks.tables import WebhookDeliveryRow, WebhookDispatchRow
from tests.running import running, running_on
from tests.service.profiles.desk import Profile, open_desk, own
from tests.service.webhooks.conftest import FAST, LOCAL
from tests.service.webhooks.office import Office, Webhook, open_office
from tests.service.webhooks.receiver import PATIENCE, Received, receiving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.databases import SqliteTemplate, Template
    from tests.running import Almoner
    from tests.service.grants.tokens.counter import Time
    from tests.service.webhooks.receiver import Receiver


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - rows tell nobody
            await asyncio.sleep(0.01)


async def waiting(almoner: Almoner) -> int:
    """Returns how many deliveries are still to be made."""
    statement = select(func.count()).select_from(table_of(WebhookDeliveryRow))
    return await almoner.service.store.read(lambda tx: int(tx.execute(statement).scalar_one()))


async def test_a_change_arrives_with_what_is_needed_to_check_it(office: Office, receiver: Receiver) -> None:
    webhook, secret = await office.create(receiver.url)
    profile = await office.desk.create(own(refresh_token="r"))
    (received,) = await receiver.take_next()
    assert received.document == {
        "type": "profile.created",
        "timestamp": received.document["timestamp"],
        "data": {
            "profile_id": profile.id,
            "organization_id": office.desk.organization.id,
            "token_state": "OK",
            "etag": profile.etag,
        },
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", received.document["timestamp"])
    assert received.headers["content-type"] == "application/json"
    assert re.fullmatch(r"msg_[0-9a-f]{32}", received.message_id)
    assert abs(int(received.headers["webhook-timestamp"]) - time.time()) < 60
    assert received.signed_by(secret)
    assert webhook.organization_id == office.desk.organization.id


async def test_everything_that_becomes_of_a_profile_is_told(office: Office, receiver: Receiver) -> None:
    await office.create(receiver.url)
    profile = await office.desk.create(own())
    await office.desk.update(Profile(id=profile.id, name="New"), "name")
    await office.desk.delete(profile.id)
    received = await receiver.take_next(3)
    assert [(each.document["type"], each.document["data"]["etag"]) for each in received] == [
        ("profile.created", '"1"'),
        ("profile.updated", '"2"'),
        ("profile.deleted", '"2"'),
    ]
    assert len({each.message_id for each in received}) == 3


async def test_what_was_before_is_not_told(office: Office, receiver: Receiver) -> None:
    await office.desk.create(own())
    await office.desk.almoner.service.feed.catch_up()
    await office.create(receiver.url)
    profile = await office.desk.create(own())
    assert [each.profile_id for each in await receiver.take_next()] == [profile.id]


async def test_profiles_of_everybody_in_the_organization_and_of_no_other_are_told(
    office: Office, receiver: Receiver
) -> None:
    await office.create(receiver.url)
    await (await open_desk(office.desk.almoner)).create(own())
    mine, theirs = await office.desk.create(own()), await office.desk.create(own(), by=(await office.desk.user()).by)
    received = await receiver.take_next(2)
    assert {each.profile_id for each in received} == {mine.id, theirs.id}


async def test_only_the_kinds_that_are_wanted_are_told(office: Office, receiver: Receiver) -> None:
    await office.create(receiver.url, kinds=[profile_pb2.CHANGE_KIND_DELETED])
    profile = await office.desk.create(own())
    await office.desk.delete(profile.id)
    assert [each.document["type"] for each in await receiver.take_next()] == ["profile.deleted"]


async def test_every_webhook_is_told_for_itself(office: Office, receiver: Receiver) -> None:
    async with receiving() as other:
        await office.create(receiver.url)
        await office.create(other.url)
        await office.desk.create(own())
        (one,), (two,) = await receiver.take_next(), await other.take_next()
        assert one.message_id != two.message_id
        assert one.body == two.body


# When it does not arrive.


@pytest.mark.parametrize("status", [0, 199, 302, 400, 404, 429, 500, 503])
async def test_what_is_not_taken_is_sent_again_with_the_same_id(
    sqlite_template: SqliteTemplate, tmp_path: Path, receiver: Receiver, status: int
) -> None:
    receiver.answer = lambda _received, before: 204 if before == 3 else status
    receiver.extra = f"Location: {receiver.url}elsewhere\r\n"
    async with running(sqlite_template, tmp_path, **LOCAL) as almoner:
        office = await open_office(almoner)
        _, secret = await office.create(receiver.url)
        await office.desk.create(own())
        await receiver.take_next()
        await until(lambda: _none_waiting(almoner))
    assert len(receiver.received) == 4
    assert len({(each.message_id, each.body) for each in receiver.received}) == 1
    assert all(each.signed_by(secret) for each in receiver.received)


async def _none_waiting(almoner: Almoner) -> bool:
    return await waiting(almoner) == 0


async def test_each_try_is_signed_with_its_own_time(office: Office, receiver: Receiver) -> None:
    """Or receivers would refuse it as a replay."""
    stamps: set[str] = set()

    def answer(received: Received, _before: int) -> int:
        stamps.add(received.headers["webhook-timestamp"])
        return 204 if len(stamps) == 2 else 500

    receiver.answer = answer
    _, secret = await office.create(receiver.url)
    await office.desk.create(own())
    assert (await receiver.take_next())[0].signed_by(secret)


async def test_later_changes_of_a_profile_wait_and_other_profiles_go_on(office: Office, receiver: Receiver) -> None:
    stuck = await office.desk.create(own())
    await office.desk.almoner.service.feed.catch_up()
    open_now = asyncio.Event()
    receiver.answer = lambda received, _before: 204 if received.profile_id != stuck.id or open_now.is_set() else 500
    await office.create(receiver.url)
    for number in range(3):
        await office.desk.update(Profile(id=stuck.id, name=f"N{number}"), "name")
    others = [await office.desk.create(own()) for _ in range(5)]
    received = await receiver.take_next(5)
    assert {each.profile_id for each in received} == {profile.id for profile in others}
    assert {each.revision for each in receiver.received if each.profile_id == stuck.id} == {2}
    open_now.set()
    received = await receiver.take_next(8)
    assert [each.revision for each in received if each.profile_id == stuck.id] == [2, 3, 4]


async def test_a_receiver_that_hangs_holds_up_nobody_else(office: Office, receiver: Receiver) -> None:
    receiver.answer = lambda _received, _before: 0
    async with receiving() as other:
        await office.create(receiver.url)
        await office.create(other.url)
        for _ in range(30):
            await office.desk.create(own())
        assert len(await other.take_next(30)) == 30
        assert not receiver.taken


async def test_waiting_for_an_answer_costs_nothing(
    sqlite_template: SqliteTemplate, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answer = lambda _received, _before: 0
    monkeypatch.setattr(dispatcher, "Pace", lambda: replace(FAST, timeout=15, sign_of_life=0.1, farewell=0.01))
    async with running(sqlite_template, tmp_path, **LOCAL) as almoner:
        office = await open_office(almoner)
        await office.create(receiver.url)
        await office.desk.create(own())
        await receiver.until(lambda: bool(receiver.received))
        write, written = almoner.service.store.write, []

        async def count(use_case: Any) -> Any:
            written.append(use_case)
            return await write(use_case)

        monkeypatch.setattr(almoner.service.store, "write", count)
        await asyncio.sleep(0.5)
    assert len(written) < 12


async def test_a_receiver_may_say_when_to_come_back(
    template: Template, tmp_path: Path, receiver: Receiver, clock: Time
) -> None:
    async with running(template, tmp_path, clock=clock, **LOCAL) as almoner:
        office = await open_office(almoner)
        receiver.answer, receiver.extra = lambda _received, before: 204 if before else 503, "Retry-After: 60\r\n"
        await office.create(receiver.url)
        await office.desk.create(own())
        await receiver.until(lambda: len(receiver.received) == 1)
        await until(lambda: _has_failed(almoner))
        clock.pass_by(59 * SECOND)
        await asyncio.sleep(0.1)
        assert len(receiver.received) == 1
        clock.pass_by(2 * SECOND)
        await receiver.take_next()


async def _has_failed(almoner: Almoner) -> bool:
    statement = select(func.max(table_of(WebhookDeliveryRow).c.attempts))
    return bool(await almoner.service.store.read(lambda tx: tx.execute(statement).scalar_one()))


async def test_after_a_day_it_is_given_up(template: Template, tmp_path: Path, receiver: Receiver, clock: Time) -> None:
    async with running(template, tmp_path, clock=clock, **LOCAL) as almoner:
        office = await open_office(almoner)
        receiver.answer = lambda _received, _before: 500
        webhook, _ = await office.create(receiver.url)
        profile = await office.desk.create(own())
        await office.desk.update(Profile(id=profile.id, name="A"), "name")
        await until(lambda: _has_failed(almoner))
        clock.pass_by(DAY - HOUR)
        await receiver.until(lambda: len(receiver.received) == 2)
        assert await waiting(almoner) == 2
        await office.desk.update(Profile(id=profile.id, name="B"), "name")
        with structlog.testing.capture_logs() as logs:
            clock.pass_by(HOUR + SECOND)
            await receiver.until(lambda: receiver.received[-1].revision == 3)
        assert {each.revision for each in receiver.received} == {1, 3}
        (logged,) = [entry for entry in logs if entry["event"] == "webhook.given_up"]
        assert (logged["webhook"], logged["profile"], logged["changes"]) == (webhook.id, profile.id, 2)
        assert "s3cr3t" not in str(logs)
        (event,) = await office.desk.events("webhook.give_up")
        assert (event.actor, event.changes["changes"]) == ("almoner", 2)
        await until(lambda: _has_failed(almoner))
        receiver.answer = lambda _received, _before: 204
        clock.pass_by(HOUR)
        assert [each.revision for each in await receiver.take_next()] == [3]


async def test_a_receiver_that_is_gone_disables_its_webhook(office: Office, receiver: Receiver) -> None:
    receiver.answer = lambda _received, _before: 410
    webhook, _ = await office.create(receiver.url)
    await asyncio.gather(*(office.desk.create(own()) for _ in range(20)))

    async def disabled() -> bool:
        return (await office.get(webhook.id)).disabled

    await until(disabled)
    assert await waiting(office.desk.almoner) == 0
    number = len(receiver.received)
    assert number <= FAST.at_once
    (event,) = await office.desk.events("webhook.disable")
    assert event.actor == "almoner"
    receiver.answer = lambda _received, _before: 204
    await office.update(Webhook(id=webhook.id), "disabled")
    profile = await office.desk.create(own())
    assert [each.profile_id for each in await receiver.take_next()] == [profile.id]


# When it is changed meanwhile.


async def test_a_new_secret_and_the_one_before_both_sign_for_a_day(
    template: Template, tmp_path: Path, receiver: Receiver, clock: Time
) -> None:
    async with running(template, tmp_path, clock=clock, **LOCAL) as almoner:
        office = await open_office(almoner)
        webhook, old = await office.create(receiver.url)
        _, new = await office.update(Webhook(id=webhook.id), "secret")
        assert new != old
        await office.desk.create(own())
        (received,) = await receiver.take_next()
        assert received.signed_by(old)
        assert received.signed_by(new)
        clock.pass_by(DAY)
        await office.desk.create(own())
        received = (await receiver.take_next(2))[1]
        assert received.signed_by(new)
        assert not received.signed_by(old)


async def test_a_new_url_takes_what_is_still_to_be_told(office: Office, receiver: Receiver) -> None:
    receiver.answer = lambda _received, _before: 500
    async with receiving() as other:
        webhook, _ = await office.create(receiver.url)
        await office.desk.create(own())
        await receiver.until(lambda: bool(receiver.received))
        await office.update(Webhook(id=webhook.id, url=other.url), "url")
        (received,) = await other.take_next()
        assert received.message_id == receiver.received[0].message_id


async def test_disabled_it_is_told_nothing_and_enabled_of_what_happens_then(office: Office, receiver: Receiver) -> None:
    receiver.answer = lambda _received, _before: 500
    webhook, _ = await office.create(receiver.url)
    await office.desk.create(own())
    await receiver.until(lambda: bool(receiver.received))
    await office.update(Webhook(id=webhook.id, disabled=True), "disabled")
    await until(lambda: _none_waiting(office.desk.almoner))
    receiver.answer = lambda _received, _before: 204
    await office.desk.create(own())
    await office.desk.almoner.service.feed.catch_up()
    await office.update(Webhook(id=webhook.id), "disabled")
    profile = await office.desk.create(own())
    assert [each.profile_id for each in await receiver.take_next()] == [profile.id]


async def test_deleted_it_is_told_nothing(office: Office, receiver: Receiver) -> None:
    receiver.answer = lambda _received, _before: 500
    webhook, _ = await office.create(receiver.url)
    await office.desk.create(own())
    await receiver.until(lambda: bool(receiver.received))
    await office.call("DeleteWebhook", id=webhook.id)
    await until(lambda: _none_waiting(office.desk.almoner))


# Where it may go.


async def test_a_name_that_stands_for_this_machine_is_not_connected_to(
    sqlite_template: SqliteTemplate, tmp_path: Path, receiver: Receiver
) -> None:
    async with running(sqlite_template, tmp_path, outgoing_allow_http=True) as almoner:
        office = await open_office(almoner)
        await office.create(receiver.url.replace("127.0.0.1", "localhost"))
        await office.desk.create(own())
        await until(lambda: _has_failed(almoner))
    assert not receiver.received


async def test_nothing_that_is_logged_has_a_secret_or_a_url(office: Office, receiver: Receiver) -> None:
    receiver.answer = lambda _received, before: (500, 0, 204)[before]
    with structlog.testing.capture_logs() as logs:
        _, secret = await office.create(receiver.url)
        await office.desk.create(own())
        await receiver.take_next()
    assert secret.removeprefix("whsec_") not in str(logs)
    assert "s3cr3t-p4th" not in str(logs)


# Several processes, and none for a while.


async def test_what_was_left_is_delivered_after_a_restart(
    template: Template, tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answer = lambda _received, _before: 500
    async with running(template, tmp_path, **LOCAL) as almoner:
        office = await open_office(almoner)
        await office.create(receiver.url)
        profile = await office.desk.create(own())
        await receiver.until(lambda: bool(receiver.received))
        await almoner.service.close()
        receiver.answer = lambda _received, _before: 204
        async with running_on(almoner.settings):
            assert [each.profile_id for each in await receiver.take_next()] == [profile.id]


@pytest.mark.parametrize("status", [500, 0])
async def test_a_server_that_stops_gives_its_webhooks_back(
    template: Template, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """So that the next one need not wait until they count as abandoned, whatever is under way."""
    monkeypatch.setattr(dispatcher, "Pace", lambda: replace(FAST, at_once=1, timeout=15, farewell=0.1))
    receiver.answer = lambda _received, _before: status
    async with running(template, tmp_path, **LOCAL) as almoner:
        office = await open_office(almoner)
        await office.create(receiver.url)
        await office.desk.create(own())
        await receiver.until(lambda: bool(receiver.received))
        await almoner.service.background.stop()
        held = select(table_of(WebhookDispatchRow).c.held)
        assert not await almoner.service.store.read(lambda tx: tx.execute(held).scalar_one())


async def test_what_a_process_that_died_had_is_taken_over(
    template: Template, tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answer = lambda _received, _before: 0
    async with running(template, tmp_path, **LOCAL) as almoner:
        office = await open_office(almoner)
        await office.create(receiver.url)
        profile = await office.desk.create(own())
        await receiver.until(lambda: bool(receiver.received))
        for task in almoner.service.background._tasks:  # kill -9, as the database sees it
            task.cancel()
        dispatching = almoner.service.background._dispatcher
        for task in dispatching._tasks:
            task.cancel()
        receiver.answer = lambda _received, _before: 204
        async with running_on(almoner.settings):
            assert [each.profile_id for each in await receiver.take_next()] == [profile.id]


async def test_of_several_processes_one_at_a_time_is_at_a_webhook(
    template: Template, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However busy this machine is, nothing is late and nobody seems to have died.
    monkeypatch.setattr(dispatcher, "Pace", lambda: replace(FAST, timeout=15, lease=30))
    async with running(template, tmp_path, **LOCAL) as one, running_on(one.settings) as other:
        office = await open_office(one)
        await office.create(receiver.url)
        there = type(office.desk)(other, office.desk.organization, office.desk.chief)
        profiles = [await desk.create(own()) for desk in (office.desk, there) for _ in range(10)]
        await receiver.take_next(20)
        await until(lambda: _none_waiting(one))
    assert sorted(each.profile_id for each in receiver.received) == sorted(profile.id for profile in profiles)


async def test_one_that_comes_back_from_the_dead_writes_nothing(template: Template, tmp_path: Path) -> None:
    """The fence is another one by then."""
    from service.webhooks import deliveries  # noqa: PLC0415 - of this test alone

    async with running(template, tmp_path) as almoner:
        office = await open_office(almoner)
        webhook, _ = await office.create("https://receiver.invalid/")
        await almoner.service.background._dispatcher.stop()
        store, service = almoner.service.store, almoner.service
        nothing = deliveries.Report((), frozenset(), 8, leave=False)

        def turn(fence: int | None, report: deliveries.Report) -> Any:
            return lambda tx: deliveries.take_turn(
                deliveries.own_work(tx, service.keyring, service.clock()), webhook.id, fence or 0, report, renew=False
            )

        fence = await store.read(lambda tx: tx.execute(select(table_of(WebhookDispatchRow).c.fence)).scalar_one())
        first = await store.write(lambda tx: deliveries.claim(tx, webhook.id, fence))
        assert first == fence + 1
        assert await store.write(lambda tx: deliveries.claim(tx, webhook.id, fence)) is None
        second = await store.write(lambda tx: deliveries.claim(tx, webhook.id, first))
        assert await store.write(turn(first, nothing)) is None
        assert (await store.write(turn(second, nothing))).fence == second


async def test_a_webhook_that_came_with_an_import_is_told_of_what_happens_from_then_on(
    template: Template, tmp_path: Path, receiver: Receiver
) -> None:
    async with running(template, tmp_path, **LOCAL) as almoner:
        office = await open_office(almoner)
        await office.desk.create(own())
        await almoner.service.feed.catch_up()
        webhook, _ = await office.create(receiver.url, disabled=True)
        dispatches = table_of(WebhookDispatchRow)
        await almoner.service.store.write(lambda tx: tx.execute(dispatches.delete()).rowcount)
        await office.update(Webhook(id=webhook.id), "disabled")

        async def begun() -> bool:
            found = select(func.count()).select_from(dispatches)
            return bool(await almoner.service.store.read(lambda tx: tx.execute(found).scalar_one()))

        await until(begun)
        profile = await office.desk.create(own())
        assert [each.profile_id for each in await receiver.take_next()] == [profile.id]
