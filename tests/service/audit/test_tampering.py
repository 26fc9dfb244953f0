# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: S608 - the statements are put together from parts that stand here
"""Whoever can write to the database, but has no key, changes nothing below a seal without being found out.

What no chain can show by itself: events that have no seal yet, and the end of the chain cut off with its events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.audit.rules import Verification, seal_some
from service.clock import system_clock
from service.crypto.keyring import Keyring

if TYPE_CHECKING:
    from pathlib import Path

    from service.storage.store import Tx
    from tests.service.audit.trail import Trail

_COPY = (
    "INSERT INTO audit_events (time, organization, actor_id, actor, subject_id, subject, action, resource, changes,"
    " request_id, seal) SELECT time, organization, actor_id, actor, subject_id, subject, action, resource, changes,"
    " request_id, {seal} FROM audit_events WHERE id = 7"
)

CHANGED_EVENT = {
    "its id": "id = 700",
    "its time": "time = time + 1",
    "its organization": "organization = 2",
    "the id of its actor": "actor_id = 7",
    "the name of its actor": "actor = 'somebody else'",
    "the id of its subject": "subject_id = 7",
    "the name of its subject": "subject = 'somebody else'",
    "its action": "action = 'thing.praise'",
    "its resource": "resource = 'things/70'",
    "its changes": "changes = '{\"name\":[1,2]}'",
    "its request id": "request_id = 'another'",
    "its seal, to a later one": "seal = 3",
    "its seal, to none": "seal = 0",
    "its seal, to one that does not exist": "seal = 70",
    "its seal, to nonsense": "seal = -1",
}


async def test_a_chain_that_nobody_touched_is_whole(sealed: Trail) -> None:
    assert await sealed.what_if() == Verification(12, 0, None)


@pytest.mark.parametrize("change", CHANGED_EVENT.values(), ids=CHANGED_EVENT)
async def test_a_changed_event_breaks_the_chain(sealed: Trail, change: str) -> None:
    found = await sealed.what_if(f"UPDATE audit_events SET {change} WHERE id = 7")
    assert (found.events, found.broken_at) == (4, 2)


@pytest.mark.parametrize(("event", "seal"), [(1, 1), (4, 1), (5, 2), (8, 2), (12, 3)])
async def test_a_deleted_event_breaks_the_chain(sealed: Trail, event: int, seal: int) -> None:
    found = await sealed.what_if(f"DELETE FROM audit_events WHERE id = {event}")
    assert found == Verification(4 * (seal - 1), 0, seal)


@pytest.mark.parametrize(("seal", "broken_at"), [(1, 1), (2, 2), (3, 3), (4, 4), (70, 4), (-1, 4)])
async def test_an_inserted_event_breaks_the_chain(sealed: Trail, seal: int, broken_at: int) -> None:
    assert (await sealed.what_if(_COPY.format(seal=seal))).broken_at == broken_at


@pytest.mark.parametrize(("one", "other", "broken_at"), [(5, 6, 2), (1, 12, 1), (8, 9, 2)])
async def test_events_in_another_order_break_the_chain(sealed: Trail, one: int, other: int, broken_at: int) -> None:
    found = await sealed.what_if(
        f"UPDATE audit_events SET id = 700 WHERE id = {one}",
        f"UPDATE audit_events SET id = {one} WHERE id = {other}",
        f"UPDATE audit_events SET id = {other} WHERE id = 700",
    )
    assert found.broken_at == broken_at


async def test_seals_in_another_order_break_the_chain(sealed: Trail) -> None:
    found = await sealed.what_if(
        *(
            f"UPDATE {table} SET {column} = {then} WHERE {column} = {now}"
            for table, column in (("audit_seals", "position"), ("audit_events", "seal"))
            for now, then in ((1, 70), (2, 1), (70, 2))
        )
    )
    assert found.broken_at == 1


REMOVED_SEALS = {
    "the first": (["DELETE FROM audit_seals WHERE position = 1"], 1),
    "one between": (["DELETE FROM audit_seals WHERE position = 2"], 2),
    "one between, and its events": (
        ["DELETE FROM audit_seals WHERE position = 2", "DELETE FROM audit_events WHERE seal = 2"],
        2,
    ),
    "one between, and the rest moved up": (
        [
            "DELETE FROM audit_seals WHERE position = 2",
            "DELETE FROM audit_events WHERE seal = 2",
            "UPDATE audit_seals SET position = 2 WHERE position = 3",
            "UPDATE audit_events SET seal = 2 WHERE seal = 3",
        ],
        2,
    ),
    "the last": (["DELETE FROM audit_seals WHERE position = 3"], 3),
    "all": (["DELETE FROM audit_seals"], 1),
}


@pytest.mark.parametrize(("statements", "broken_at"), REMOVED_SEALS.values(), ids=REMOVED_SEALS)
async def test_a_removed_seal_breaks_the_chain(sealed: Trail, statements: list[str], broken_at: int) -> None:
    assert (await sealed.what_if(*statements)).broken_at == broken_at


CHANGED_SEALS = {
    "its digest": (
        "UPDATE audit_seals SET digest = (SELECT digest FROM audit_seals WHERE position = 1) WHERE position = 2",
        2,
    ),
    "how many events it covers": ("UPDATE audit_seals SET events = 3 WHERE position = 2", 2),
    "its position": ("UPDATE audit_seals SET position = 4 WHERE position = 3", 3),
}


@pytest.mark.parametrize(("statement", "broken_at"), CHANGED_SEALS.values(), ids=CHANGED_SEALS)
async def test_a_changed_seal_breaks_the_chain(sealed: Trail, statement: str, broken_at: int) -> None:
    assert (await sealed.what_if(statement)).broken_at == broken_at


async def test_without_the_key_a_changed_event_cannot_be_sealed_again(sealed: Trail, tmp_path: Path) -> None:
    stranger = Keyring.open_or_create(tmp_path / "keyring.json", system_clock)

    def seal_again(tx: Tx) -> None:
        assert seal_some(tx, stranger, 1) == 4

    found = await sealed.what_if(
        "UPDATE audit_events SET actor = 'somebody else' WHERE id = 12",
        "DELETE FROM audit_seals WHERE position = 3",
        "UPDATE audit_events SET seal = 0 WHERE seal = 3",
        seal_again,
    )
    assert found == Verification(8, 0, 3)
