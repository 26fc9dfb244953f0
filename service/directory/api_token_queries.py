# SPDX-License-Identifier: Apache-2.0
"""Every statement over API tokens but the look-up of authentication, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from sqlalchemy import bindparam, delete, insert, or_, select

from service.directory.tables import ApiTokenRow, UserRow
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.storage.store import Tx


class StoredApiToken(Protocol):
    """An API token as it is read: its row without the digest, and the organization of its user."""

    id: int
    user_id: int
    organization: int
    name: str
    expires: int
    created: int


_TOKENS = table_of(ApiTokenRow)
_USERS = table_of(UserRow)

_WHOLE = select(
    _TOKENS.c.id, _TOKENS.c.user_id, _USERS.c.organization, _TOKENS.c.name, _TOKENS.c.expires, _TOKENS.c.created
).outerjoin(_USERS, _USERS.c.id == _TOKENS.c.user_id)
_FIND = _WHOLE.where(_TOKENS.c.id == bindparam("id"))
_INSERT = insert(_TOKENS).returning(_TOKENS.c.id)
_DELETE = delete(_TOKENS).where(_TOKENS.c.id == bindparam("id"))

_OWN = _TOKENS.c.user_id == bindparam("caller")

API_TOKENS: Listing[StoredApiToken] = Listing(
    "api_tokens",
    _WHOLE,
    fields={
        "id": Field(_TOKENS.c.id, Kind.INTEGER),
        "user_id": Field(_TOKENS.c.user_id, Kind.INTEGER),
        "name": Field(_TOKENS.c.name, Kind.TEXT),
        "create_time": Field(_TOKENS.c.created, Kind.TIMESTAMP),
    },
    orderable=("id", "name", "create_time"),
    key="id",
    scopes={
        "organization": _USERS.c.organization == bindparam("organization"),
        "own": _OWN,
        "visible": or_(_USERS.c.organization.in_(bindparam("organizations", expanding=True)), _OWN),
    },
)


def find(tx: Tx, token_id: int) -> StoredApiToken | None:
    """Returns an API token."""
    return cast("StoredApiToken | None", tx.execute(_FIND, {"id": token_id}).one_or_none())


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """Inserts an API token and returns its id."""
    return int(tx.execute(_INSERT, values).scalar_one())


def remove(tx: Tx, token_id: int) -> None:
    """Deletes an API token."""
    tx.execute(_DELETE, {"id": token_id})
