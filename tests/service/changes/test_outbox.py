# SPDX-License-Identifier: Apache-2.0
"""The outbox: what is committed gets its place in line, gapless, in order for each profile, and is kept for a while."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from sqlalchemy import select, update

from service.changes import rules
from service.changes.rules import Change
from service.changes.tables import ChangeKind, ProfileChangeRow
from service.clock import HOUR, SECOND
from service.errors import CursorExpired
from service.storage.tables import table_of
from tests.refusals import read_refusal
from tests.running import running, running_on
from tests.service.changes.watching import watch
from tests.service.grants.tokens.counter import Time
from tests.service.profiles.desk import Profile, open_desk, own

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from service.storage.store import Tx
    from tests.databases import PostgresTemplate, Template
    from tests.running import Almoner
    from tests.service.profiles.desk import Desk

CHANGES = table_of(ProfileChangeRow)


async def rows(almoner: Almoner) -> Sequence[Any]:
    """Returns all that is in the outbox, in order."""
    statement = select(CHANGES).order_by(CHANGES.c.position, CHANGES.c.id)
    return await almoner.service.store.read(lambda tx: list(tx.execute(statement)))


def change(profile_id: int, revision: int = 1) -> Change:
    return Change(profile_id, 1, 1, 1, ChangeKind.UPDATED, 1, revision)


async def placed(almoner: Almoner) -> None:
    while await almoner.service.store.write(rules.place_some):
        pass


async def test_positions_are_counted_from_one_without_gaps(almoner: Almoner) -> None:
    def write(tx: Tx) -> None:
        for number in range(1_200):
            rules.record(tx, change(number), SECOND)

    await almoner.service.store.write(write)
    await placed(almoner)
    await almoner.service.store.write(lambda tx: rules.record(tx, change(7), SECOND))
    await placed(almoner)
    found = await rows(almoner)
    assert [row.position for row in found] == list(range(1, 1_202))
    assert [row.profile_id for row in found] == [*range(1_200), 7]


async def test_a_change_of_a_write_that_fails_is_none(almoner: Almoner) -> None:
    def fail(tx: Tx) -> None:
        rules.record(tx, change(7), SECOND)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the test's own
        await almoner.service.store.write(fail)
    assert not await almoner.service.store.read(rules.has_unplaced)


async def test_what_commits_late_comes_later_and_not_never(postgres_template: PostgresTemplate, tmp_path: Path) -> None:
    """The one whose id is lower commits last."""
    async with running(postgres_template, tmp_path) as almoner:
        first, second = asyncio.Event(), asyncio.Event()
        engine: Any = almoner.service.store._engine  # type: ignore[attr-defined]

        async def slow() -> None:
            async with engine.begin() as connection:
                await connection.run_sync(lambda tx: rules.record(tx, change(1), SECOND))
                first.set()
                await second.wait()

        task = asyncio.create_task(slow())
        await first.wait()
        await almoner.service.store.write(lambda tx: rules.record(tx, change(2), SECOND))
        await placed(almoner)
        assert [row.position for row in await rows(almoner)] == [1]
        second.set()
        await task
        await placed(almoner)
        assert [(row.profile_id, row.position) for row in await rows(almoner)] == [(2, 1), (1, 2)]


async def test_concurrent_writers_of_several_processes_leave_no_gap_and_keep_each_profiles_order(
    template: Template, tmp_path: Path
) -> None:
    """While everybody gives positions."""
    async with running(template, tmp_path) as one, running_on(one.settings) as other:
        desk = await open_desk(one)
        profiles = [await desk.create(own()) for _ in range(4)]
        await one.service.feed.catch_up()
        watchers = [await watch(almoner, desk.chief.by) for almoner in (one, other)]

        async def keep_writing(almoner: Almoner, profile: Profile, name: str) -> None:
            there = type(desk)(almoner, desk.organization, desk.chief)
            for number in range(10):
                await there.update(Profile(id=profile.id, name=f"{name}{number}"), "name")

        await asyncio.gather(
            *(
                keep_writing(almoner, profile, name)
                for almoner, name in ((one, "a"), (other, "b"))
                for profile in profiles
            )
        )
        seen = [await watcher.changes(80) for watcher in watchers]
        assert seen[0] == seen[1]
        for profile in profiles:
            etags = [int(each.etag.strip('"')) for each in seen[0] if each.profile_id == profile.id]
            assert etags == list(range(2, 22))
        assert [row.position for row in await rows(one)] == list(range(1, 85))


# How long it is kept.


async def test_changes_are_kept_for_so_many_hours(template: Template, tmp_path: Path) -> None:
    clock = Time()
    async with running(template, tmp_path, clock=clock, change_retention=2) as almoner:
        desk = await open_desk(almoner)
        await desk.create(own())
        clock.now += HOUR
        kept = [await desk.create(own()) for _ in range(2)]
        await placed(almoner)
        clock.now += HOUR + SECOND
        await almoner.service.background._tidy_changes()
        assert [row.profile_id for row in await rows(almoner)] == [profile.id for profile in kept]
        clock.now += 100 * HOUR
        await almoner.service.background._tidy_changes()
        assert [row.profile_id for row in await rows(almoner)] == [kept[-1].id]
        await desk.create(own())
        await placed(almoner)
        assert [row.position for row in await rows(almoner)] == [3, 4]


async def test_what_has_no_position_yet_is_kept(almoner: Almoner) -> None:
    await almoner.service.store.write(lambda tx: rules.record(tx, change(7), SECOND))
    assert not await almoner.service.store.write(lambda tx: rules.drop_some(tx, 2 * SECOND))
    assert len(await rows(almoner)) == 1


async def test_clocks_that_differ_make_no_gap(almoner: Almoner) -> None:
    def write(tx: Tx) -> None:
        for time in (1, 5, 2, 9):
            rules.record(tx, change(7), time * SECOND)

    await almoner.service.store.write(write)
    await placed(almoner)
    assert not await almoner.service.store.write(lambda tx: rules.drop_some(tx, 3 * SECOND))
    positions = [row.position for row in await rows(almoner)]
    assert all(later == earlier + 1 for earlier, later in pairwise(positions))
    assert positions == [2, 3, 4]


async def _refused(desk: Desk, cursor: str) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await watch(desk.almoner, desk.chief.by, cursor)
    refusal = read_refusal(raised.value)
    return refusal.code, refusal.reason


EXPIRED = (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED")


async def test_a_cursor_from_before_what_is_kept_is_refused(desk: Desk) -> None:
    at_the_start = await watch(desk.almoner, desk.chief.by)
    for _ in range(3):
        await desk.create(own())
    watcher = await watch(desk.almoner, desk.chief.by, at_the_start.cursor)
    await watcher.changes(1)
    early = watcher.cursor
    await watcher.changes(2)
    late = watcher.cursor
    await desk.almoner.service.store.write(lambda tx: rules.drop_some(tx, 2**60))
    for cursor in (at_the_start.cursor, early):
        assert await _refused(desk, cursor) == EXPIRED
    again = await watch(desk.almoner, desk.chief.by, late)
    profile = await desk.create(own())
    assert (await again.change()).profile_id == profile.id


async def test_a_watcher_who_is_too_slow_is_told_so(desk: Desk) -> None:
    """Rather than left without what it has missed."""
    place = await desk.almoner.service.store.read(rules.newest)
    for _ in range(3):
        await desk.create(own())
    await placed(desk.almoner)
    await desk.almoner.service.store.write(lambda tx: rules.drop_some(tx, 2**60))
    with pytest.raises(CursorExpired):
        await desk.almoner.service.store.read(lambda tx: rules._require_kept(tx, place))


async def test_a_cursor_of_another_past_is_refused(desk: Desk) -> None:
    """A database that was restored gives the same positions to other changes."""
    await desk.create(own())
    watcher = await watch(desk.almoner, desk.chief.by)
    await desk.almoner.service.store.write(
        lambda tx: tx.execute(update(CHANGES).values(time=CHANGES.c.time + 1)).rowcount
    )
    assert await _refused(desk, watcher.cursor) == EXPIRED
    await desk.almoner.service.store.write(
        lambda tx: tx.execute(update(CHANGES).values(position=CHANGES.c.position + 10)).rowcount
    )
    assert await _refused(desk, watcher.cursor) == EXPIRED
