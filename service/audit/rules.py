# SPDX-License-Identifier: Apache-2.0
"""Recording events, and the chain over them.

An event is written in the transaction of what it tells of. The chain is made afterwards, over committed events in
batches, so that it never makes writers wait for each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from sqlalchemy import bindparam, func, insert, select, update

from service.audit.tables import AuditEventRow, AuditSealRow
from service.storage.statements import many, one, run
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.crypto.keyring import Keyring
    from service.storage.store import Tx
    from service.work import Work

CHAIN_DIGEST = "audit-chain"
EVENTS_IN_A_SEAL = 256

_EVENTS = table_of(AuditEventRow)
_SEALS = table_of(AuditSealRow)
_RECORD = insert(_EVENTS).inline()
_UNSEALED = select(_EVENTS).where(_EVENTS.c.seal == 0).order_by(_EVENTS.c.id).limit(bindparam("most"))
_COUNT_UNSEALED = select(func.count()).select_from(_EVENTS).where(_EVENTS.c.seal == 0)
_COUNT = select(func.count()).select_from(_EVENTS)
_COVER = (
    update(_EVENTS).where(_EVENTS.c.seal == 0, _EVENTS.c.id <= bindparam("last")).values(seal=bindparam("position"))
)
_LAST_SEAL = select(_SEALS).order_by(_SEALS.c.position.desc()).limit(1)
_SEAL_EVENTS = insert(_SEALS).inline()
_SEALS_AFTER = select(_SEALS).where(_SEALS.c.position > bindparam("after")).order_by(_SEALS.c.position).limit(100)
_COVERED = select(_EVENTS).where(_EVENTS.c.seal == bindparam("position")).order_by(_EVENTS.c.id)
_encode = msgspec.json.Encoder().encode


def record(
    work: Work, action: str, resource: str, organization: int, changes: Mapping[str, object] | None = None
) -> None:
    """Writes down that the caller of `work` does something, in the same transaction.

    Args:
        work: The unit of work that does it.
        action: What is done, `profile.update`.
        resource: To what, `profiles/33`.
        organization: Number of the organization that the resource belongs to.
        changes: Members and what became of them: `[before, after]`, or a word for a secret. Never a secret.
    """
    caller = work.caller
    actor = caller.actor or caller
    on_behalf = caller.actor is not None
    run(
        work.tx,
        _RECORD,
        {
            "time": work.now,
            "organization": organization,
            "actor_id": actor.user_id,
            "actor": actor.username,
            "subject_id": caller.user_id if on_behalf else 0,
            "subject": caller.username if on_behalf else "",
            "action": action,
            "resource": resource,
            "changes": _encode(changes).decode() if changes else "{}",
            "request_id": work.request_id,
            "seal": 0,
        },
    )


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, object]:
    """Returns `{member: [before, after]}` for every member that differs."""
    return {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}


def stated(values: Mapping[str, object]) -> dict[str, object]:
    """Returns `{member: [None, value]}` for every member that is stated of something new: what is empty is not."""
    return differences({}, {name: value for name, value in values.items() if value or value is False})


def secret_change(before: str | bytes | None, after: str | bytes | None) -> str:
    """Returns the word for what became of a secret, of which nothing else may be recorded."""
    if not after:
        return "cleared"
    return "replaced" if before else "set"


def has_unsealed(tx: Tx) -> bool:
    """Whether there are events that the chain does not cover yet."""
    return tx.execute(_UNSEALED, {"most": 1}).first() is not None


def seal_some(tx: Tx, keyring: Keyring, now: int) -> int:
    """Covers the oldest events that have no seal with a new link of the chain.

    Returns:
        How many events were covered; fewer than EVENTS_IN_A_SEAL: there are no more.
    """
    events = many(tx, AuditEventRow, _UNSEALED, {"most": EVENTS_IN_A_SEAL})
    if not events:
        return 0
    last = one(tx, AuditSealRow, _LAST_SEAL, {})
    position = last.position + 1 if last else 1
    digest = _link(keyring, last.digest if last else b"", events)
    run(tx, _SEAL_EVENTS, {"position": position, "time": now, "events": len(events), "digest": digest})
    run(tx, _COVER, {"position": position, "last": events[-1].id})
    return len(events)


class Verification(NamedTuple):
    """What a look at the whole chain found.

    Attributes:
        events: Events that a seal covers and that are what they were.
        unsealed: Events that are not covered yet.
        broken_at: Position of the first seal that does not fit, None where all do.
    """

    events: int
    unsealed: int
    broken_at: int | None


def verify(tx: Tx, keyring: Keyring) -> Verification:
    """Follows the chain from its start. Events changed, removed, added or reordered below a seal break it there."""
    checked, position, digest = 0, 0, b""
    while seals := many(tx, AuditSealRow, _SEALS_AFTER, {"after": position}):
        for seal in seals:
            events = many(tx, AuditEventRow, _COVERED, {"position": seal.position})
            digest = _link(keyring, digest, events)
            if seal.position != position + 1 or len(events) != seal.events or digest != seal.digest:
                return Verification(checked, _count_unsealed(tx), position + 1)
            position = seal.position
            checked += len(events)
    unsealed = _count_unsealed(tx)
    # An event that claims a seal which does not exist was put there by hand.
    everything = tx.execute(_COUNT).scalar_one()
    return Verification(checked, unsealed, None if everything == checked + unsealed else position + 1)


def _count_unsealed(tx: Tx) -> int:
    return int(tx.execute(_COUNT_UNSEALED).scalar_one())


def _link(keyring: Keyring, before: bytes, events: list[AuditEventRow]) -> bytes:
    return keyring.digest(CHAIN_DIGEST, before + _encode([_content(event) for event in events]))


def _content(event: AuditEventRow) -> list[Any]:
    return [
        event.id,
        event.time,
        event.organization,
        event.actor_id,
        event.actor,
        event.subject_id,
        event.subject,
        event.action,
        event.resource,
        event.changes,
        event.request_id,
    ]
