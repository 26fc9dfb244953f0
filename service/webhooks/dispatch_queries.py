# SPDX-License-Identifier: Apache-2.0
"""Every statement over what webhooks have yet to be told of, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, exists, func, insert, not_, or_, select, update

from service.changes.tables import ProfileChangeRow
from service.directory.tables import OrganizationRow
from service.storage.statements import many, one, run, scalar
from service.storage.tables import constant, table_of
from service.webhooks.tables import WebhookDeliveryRow, WebhookDispatchRow, WebhookRow

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from service.storage.store import Tx


class StoredDispatch:
    """A webhook as it is delivered to, and who is at it."""

    webhook_id: int
    organization: int
    organization_id: str
    url: str
    disabled: bool
    kinds: int
    secret: bytes
    previous_secret: bytes | None
    previous_secret_ends: int
    position: int
    fence: int
    held: bool


class Claimable:
    """A webhook that has something to be told of. `fence` is None where nobody was ever at it."""

    id: int
    fence: int | None
    held: bool | None


class StoredDelivery:
    """A change that a webhook has yet to be told of."""

    position: int
    profile_id: int
    kind: int
    token_state: int
    revision: int
    time: int
    first_try: int
    attempts: int


_WEBHOOKS = table_of(WebhookRow)
_DISPATCHES = table_of(WebhookDispatchRow)
_DELIVERIES = table_of(WebhookDeliveryRow)
_CHANGES = table_of(ProfileChangeRow)
_ORGANIZATIONS = table_of(OrganizationRow)

_ANY_ENABLED = select(_WEBHOOKS.c.id).where(not_(_WEBHOOKS.c.disabled)).limit(constant(1))
_UNREAD = exists().where(
    _CHANGES.c.organization == _WEBHOOKS.c.organization, _CHANGES.c.position > _DISPATCHES.c.position
)
_DUE = exists().where(_DELIVERIES.c.webhook_id == _WEBHOOKS.c.id, _DELIVERIES.c.next_try <= bindparam("now"))
_WITH_WORK = (
    select(_WEBHOOKS.c.id, _DISPATCHES.c.fence, _DISPATCHES.c.held)
    .outerjoin(_DISPATCHES, _DISPATCHES.c.webhook_id == _WEBHOOKS.c.id)
    .where(not_(_WEBHOOKS.c.disabled), or_(_DISPATCHES.c.webhook_id.is_(None), _UNREAD, _DUE))
)
_FIND = (
    select(
        _DISPATCHES,
        _WEBHOOKS.c.organization,
        _ORGANIZATIONS.c.id.label("organization_id"),
        _WEBHOOKS.c.url,
        _WEBHOOKS.c.disabled,
        _WEBHOOKS.c.kinds,
        _WEBHOOKS.c.secret,
        _WEBHOOKS.c.previous_secret,
        _WEBHOOKS.c.previous_secret_ends,
    )
    .join(_WEBHOOKS, _WEBHOOKS.c.id == _DISPATCHES.c.webhook_id)
    .join(_ORGANIZATIONS, _ORGANIZATIONS.c.number == _WEBHOOKS.c.organization)
    .where(_DISPATCHES.c.webhook_id == bindparam("webhook_id"))
)
_ADD = insert(_DISPATCHES).inline()
_HELD = and_(_DISPATCHES.c.webhook_id == bindparam("of"), _DISPATCHES.c.fence == bindparam("known"))
_CLAIM = update(_DISPATCHES).where(_HELD).values(fence=_DISPATCHES.c.fence + constant(1), held=True)
_ADVANCE = update(_DISPATCHES).where(_HELD)
_RESTART = update(_DISPATCHES).where(_DISPATCHES.c.webhook_id == bindparam("of"))

_OF_WEBHOOK = _DELIVERIES.c.webhook_id == bindparam("webhook_id")
_OF_PROFILE = and_(_OF_WEBHOOK, _DELIVERIES.c.profile_id == bindparam("profile_id"))
_THIS = and_(_DELIVERIES.c.webhook_id == bindparam("of"), _DELIVERIES.c.position == bindparam("at"))
_ADD_DELIVERIES = insert(_DELIVERIES).inline()
_WAITING_PROFILES = (
    select(_DELIVERIES.c.profile_id)
    .where(_OF_WEBHOOK, _DELIVERIES.c.profile_id.in_(bindparam("profiles", expanding=True)))
    .distinct()
)
_DUE_NOW = (
    select(_DELIVERIES)
    .where(_OF_WEBHOOK, _DELIVERIES.c.next_try <= bindparam("now"))
    .order_by(_DELIVERIES.c.next_try, _DELIVERIES.c.position)
    .limit(bindparam("most"))
)
_DELIVERY = select(_DELIVERIES).where(_OF_WEBHOOK, _DELIVERIES.c.position == bindparam("position"))
_NEXT_TRY = select(func.min(_DELIVERIES.c.next_try)).where(_OF_WEBHOOK, _DELIVERIES.c.next_try > bindparam("now"))
_DELAY = update(_DELIVERIES).where(_THIS)
_DROP = delete(_DELIVERIES).where(_THIS)
_DROP_STALE = delete(_DELIVERIES).where(_OF_PROFILE, _DELIVERIES.c.time < bindparam("before"))
_DROP_ALL = delete(_DELIVERIES).where(_OF_WEBHOOK)
_FIRST = select(func.min(_DELIVERIES.c.position)).where(_OF_PROFILE)


def any_enabled(tx: Tx) -> bool:
    """Whether there is a webhook to deliver to."""
    return scalar(tx, _ANY_ENABLED, {}) is not None


def with_work(tx: Tx, now: int) -> list[Claimable]:
    """Returns the webhooks that have something to be told of."""
    return many(tx, Claimable, _WITH_WORK, {"now": now})


def find(tx: Tx, webhook_id: int) -> StoredDispatch | None:
    """Returns a webhook as it is delivered to."""
    return one(tx, StoredDispatch, _FIND, {"webhook_id": webhook_id})


def add(tx: Tx, webhook_id: int, position: int, *, held: bool = False) -> None:
    """Begins to tell a webhook of what comes after a position."""
    run(tx, _ADD, {"webhook_id": webhook_id, "position": position, "fence": 1, "held": held})


def claim(tx: Tx, webhook_id: int, fence: int) -> bool:
    """Takes a webhook over from whoever had it with this fence, which it raises. False: somebody was faster."""
    return run(tx, _CLAIM, {"of": webhook_id, "known": fence}) == 1


def advance(tx: Tx, webhook_id: int, fence: int, values: Mapping[str, object]) -> None:
    """Writes how far a webhook is, as the one who holds it with this fence."""
    run(tx, _ADVANCE, {"of": webhook_id, "known": fence, **values})


def restart(tx: Tx, webhook_id: int, position: int) -> None:
    """Has a webhook told of what comes after a position, whoever is at it."""
    run(tx, _RESTART, {"of": webhook_id, "position": position})


def add_deliveries(tx: Tx, deliveries: Sequence[Mapping[str, Any]]) -> None:
    """Writes down what a webhook is to be told of."""
    if deliveries:
        tx.execute(_ADD_DELIVERIES, deliveries)


def waiting_profiles(tx: Tx, webhook_id: int, profiles: Collection[int]) -> set[int]:
    """Returns which of these profiles a webhook has yet to be told of."""
    found = tx.execute(_WAITING_PROFILES, {"webhook_id": webhook_id, "profiles": list(profiles)})
    return set(found.scalars())


def due(tx: Tx, webhook_id: int, now: int, most: int) -> list[StoredDelivery]:
    """Returns what a webhook is to be told of now: of each profile its first change, those that wait longest first."""
    return many(tx, StoredDelivery, _DUE_NOW, {"webhook_id": webhook_id, "now": now, "most": most})


def find_delivery(tx: Tx, webhook_id: int, position: int) -> StoredDelivery | None:
    """Returns what a webhook has yet to be told of, by the position of the change."""
    return one(tx, StoredDelivery, _DELIVERY, {"webhook_id": webhook_id, "position": position})


def next_try(tx: Tx, webhook_id: int, now: int) -> int | None:
    """Returns when a webhook is to be told of something that is not due yet."""
    found: int | None = scalar(tx, _NEXT_TRY, {"webhook_id": webhook_id, "now": now})
    return found


def delay(tx: Tx, webhook_id: int, position: int, values: Mapping[str, object]) -> None:
    """Writes when a delivery is tried next."""
    run(tx, _DELAY, {"of": webhook_id, "at": position, **values})


def drop(tx: Tx, webhook_id: int, position: int) -> bool:
    """Deletes a delivery; False: it was not there any more."""
    return run(tx, _DROP, {"of": webhook_id, "at": position}) == 1


def drop_stale(tx: Tx, webhook_id: int, profile_id: int, before: int) -> int:
    """Deletes the deliveries of a profile's changes from before a time, and returns how many there were."""
    return run(tx, _DROP_STALE, {"webhook_id": webhook_id, "profile_id": profile_id, "before": before})


def drop_deliveries(tx: Tx, webhook_id: int) -> None:
    """Deletes all that a webhook has yet to be told of."""
    run(tx, _DROP_ALL, {"webhook_id": webhook_id})


def first_of(tx: Tx, webhook_id: int, profile_id: int) -> int | None:
    """Returns the position of the first change of a profile that a webhook has yet to be told of."""
    found: int | None = scalar(tx, _FIRST, {"webhook_id": webhook_id, "profile_id": profile_id})
    return found
