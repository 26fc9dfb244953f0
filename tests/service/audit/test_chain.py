# SPDX-License-Identifier: Apache-2.0
"""How events get their seals."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from service.audit.rules import EVENTS_IN_A_SEAL, Verification, seal_some
from service.server import open_service
from tests.service.audit.trail import Trail

if TYPE_CHECKING:
    from pathlib import Path

    from service.storage.store import Tx
    from tests.databases import PostgresTemplate


async def test_a_seal_covers_all_that_was_committed(trail: Trail) -> None:
    await trail.record(2)
    assert await trail.verify() == Verification(0, 3, None)
    await trail.seal()
    await trail.record(2)
    assert await trail.verify() == Verification(3, 2, None)
    assert await trail.scalars("SELECT events FROM audit_seals") == [3]


async def test_sealing_nothing_makes_no_seal(sealed: Trail) -> None:
    await sealed.seal()
    assert await sealed.scalars("SELECT position FROM audit_seals ORDER BY position") == [1, 2, 3]


@pytest.mark.parametrize(
    ("events", "seals"),
    [
        (EVENTS_IN_A_SEAL - 1, [EVENTS_IN_A_SEAL]),
        (EVENTS_IN_A_SEAL, [EVENTS_IN_A_SEAL, 1]),
        (2 * EVENTS_IN_A_SEAL + 9, [EVENTS_IN_A_SEAL, EVENTS_IN_A_SEAL, 10]),
    ],
)
async def test_many_events_take_several_seals(trail: Trail, events: int, seals: list[int]) -> None:
    await trail.record_at_once(events)
    await trail.seal()
    assert await trail.scalars("SELECT events FROM audit_seals ORDER BY position") == seals
    assert await trail.verify() == Verification(events + 1, 0, None)


async def test_a_chain_of_many_seals_is_followed_to_its_end(trail: Trail) -> None:
    for _ in range(105):
        await trail.record()
        await trail.seal()
    assert await trail.verify() == Verification(106, 0, None)
    assert await trail.what_if("UPDATE audit_events SET actor = 'x' WHERE seal = 103") == Verification(103, 0, 103)


async def test_a_broken_chain_goes_on_to_be_sealed(sealed: Trail) -> None:
    def seal(tx: Tx) -> None:
        assert seal_some(tx, sealed.service.keyring, 1) == 1

    found = await sealed.what_if(
        "DELETE FROM audit_events WHERE id = 6", "UPDATE audit_events SET seal = 0 WHERE id = 12", seal
    )
    assert found.broken_at == 2


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
        seal_some(tx, trail.service.keyring, 1)
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
            await late.execute(
                "INSERT INTO audit_events (time, organization, actor_id, actor, subject_id, subject, action, resource,"
                " changes, request_id, seal) SELECT time, organization, actor_id, actor, subject_id, subject, action,"
                " resource, changes, request_id, 0 FROM audit_events"
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
