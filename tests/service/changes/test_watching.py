# SPDX-License-Identifier: Apache-2.0
"""WatchProfiles: whoever watches hears of every change that they may see, from where they were."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from almoner.v1 import (
    application_service_pb2,
    application_service_pb2_grpc,
    directory_pb2,
    directory_service_pb2,
    profile_pb2,
)
from service.changes import rpc
from tests.refusals import read_refusal
from tests.running import running, running_on
from tests.service.changes.watching import CREATED, DELETED, UPDATED, Seen, watch
from tests.service.profiles.desk import P, Profile, open_desk, own

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databases import SqliteTemplate, Template
    from tests.refusals import Refusal
    from tests.service.changes.watching import Watcher
    from tests.service.profiles.desk import Desk


async def ended(watcher: Watcher) -> Refusal:
    """Waits for the end of a stream and returns what it was."""
    try:
        while True:
            await watcher.message()
    except grpc.aio.AioRpcError as error:
        return read_refusal(error)


async def refused(desk: Desk, **members: Any) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await watch(desk.almoner, desk.chief.by, **members)
    return read_refusal(raised.value)


async def test_what_becomes_of_a_profile_is_told_as_it_happens(desk_over: Desk) -> None:
    desk = desk_over
    watcher = await watch(desk.almoner, desk.chief.by)
    profile = await desk.create(own(refresh_token="r"))
    created = await watcher.change()
    assert created == profile_pb2.ProfileChange(
        profile_id=profile.id,
        kind=CREATED,
        organization_id=desk.organization.id,
        token_state=profile_pb2.TOKEN_STATE_OK,
        etag=profile.etag,
        time=profile.create_time,
    )
    profile = await desk.update(Profile(id=profile.id, name="New"), "name")
    assert await watcher.changes(1) == [Seen(profile.id, UPDATED, profile.etag)]
    await desk.delete(profile.id)
    assert await watcher.changes(1) == [Seen(profile.id, DELETED, profile.etag)]


async def test_what_was_before_is_not_told(desk: Desk) -> None:
    await desk.create(own())
    watcher = await watch(desk.almoner, desk.chief.by)
    profile = await desk.create(own())
    assert (await watcher.change()).profile_id == profile.id


async def test_nothing_is_told_of_what_was_refused(desk: Desk) -> None:
    watcher = await watch(desk.almoner, desk.chief.by)
    with pytest.raises(grpc.aio.AioRpcError):
        await desk.create(own(application_number=2**40))
    profile = await desk.create(own())
    with pytest.raises(grpc.aio.AioRpcError):
        await desk.update(Profile(id=profile.id, name="New"), "name", etag='"7"')
    await desk.delete(profile.id)
    assert [seen.kind for seen in await watcher.changes(2)] == [CREATED, DELETED]


async def test_a_watcher_goes_on_where_it_was(desk_over: Desk) -> None:
    desk = desk_over
    watcher = await watch(desk.almoner, desk.chief.by)
    first = await desk.create(own())
    await watcher.change()
    watcher.call.cancel()
    missed = [await desk.create(own()) for _ in range(3)]
    again = await watch(desk.almoner, desk.chief.by, watcher.cursor)
    assert [seen.profile_id for seen in await again.changes(3)] == [profile.id for profile in missed]
    from_the_start = await watch(desk.almoner, desk.chief.by, watcher.cursor)
    assert first.id not in [seen.profile_id for seen in await from_the_start.changes(3)]


async def test_even_if_nothing_had_happened_yet(desk: Desk) -> None:
    watcher = await watch(desk.almoner, desk.chief.by)
    watcher.call.cancel()
    profile = await desk.create(own())
    again = await watch(desk.almoner, desk.chief.by, watcher.cursor)
    assert (await again.change()).profile_id == profile.id


async def test_and_after_a_restart(template: Template, tmp_path: Path) -> None:
    async with running(template, tmp_path) as almoner:
        desk = await open_desk(almoner)
        watcher = await watch(almoner, desk.chief.by)
        missed = await desk.create(own())
        async with running_on(almoner.settings) as other:
            again = await watch(other, desk.chief.by, watcher.cursor)
            assert (await again.change()).profile_id == missed.id


async def test_many_changes_come_in_their_order(desk: Desk) -> None:
    watcher = await watch(desk.almoner, desk.chief.by)
    profile = await desk.create(own())
    etags = [(await desk.update(Profile(id=profile.id, name=f"N{n}"), "name")).etag for n in range(450)]
    assert [seen.etag for seen in await watcher.changes(451)] == [profile.etag, *etags]
    again = await watch(desk.almoner, desk.chief.by, watcher.cursor)
    await desk.delete(profile.id)
    assert [seen.kind for seen in await again.changes(1)] == [DELETED]


async def test_profiles_that_go_with_their_owner_or_application_are_told(desk: Desk) -> None:
    user, application = await desk.user(), await desk.application()
    of_user = await desk.create(own(), by=user.by)
    of_application = await desk.create(Profile(name="A", application_number=application.number))
    watcher = await watch(desk.almoner, desk.chief.by)
    await desk.almoner.directory.DeleteUser(
        directory_service_pb2.DeleteUserRequest(id=user.id, cascade=True), metadata=desk.chief.by
    )
    stub: Any = application_service_pb2_grpc.ApplicationServiceStub(desk.almoner.channel)
    await stub.DeleteApplication(
        application_service_pb2.DeleteApplicationRequest(number=application.number, cascade=True),
        metadata=desk.chief.by,
    )
    assert await watcher.changes(2) == [
        Seen(of_user.id, DELETED, of_user.etag),
        Seen(of_application.id, DELETED, of_application.etag),
    ]


# Who sees what.


async def test_without_profiles_all_one_sees_ones_own(desk: Desk) -> None:
    mine, theirs = await desk.user(), await desk.user()
    watcher = await watch(desk.almoner, mine.by)
    await desk.create(own(), by=theirs.by)
    await desk.create(own())
    profile = await desk.create(own(), by=mine.by)
    assert (await watcher.change()).profile_id == profile.id


async def test_and_what_one_has_created_for_others(desk: Desk) -> None:
    actor = await desk.person(P.ON_BEHALF_OF, P.PROFILES_CREATE, P.PROFILES_LIST)
    subject = await desk.user()
    watcher = await watch(desk.almoner, actor.by)
    profile = await desk.create(own(), by=actor.acting_for(subject))
    assert (await watcher.change()).profile_id == profile.id


async def test_another_organization_is_not_seen(desk: Desk) -> None:
    other = await open_desk(desk.almoner)
    watcher = await watch(desk.almoner, desk.chief.by)
    everything = await watch(desk.almoner, desk.almoner.as_admin_token, organization_id="-")
    theirs = await watch(desk.almoner, desk.almoner.as_admin_token, organization_id=other.organization.id)
    hidden = await other.create(own())
    profile = await desk.create(own())
    assert (await watcher.change()).profile_id == profile.id
    assert [seen.profile_id for seen in await everything.changes(2)] == [hidden.id, profile.id]
    assert (await theirs.change()).profile_id == hidden.id


async def test_everything_one_may_see_can_be_watched_at_once(desk: Desk) -> None:
    watcher = await watch(desk.almoner, desk.chief.by, organization_id="-")
    await (await open_desk(desk.almoner)).create(own())
    profile = await desk.create(own())
    change = await watcher.change()
    assert (change.profile_id, change.organization_id) == (profile.id, desk.organization.id)


async def test_an_organization_that_one_does_not_see_is_not_found(desk: Desk) -> None:
    other = await open_desk(desk.almoner)
    for organization_id in (other.organization.id, "00000000-0000-0000-0000-000000000001"):
        refusal = await refused(desk, organization_id=organization_id)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "ORGANIZATION_NOT_FOUND")


async def test_it_takes_the_permission_to_list(desk: Desk) -> None:
    stranger = await desk.person(P.PROFILES_GET)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await watch(desk.almoner, stranger.by)
    assert read_refusal(raised.value).metadata == {"permission": "PROFILES_LIST"}


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets watchers be looked at so often that nobody has to wait for it."""
    monkeypatch.setattr(rpc, "LOOK", 0.05)


