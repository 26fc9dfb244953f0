# SPDX-License-Identifier: Apache-2.0
"""Every statement over revocations, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select, update

from service.consent.tables import RevocationRow
from service.profiles.tables import ProfileRow
from service.storage.statements import many, one, run
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.storage.store import Tx


class StoredTokens:
    """The sealed tokens of a profile."""

    access_token: bytes | None
    refresh_token: bytes | None


_PROFILES = table_of(ProfileRow)
_REVOCATIONS = table_of(RevocationRow)
_TOKENS = select(_PROFILES.c.access_token, _PROFILES.c.refresh_token).where(_PROFILES.c.id == bindparam("profile_id"))
_ADD = insert(_REVOCATIONS).inline()
_FIND = select(_REVOCATIONS).where(_REVOCATIONS.c.id == bindparam("revocation_id"))
_DUE = (
    select(_REVOCATIONS.c.id)
    .where(_REVOCATIONS.c.next_try <= bindparam("now"))
    .order_by(_REVOCATIONS.c.next_try)
    .limit(bindparam("most"))
)
_CHANGE = update(_REVOCATIONS).where(_REVOCATIONS.c.id == bindparam("revocation_id"))
_REMOVE = delete(_REVOCATIONS).where(_REVOCATIONS.c.id == bindparam("revocation_id"))


def tokens_of(tx: Tx, profile_id: int) -> StoredTokens | None:
    """Returns the tokens of a profile."""
    return one(tx, StoredTokens, _TOKENS, {"profile_id": profile_id})


def add(tx: Tx, values: Mapping[str, object]) -> None:
    """Writes down what is to be revoked."""
    run(tx, _ADD, values)


def find(tx: Tx, revocation_id: str) -> RevocationRow | None:
    """Returns a revocation."""
    return one(tx, RevocationRow, _FIND, {"revocation_id": revocation_id})


def due(tx: Tx, now: int, most: int) -> list[str]:
    """Returns the ids of revocations whose next try is due, those first that have been for the longest."""
    return [row[0] for row in many(tx, tuple, _DUE, {"now": now, "most": most})]


def change(tx: Tx, revocation_id: str, values: Mapping[str, object]) -> None:
    """Writes columns of a revocation."""
    run(tx, _CHANGE, {"revocation_id": revocation_id, **values})


def remove(tx: Tx, revocation_id: str) -> bool:
    """Ends a revocation, and returns whether it was still there."""
    return run(tx, _REMOVE, {"revocation_id": revocation_id}) == 1
