# SPDX-License-Identifier: Apache-2.0
"""Every statement over the tokens of grants, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlalchemy import and_, bindparam, insert, not_, or_, select, update

from service.applications.tables import ApplicationRow
from service.directory.tables import OrganizationRow, UserRow
from service.grants.grant_queries import StoredGrant
from service.grants.tables import GrantRow, UsedRefreshTokenRow
from service.storage.statements import one, run, scalar
from service.storage.tables import constant, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.storage.store import Tx


class StoredToken(StoredGrant):
    """A grant as it is read for its tokens: also the digest of its access token, and whether it was revoked."""

    access_token: bytes
    access_token_lifetime: int
    revoked: int


_GRANTS = table_of(GrantRow)
_USED = table_of(UsedRefreshTokenRow)
_APPLICATIONS = table_of(ApplicationRow)
_USERS = table_of(UserRow)
_ORGANIZATIONS = table_of(OrganizationRow)

_WHOLE = (
    select(
        *(column for column in _GRANTS.c if column.name != "refresh_token"),
        _APPLICATIONS.c.id.label("application_id"),
        _APPLICATIONS.c.organization,
        _USERS.c.username,
        _USERS.c.organization.label("user_organization"),
    )
    .join(_APPLICATIONS, _APPLICATIONS.c.number == _GRANTS.c.application_number)
    .join(_USERS, _USERS.c.id == _GRANTS.c.user_id)
)
_ACTIVE = _WHOLE.join(_ORGANIZATIONS, _ORGANIZATIONS.c.number == _USERS.c.organization).where(
    _GRANTS.c.revoked == constant(0),
    _GRANTS.c.access_token_expires > bindparam("now"),
    not_(_USERS.c.disabled),
    not_(_USERS.c.locked),
    not_(_ORGANIZATIONS.c.disabled),
)
_FIND_ACTIVE = _ACTIVE.where(_GRANTS.c.access_token == bindparam("access_token"))
_FIND_MANY_ACTIVE = _ACTIVE.where(_GRANTS.c.access_token.in_(bindparam("access_tokens", expanding=True)))
_FIND = _WHOLE.where(_GRANTS.c.id == bindparam("id"))
_FIND_BY_REFRESH_TOKEN = _WHOLE.where(_GRANTS.c.refresh_token == bindparam("refresh_token"))
_FIND_BY_USED = _WHOLE.join(_USED, _USED.c.grant_id == _GRANTS.c.id).where(_USED.c.digest == bindparam("digest"))
_FIND_LIVE = _WHOLE.where(
    _GRANTS.c.revoked == constant(0),
    or_(
        and_(_GRANTS.c.access_token == bindparam("access_token"), _GRANTS.c.access_token_expires > bindparam("now")),
        and_(_GRANTS.c.refresh_token == bindparam("refresh_token"), _GRANTS.c.expires > bindparam("now")),
    ),
)
_INSERT = insert(_GRANTS).returning(_GRANTS.c.id)
_RENEW = update(_GRANTS).where(
    _GRANTS.c.id == bindparam("grant"),
    _GRANTS.c.refresh_token == bindparam("used"),
    _GRANTS.c.revoked == constant(0),
)
_REVOKE = (
    update(_GRANTS)
    .where(_GRANTS.c.id == bindparam("grant"), _GRANTS.c.revoked == constant(0))
    .values(revoked=bindparam("now"))
)
_NOTE_USED = insert(_USED).inline()


def find_active(tx: Tx, access_token: bytes, now: int) -> StoredToken | None:
    """Returns what an access token is of, if it is good for anything."""
    return one(tx, StoredToken, _FIND_ACTIVE, {"access_token": access_token, "now": now})


def find_many_active(tx: Tx, access_tokens: Sequence[bytes], now: int) -> Sequence[StoredToken]:
    """Returns what access tokens are of, as far as they are good for anything."""
    found = tx.execute(_FIND_MANY_ACTIVE, {"access_tokens": list(access_tokens), "now": now}).all()
    return cast("Sequence[StoredToken]", found)


def find(tx: Tx, grant_id: int) -> StoredToken | None:
    """Returns a grant."""
    return one(tx, StoredToken, _FIND, {"id": grant_id})


def find_by_refresh_token(tx: Tx, refresh_token: bytes) -> StoredToken | None:
    """Returns the grant whose current refresh token it is."""
    return one(tx, StoredToken, _FIND_BY_REFRESH_TOKEN, {"refresh_token": refresh_token})


def find_by_used(tx: Tx, digest: bytes) -> StoredToken | None:
    """Returns the grant whose refresh token it was before."""
    return one(tx, StoredToken, _FIND_BY_USED, {"digest": digest})


def find_live(tx: Tx, access_token: bytes, refresh_token: bytes, now: int) -> StoredToken | None:
    """Returns the grant, neither revoked nor expired, of a current token of either kind."""
    return one(tx, StoredToken, _FIND_LIVE, {"access_token": access_token, "refresh_token": refresh_token, "now": now})


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """Inserts a grant and returns its id."""
    return int(scalar(tx, _INSERT, values))


def renew(tx: Tx, grant_id: int, used: bytes, values: Mapping[str, object]) -> bool:
    """Gives a grant new tokens, if `used` is its refresh token still; returns whether it was."""
    return run(tx, _RENEW, {"grant": grant_id, "used": used, **values}) == 1


def note_used(tx: Tx, grant_id: int, digest: bytes, now: int) -> None:
    """Keeps a refresh token that was used, so that its replay is recognised."""
    run(tx, _NOTE_USED, {"digest": digest, "grant_id": grant_id, "used": now})


def revoke(tx: Tx, grant_id: int, now: int) -> bool:
    """Revokes a grant, and returns whether it was not yet."""
    return run(tx, _REVOKE, {"grant": grant_id, "now": now}) == 1
