# SPDX-License-Identifier: Apache-2.0
"""What of grants, tokens and clients' secrets is not needed any more, and its removal in small batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import bindparam, delete, exists, select

from service.applications.tables import ApplicationSecretRow
from service.clock import DAY
from service.grants.tables import DeviceAuthorizationRow, GrantRow, UsedRefreshTokenRow
from service.storage.statements import run, scalar
from service.storage.tables import constant, table_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.sql import Delete, Select

    from service.storage.store import Tx

BATCH: Final = 500
"""Rows that one write removes at the most."""

USED_TOKENS_KEPT: Final = 30 * DAY
"""How long the replay of a refresh token is recognised while its grant lives."""

SECRETS_KEPT: Final = 30 * DAY
"""How long a secret of a client application is kept after its end."""

_GRANTS = table_of(GrantRow)
_USED = table_of(UsedRefreshTokenRow)
_DEVICES = table_of(DeviceAuthorizationRow)
_SECRETS = table_of(ApplicationSecretRow)
_NEWER_SECRETS = _SECRETS.alias("newer_secrets")


class Stale(NamedTuple):
    """Rows of one table that ended before some time."""

    look: Select[int]
    drop: Delete
    before: int

    def exists(self, tx: Tx) -> bool:
        """Whether there are any."""
        return scalar(tx, self.look, {"before": self.before}) is not None

    def drop_some(self, tx: Tx) -> bool:
        """Removes BATCH of them, and returns whether there may be more."""
        return run(tx, self.drop, {"before": self.before}) == BATCH


def _statements(key: ColumnElement[int], *conditions: ColumnElement[bool]) -> tuple[Select[int], Delete]:
    """Returns what looks for one row, and what removes some; the oldest are found by the index of the condition."""
    stale = select(key).where(*conditions)
    table = key.table
    return stale.limit(constant(1)), delete(table).where(key.in_(stale.limit(constant(BATCH))))


_EXPIRED = _statements(_GRANTS.c.id, _GRANTS.c.expires < bindparam("before"))
_REVOKED = _statements(_GRANTS.c.id, _GRANTS.c.revoked > constant(0), _GRANTS.c.revoked < bindparam("before"))
_USED_LONG_AGO = _statements(_USED.c.digest, _USED.c.used < bindparam("before"))
_GONE_DEVICES = _statements(_DEVICES.c.id, _DEVICES.c.expires < bindparam("before"))
# The newest stays: a client without any secret would be a public one.
_ENDED_SECRETS = _statements(
    _SECRETS.c.id,
    _SECRETS.c.expires > constant(0),
    _SECRETS.c.expires < bindparam("before"),
    exists().where(
        _NEWER_SECRETS.c.application_number == _SECRETS.c.application_number, _NEWER_SECRETS.c.id > _SECRETS.c.id
    ),
)


def stale_at(now: int, keep_grants: int) -> tuple[Stale, ...]:
    """Returns all that can go.

    Args:
        now: The time.
        keep_grants: Microseconds for which a grant is kept after it has expired or was revoked.
    """
    return (
        Stale(*_EXPIRED, now - keep_grants),
        Stale(*_REVOKED, now - keep_grants),
        Stale(*_USED_LONG_AGO, now - USED_TOKENS_KEPT),
        Stale(*_GONE_DEVICES, now),
        Stale(*_ENDED_SECRETS, now - SECRETS_KEPT),
    )