@pytest.mark.usefixtures("_soon")
async def test_a_stream_ends_when_the_credentials_do(desk_over: Desk) -> None:
    desk = desk_over
    user = await desk.user()
    watcher = await watch(desk.almoner, user.by)
    await desk.almoner.directory.UpdateUser(
        directory_service_pb2.UpdateUserRequest(user=directory_pb2.User(id=user.id, disabled=True)),
        metadata=desk.chief.by,
    )
    refusal = await ended(watcher)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID")


@pytest.mark.usefixtures("_soon")
async def test_a_stream_ends_when_the_permission_does(desk: Desk) -> None:
    user = await desk.person(P.PROFILES_LIST, P.PROFILES_CREATE)
    watcher = await watch(desk.almoner, user.by)
    kept = directory_pb2.User(id=user.id, permissions=[directory_pb2.PERMISSION_PROFILES_CREATE])
    await desk.almoner.directory.UpdateUser(directory_service_pb2.UpdateUserRequest(user=kept), metadata=desk.chief.by)
    assert (await ended(watcher)).code == grpc.StatusCode.PERMISSION_DENIED


async def test_nothing_more_is_told_to_one_whose_right_has_ended(desk: Desk) -> None:
    """However seldom watchers are looked at."""
    user = await desk.user()
    watcher = await watch(desk.almoner, user.by)
    await desk.almoner.directory.UpdateUser(
        directory_service_pb2.UpdateUserRequest(user=directory_pb2.User(id=user.id, locked=True)),
        metadata=desk.chief.by,
    )
    await desk.create(own())
    assert (await ended(watcher)).code == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.usefixtures("_soon")
