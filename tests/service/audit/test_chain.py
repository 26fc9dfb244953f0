# SPDX-License-Identifier: Apache-2.0
"""The chain of seals: what it covers, and that whoever can write to the database cannot change what it covers."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import asyncpg
import pytest
from sqlalchemy import text

from service.audit.rules import EVENTS_IN_A_SEAL, Verification
from service.server import open_service
from tests.service.audit.trail import Trail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from service.storage.store import Tx
    from tests.databases import PostgresTemplate, Template


@pytest.fixture
async def sealed(trail: Trail) -> AsyncIterator[Trail]:
    """Three seals over twelve events, ids 1 to 12, four each."""
    for _ in range(3):
        await trail.record(4 if len(await trail.events()) > 1 else 3, f"things/{len(await trail.events())}")
        await trail.seal()
    assert await trail.verify() == Verification(12, 0, None)
    assert await trail.scalars("SELECT seal FROM audit_events ORDER BY id") == [1] * 4 + [2] * 4 + [3] * 4
    yield trail


async def test_events_are_not_sealed_at_first(trail: Trail) -> None:
    await trail.record(2)
    assert await trail.verify() == Verification(0, 3, None)


async def test_a_seal_covers_all_that_was_committed(trail: Trail) -> None:
    await trail.record(2)
    await trail.seal()
    await trail.record(2)
    assert await trail.verify() == Verification(3, 2, None)
    assert await trail.scalars("SELECT events FROM audit_seals") == [3]


async def test_sealing_nothing_makes_no_seal(sealed: Trail) -> None:
    await sealed.seal()
    assert await sealed.scalars("SELECT position FROM audit_seals ORDER BY position") == [1, 2, 3]


async def test_many_events_take_several_seals(trail: Trail) -> None:
    await trail.record_at_once(2 * EVENTS_IN_A_SEAL + 9)
    await trail.seal()
    assert await trail.scalars("SELECT events FROM audit_seals ORDER BY position") == [256, 256, 10]
    assert await trail.verify() == Verification(2 * EVENTS_IN_A_SEAL + 10, 0, None)


async def test_exactly_full_seals_leave_nothing_over(trail: Trail) -> None:
    await trail.record_at_once(EVENTS_IN_A_SEAL - 1)
    await trail.seal()
    assert await trail.scalars("SELECT events FROM audit_seals") == [EVENTS_IN_A_SEAL]


async def test_a_longer_chain_than_one_page_of_seals_verifies(trail: Trail) -> None:
    for _ in range(105):
        await trail.record()
        await trail.seal()
    assert await trail.verify() == Verification(106, 0, None)
    await trail.run("UPDATE audit_events SET actor = 'x' WHERE seal = 103")
    assert (await trail.verify()).broken_at == 103


CHANGED_EVENT = {
    "its id": "id = 700",
    "its time": "time = time + 1",
    "its organization": "organization = 2",
    "the id of its actor": "actor_id = 7",
    "the name of its actor": "actor = 'somebody else'",
    "the id of its subject": "subject_id = 7",
    "the name of its subject": "subject = 'somebody else'",
    "its action": "action = 'thing.praise'",
    "its resource": "resource = 'things/2'",
    "its changes": "changes = '{\"name\":[1,2]}'",
    "its request id": "request_id = 'another'",
    "its seal, to another": "seal = 1",
    "its seal, to none": "seal = 0",
    "its seal, to one that does not exist": "seal = 70",
    "its seal, to nonsense": "seal = -1",
}


@pytest.mark.parametrize("change", CHANGED_EVENT.values(), ids=CHANGED_EVENT)
async def test_a_changed_event_breaks_the_chain(sealed: Trail, change: str) -> None:
    assert await sealed.run(f"UPDATE audit_events SET {change} WHERE id = 7") == 1
    broken = 1 if change == "seal = 1" else 2
    assert (await sealed.verify()).broken_at == broken


@pytest.mark.parametrize(("event", "seal"), [(1, 1), (4, 1), (5, 2), (8, 2), (12, 3)])
async def test_a_deleted_event_breaks_the_chain(sealed: Trail, event: int, seal: int) -> None:
    await sealed.run("DELETE FROM audit_events WHERE id = :event", event=event)
    assert await sealed.verify() == Verification(4 * (seal - 1), 0, seal)


@pytest.mark.parametrize(("claimed", "broken"), [(1, 1), (2, 2), (3, 3), (4, 4), (70, 4), (-1, 4)])
async def test_an_inserted_event_breaks_the_chain(sealed: Trail, claimed: int, broken: int) -> None:
    await sealed.run(
        "INSERT INTO audit_events (time, organization, actor_id, actor, subject_id, subject, action, resource,"
        " changes, request_id, seal) SELECT time, organization, actor_id, actor, subject_id, subject, action, resource,"
        " changes, request_id, :seal FROM audit_events WHERE id = 7",
        seal=claimed,
    )
    assert (await sealed.verify()).broken_at == broken


@pytest.mark.parametrize(("one", "other", "broken"), [(5, 6, 2), (4, 5, 1)])
async def test_events_in_another_order_break_the_chain(sealed: Trail, one: int, other: int, broken: int) -> None:
    await sealed.run("UPDATE audit_events SET resource = 'things/' || id")
    # What was just done breaks it too: so it is sealed anew, as a server would have.
    await sealed.run("UPDATE audit_events SET seal = 0")
    await sealed.run("DELETE FROM audit_seals")
    await sealed.seal()
    assert (await sealed.verify()).broken_at is None
    await sealed.run("UPDATE audit_events SET id = 700 WHERE id = :one", one=one)
    await sealed.run("UPDATE audit_events SET id = :one WHERE id = :other", one=one, other=other)
    await sealed.run("UPDATE audit_events SET id = :other WHERE id = 700", other=other)
    assert (await sealed.verify()).broken_at == 1
    assert broken


REMOVED_SEALS = {
    "the first": ("DELETE FROM audit_seals WHERE position = 1", 1),
    "one between": ("DELETE FROM audit_seals WHERE position = 2", 2),
    "the last": ("DELETE FROM audit_seals WHERE position = 3", 4),
    "all": ("DELETE FROM audit_seals", 1),
    "one with its events": ("DELETE FROM audit_seals WHERE position = 2; DELETE FROM audit_events WHERE seal = 2", 2),
}
CHANGED_SEALS = {
    "its digest": ("UPDATE audit_seals SET digest = (SELECT digest FROM audit_seals WHERE position = 1) "
                   "WHERE position = 2", 2),
    "how many it covers": ("UPDATE audit_seals SET events = 3 WHERE position = 2", 2),
    "its position": ("UPDATE audit_seals SET position = 4 WHERE position = 3", 3),
}  # fmt: skip


@pytest.mark.parametrize(("statements", "broken"), REMOVED_SEALS.values(), ids=REMOVED_SEALS)
async def test_a_removed_seal_breaks_the_chain(sealed: Trail, statements: str, broken: int) -> None:
    for statement in statements.split("; "):
        await sealed.run(statement)
    assert (await sealed.verify()).broken_at == (broken if broken < 4 else 3)


@pytest.mark.parametrize(("statement", "broken"), CHANGED_SEALS.values(), ids=CHANGED_SEALS)
async def test_a_changed_seal_breaks_the_chain(sealed: Trail, statement: str, broken: int) -> None:
    await sealed.run(statement)
    assert (await sealed.verify()).broken_at == broken


async def test_seals_that_change_places_break_the_chain(sealed: Trail) -> None:
    for table, column in (("audit_seals", "position"), ("audit_events", "seal")):
        for now, then in ((1, 70), (2, 1), (70, 2)):
            await sealed.run(f"UPDATE {table} SET {column} = :then WHERE {column} = :now", now=now, then=then)
    assert (await sealed.verify()).broken_at == 1


async def test_a_seal_cannot_be_made_without_the_key(sealed: Trail, template: Template, tmp_path: Path) -> None:
    """Whoever has the database but not the keyring cannot change an event and seal everything again."""
    await sealed.run("UPDATE audit_events SET actor = 'somebody else', seal = 0 WHERE id = 12")
    await sealed.run("DELETE FROM audit_seals WHERE position = 3")
    await sealed.run("UPDATE audit_events SET seal = 0 WHERE seal = 3")
    stranger = open_service(sealed.service.settings.model_copy(update={"keyring_file": tmp_path / "another.json"}))
    await stranger.background.seal()
    await stranger.close()
    assert await sealed.verify() == Verification(8, 0, 3)


async def test_a_broken_chain_goes_on_to_be_sealed(sealed: Trail) -> None:
    await sealed.run("DELETE FROM audit_events WHERE id = 7")
    await sealed.record(2)
    await sealed.seal()
    assert (await sealed.verify()).broken_at == 2
    assert await sealed.scalars("SELECT max(position) FROM audit_seals") == [4]


async def test_two_sealers_at_once_keep_one_chain(trail: Trail) -> None:
    """As two workers or two replicas do, while events go on being written."""
    other = Trail(open_service(trail.service.settings))
    try:
        for _ in range(12):
            writes = [who.record(3) for who in (trail, other)]
            seals = [who.seal() for who in (trail, other, trail, other)]
            await asyncio.gather(*writes, *seals)
        await asyncio.gather(trail.seal(), other.seal())
    finally:
        await other.service.close()
    assert await trail.verify() == Verification(73, 0, None)
    positions = await trail.scalars("SELECT position FROM audit_seals ORDER BY position")
    assert positions == list(range(1, len(positions) + 1))


async def test_a_seal_is_whole_or_not_there(trail: Trail) -> None:
    await trail.record(3)

    def seal_and_fail(tx: Tx) -> None:
        trail.service.background._seal_some(tx)
        raise LookupError

    with pytest.raises(LookupError):
        await trail.service.store.write(seal_and_fail)
    assert await trail.verify() == Verification(0, 4, None)
    await trail.seal()
    assert await trail.verify() == Verification(4, 0, None)


async def test_an_event_that_is_committed_late_is_sealed_later(
    postgres_template: PostgresTemplate, tmp_path: Path
) -> None:
    """Ids are drawn before a transaction commits: the chain follows the order of commits, not that of ids."""
    async with postgres_template.copy(tmp_path) as settings:
        trail = Trail(open_service(settings))
        late = await asyncpg.connect(settings.database_url.replace("+asyncpg", ""))
        try:
            transaction = late.transaction()
            await transaction.start()
            columns = "time, organization, actor_id, actor, subject_id, subject, action, resource, changes, request_id"
            await late.execute(
                f"INSERT INTO audit_events ({columns}, seal) SELECT {columns}, 0 FROM audit_events LIMIT 1"
            )
            await trail.record(2)
            await trail.seal()
            assert await trail.verify() == Verification(3, 0, None)
            await transaction.commit()
            assert await trail.verify() == Verification(3, 1, None)
            await trail.seal()
            assert await trail.verify() == Verification(4, 0, None)
            assert await trail.scalars("SELECT seal FROM audit_events ORDER BY id") == [1, 2, 1, 1]
        finally:
            await late.close()
            await trail.service.close()
