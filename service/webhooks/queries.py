# SPDX-License-Identifier: Apache-2.0
"""Every statement over webhooks, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select, update

from service.directory.tables import OrganizationRow
from service.listing.filter_sql import Field, Kind
from service.listing.listing import Listing
from service.storage.statements import one, run, scalar
from service.storage.tables import table_of
from service.webhooks.tables import WebhookRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.storage.store import Tx


class StoredWebhook:
    """A webhook as it is read: its row, and the UUID of its organization."""

    id: int
    organization: int
    organization_id: str
    creator_id: int
    url: str
    description: str
    disabled: bool
    kinds: int
    secret: bytes
    previous_secret: bytes | None
    previous_secret_ends: int
    created: int
    updated: int
    revision: int


_WEBHOOKS = table_of(WebhookRow)
_ORGANIZATIONS = table_of(OrganizationRow)

_WHOLE = select(_WEBHOOKS, _ORGANIZATIONS.c.id.label("organization_id")).outerjoin(
    _ORGANIZATIONS, _ORGANIZATIONS.c.number == _WEBHOOKS.c.organization
)
_FIND = _WHOLE.where(_WEBHOOKS.c.id == bindparam("id"))
_INSERT = insert(_WEBHOOKS).returning(_WEBHOOKS.c.id)
_UPDATE = update(_WEBHOOKS).where(_WEBHOOKS.c.id == bindparam("webhook_id"))
_DELETE = delete(_WEBHOOKS).where(_WEBHOOKS.c.id == bindparam("id"))
_FORGET_CREATOR = update(_WEBHOOKS).where(_WEBHOOKS.c.creator_id == bindparam("user_id")).values(creator_id=0)

WEBHOOKS: Listing[StoredWebhook] = Listing(
    "webhooks",
    _WHOLE,
    fields={
        "id": Field(_WEBHOOKS.c.id, Kind.INTEGER),
        "url": Field(_WEBHOOKS.c.url, Kind.TEXT),
        "description": Field(_WEBHOOKS.c.description, Kind.TEXT),
        "disabled": Field(_WEBHOOKS.c.disabled, Kind.BOOLEAN),
        "creator_id": Field(_WEBHOOKS.c.creator_id, Kind.INTEGER),
        "create_time": Field(_WEBHOOKS.c.created, Kind.TIMESTAMP),
        "update_time": Field(_WEBHOOKS.c.updated, Kind.TIMESTAMP),
    },
    orderable=("id", "url", "create_time", "update_time"),
    key="id",
    scopes={
        "organization": _WEBHOOKS.c.organization == bindparam("organization"),
        "visible": _WEBHOOKS.c.organization.in_(bindparam("organizations", expanding=True)),
    },
)


def find(tx: Tx, webhook_id: int) -> StoredWebhook | None:
    """Returns a webhook."""
    return one(tx, StoredWebhook, _FIND, {"id": webhook_id})


def add(tx: Tx, values: Mapping[str, object]) -> int:
    """Inserts a webhook and returns its id."""
    return int(scalar(tx, _INSERT, values))


def change(tx: Tx, webhook_id: int, values: Mapping[str, object]) -> None:
    """Writes members of a webhook."""
    run(tx, _UPDATE, {"webhook_id": webhook_id, **values})


def remove(tx: Tx, webhook_id: int) -> None:
    """Deletes a webhook with all that it has yet to be told of."""
    run(tx, _DELETE, {"id": webhook_id})


def forget_creator(tx: Tx, user_id: int) -> None:
    """Takes a user who is deleted out of the webhooks that they created."""
    run(tx, _FORGET_CREATOR, {"user_id": user_id})