async def test_nor_to_one_who_reads_slowly_what_was_read_for_them_before(desk: Desk) -> None:
    user = await desk.user()
    watcher = await watch(desk.almoner, user.by)
    for _ in range(20):
        await desk.create(own(), by=user.by)
    await watcher.change()
    await desk.almoner.directory.UpdateUser(
        directory_service_pb2.UpdateUserRequest(user=directory_pb2.User(id=user.id, locked=True)),
        metadata=desk.chief.by,
    )
    await asyncio.sleep(0.1)
    told = 0
    with pytest.raises(grpc.aio.AioRpcError) as raised:  # noqa: PT012 - until it ends
        while True:
            await watcher.change()
            told += 1
    assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert told <= 2


# Streams that have nothing to say, and those that end.


async def test_a_stream_with_nothing_to_say_shows_that_it_lives(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "HEARTBEAT", 0.05)
    user = await desk.user()
    watcher = await watch(desk.almoner, user.by)
    before = watcher.cursor
    unseen = await desk.create(own())
    for _ in range(3):
        assert not (await watcher.message()).HasField("change")
    assert watcher.cursor != before
    watcher.call.cancel()
    # Who may see it now does not get it from there: that cursor is after it.
    chiefs = await watch(desk.almoner, desk.chief.by, watcher.cursor)
    await desk.delete(unseen.id)
    assert (await chiefs.change()).kind == DELETED


async def test_a_server_that_stops_sends_its_watchers_away(sqlite_template: SqliteTemplate, tmp_path: Path) -> None:
    async with running(sqlite_template, tmp_path, over_grpc=True) as almoner:
        server = almoner.service.grpc_server()
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            there = type(almoner)(almoner.service, channel, almoner.settings)
            watcher = await watch(there, almoner.as_admin_token)
            end = asyncio.create_task(ended(watcher))
            await asyncio.sleep(0)
            started = time.monotonic()
            almoner.service.end_streams()
            await server.stop(30)
            assert time.monotonic() - started < 5
            refusal = await end
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_STOPPING")
        late = await watch(almoner, almoner.as_admin_token)
        assert (await ended(late)).reason == "SERVER_STOPPING"


@pytest.mark.parametrize("cursor", ["x", "AAAA", "ü", "a" * 100, "===="])
async def test_what_is_no_cursor_is_refused(desk: Desk, cursor: str) -> None:
    refusal = await refused(desk, cursor=cursor)
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ["cursor"])
