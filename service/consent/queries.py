# SPDX-License-Identifier: Apache-2.0
"""Every statement over authorizations that wait for their answer, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select

from service.consent.tables import AuthorizationRow
from service.storage.statements import one, run
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.storage.store import Tx

_AUTHORIZATIONS = table_of(AuthorizationRow)
_ADD = insert(_AUTHORIZATIONS).inline()
_FIND = select(_AUTHORIZATIONS).where(_AUTHORIZATIONS.c.state_digest == bindparam("state_digest"))
_REMOVE = delete(_AUTHORIZATIONS).where(_AUTHORIZATIONS.c.state_digest == bindparam("state_digest"))
_DROP_EXPIRED = delete(_AUTHORIZATIONS).where(_AUTHORIZATIONS.c.expires <= bindparam("now"))


def add(tx: Tx, values: Mapping[str, object]) -> None:
    """Writes down an authorization that has begun."""
    run(tx, _ADD, values)


def find(tx: Tx, state_digest: str) -> AuthorizationRow | None:
    """Returns the authorization of a state."""
    return one(tx, AuthorizationRow, _FIND, {"state_digest": state_digest})


def remove(tx: Tx, state_digest: str) -> None:
    """Ends an authorization."""
    run(tx, _REMOVE, {"state_digest": state_digest})


def drop_expired(tx: Tx, now: int) -> None:
    """Ends the authorizations whose answer has not come in time."""
    run(tx, _DROP_EXPIRED, {"now": now})
