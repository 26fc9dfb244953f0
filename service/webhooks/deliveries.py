# SPDX-License-Identifier: Apache-2.0
"""What webhooks have yet to be told of: handed out from the outbox, due, delivered, tried again or given up.

One process at a time is at a webhook (`service.leases`), and goes in turns: in one transaction it writes what has become
of what it sent, takes what the outbox has, and learns what to send next. Of a profile only the first change is ever due,
so that a change is not sent before those before it are delivered or given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.access.caller import SERVICE
from service.audit import rules as audit
from service.changes import rules as changes
from service.clock import DAY, SECOND
from service.crypto.keyring import Where
from service.webhooks import dispatch_queries, queries, signing
from service.work import Work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.changes.tables import StoredChange
    from service.crypto.keyring import Keyring
    from service.storage.store import Tx
    from service.webhooks.dispatch_queries import Claimable, StoredDelivery, StoredDispatch

GIVE_UP_AFTER: Final = DAY
"""How long a delivery that fails is tried."""

HANDED_OUT_AT_ONCE: Final = 200
"""Changes that a turn takes from the outbox."""

STAYS_FOR: Final = SECOND
"""How long a process stays at a webhook that has nothing to be told of just now, but soon will."""

AT_ONCE: Final = 0
"""The time of a delivery that waits for nothing."""


class Delivered(NamedTuple):
    """The receiver has a change."""

    position: int
    profile_id: int


class Failed(NamedTuple):
    """The receiver does not have a change, as far as is known.

    Attributes:
        position: Its position.
        profile_id: Whose change it is.
        next_try: When to try again, epoch microseconds.
    """

    position: int
    profile_id: int
    next_try: int


class Refused(NamedTuple):
    """The receiver wants nothing any more (410 Gone)."""

    position: int


class Receiver(NamedTuple):
    """Where deliveries go just now.

    Attributes:
        webhook_id: Which webhook it is.
        organization_id: UUID of its organization.
        url: Where to.
        keys: What signs.
    """

    webhook_id: int
    organization_id: str
    url: str
    keys: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"Receiver({self.webhook_id})"


class Turn(NamedTuple):
    """What to do next.

    Attributes:
        fence: The fence by now.
        receiver: Where deliveries go.
        due: What to send; what is under way is not in it.
        next_try: When more will be due, as far as is known; 0: at once; None: when something changes.
        held: Whether the webhook is still this process's.
        given_up: What was given up: profile and number of its changes.
    """

    fence: int
    receiver: Receiver
    due: Sequence[StoredDelivery]
    next_try: int | None
    held: bool
    given_up: Sequence[tuple[int, int]]


class Report(NamedTuple):
    """What the holder of a webhook tells before its next turn.

    Attributes:
        outcomes: What has become of what it sent.
        under_way: Positions of what it is sending.
        room: How much more it can send.
        leave: Whether it keeps the webhook only for what is under way.
    """

    outcomes: Sequence[Delivered | Failed | Refused]
    under_way: frozenset[int]
    room: int
    leave: bool


def any_enabled(tx: Tx) -> bool:
    """Whether there is a webhook to deliver to."""
    return dispatch_queries.any_enabled(tx)


def with_work(tx: Tx, now: int) -> list[Claimable]:
    """Returns the webhooks that have something to be told of, whoever is at them."""
    return dispatch_queries.with_work(tx, now)


def claim(tx: Tx, webhook_id: int, seen: int | None) -> int | None:
    """Takes a webhook, as it was seen, and returns the new fence; None: somebody was faster.

    One that nobody was ever at came with an import: it is told of what happens from now on.
    """
    if seen is not None:
        return seen + 1 if dispatch_queries.claim(tx, webhook_id, seen) else None
    if queries.find(tx, webhook_id) is None or dispatch_queries.find(tx, webhook_id) is not None:
        return None
    dispatch_queries.add(tx, webhook_id, changes.newest(tx).position, held=True)
    return 1


def take_turn(work: Work, webhook_id: int, fence: int, report: Report, *, renew: bool) -> Turn | None:
    """Goes on with a webhook.

    Args:
        work: The unit of work, of the service itself.
        webhook_id: Which webhook.
        fence: As of the turn before.
        report: What has happened since.
        renew: Whether to show others that this process lives.

    Returns:
        What to do next; None: the webhook is gone, or another process's.
    """
    dispatch = dispatch_queries.find(work.tx, webhook_id)
    if dispatch is None or dispatch.fence != fence:
        return None
    given_up = [loss for outcome in report.outcomes if (loss := _settle(work, dispatch, outcome))]
    disabled = dispatch.disabled or any(isinstance(outcome, Refused) for outcome in report.outcomes)
    leave = report.leave or disabled
    position, next_try, due = dispatch.position, None, []
    if not leave:
        position, more = _hand_out(work.tx, dispatch)
        due = _due(work, webhook_id, report)
        next_try = AT_ONCE if more else dispatch_queries.next_try(work.tx, webhook_id, work.now)
    held = bool(due or report.under_way) or (next_try is not None and next_try <= work.now + STAYS_FOR)
    now = {"position": position, "fence": fence + 1 if renew else fence, "held": held}
    if now != {"position": dispatch.position, "fence": fence, "held": dispatch.held}:
        dispatch_queries.advance(work.tx, webhook_id, fence, now)
    return Turn(fence + 1 if renew else fence, _receiver(work, dispatch), due, next_try, held, given_up)


def _settle(work: Work, dispatch: StoredDispatch, outcome: Delivered | Failed | Refused) -> tuple[int, int] | None:
    """Writes what has become of a delivery. Returns the profile and how many of its changes were given up, if any."""
    webhook_id = dispatch.webhook_id
    if isinstance(outcome, Refused):
        _disable(work, dispatch)
    elif isinstance(outcome, Delivered):
        if dispatch_queries.drop(work.tx, webhook_id, outcome.position):
            _let_next(work.tx, webhook_id, outcome.profile_id)
    else:
        return _fail(work, dispatch, outcome)
    return None


def _fail(work: Work, dispatch: StoredDispatch, failed: Failed) -> tuple[int, int] | None:
    webhook_id = dispatch.webhook_id
    delivery = dispatch_queries.find_delivery(work.tx, webhook_id, failed.position)
    if delivery is None:
        return None
    first_try = delivery.first_try or work.now
    if work.now - first_try < GIVE_UP_AFTER:
        values = {"attempts": delivery.attempts + 1, "first_try": first_try, "next_try": failed.next_try}
        dispatch_queries.delay(work.tx, webhook_id, failed.position, values)
        return None
    dispatch_queries.drop(work.tx, webhook_id, failed.position)
    # What has waited behind it for as long had the same chance.
    waited = dispatch_queries.drop_stale(work.tx, webhook_id, failed.profile_id, work.now - GIVE_UP_AFTER)
    _let_next(work.tx, webhook_id, failed.profile_id)
    facts = {"profile_id": failed.profile_id, "attempts": delivery.attempts + 1, "changes": waited + 1}
    audit.record(work, "webhook.give_up", f"webhooks/{webhook_id}", dispatch.organization, facts)
    return failed.profile_id, waited + 1


def _disable(work: Work, dispatch: StoredDispatch) -> None:
    webhook = queries.find(work.tx, dispatch.webhook_id)
    if webhook is None or webhook.disabled:
        return
    values = {"disabled": True, "updated": work.now, "revision": webhook.revision + 1}
    queries.change(work.tx, webhook.id, values)
    dispatch_queries.drop_deliveries(work.tx, webhook.id)
    reason = {"disabled": [False, True], "reason": "the receiver answers 410"}
    audit.record(work, "webhook.disable", f"webhooks/{webhook.id}", webhook.organization, reason)


def _let_next(tx: Tx, webhook_id: int, profile_id: int) -> None:
    """Makes the next change of a profile due, now that nothing is before it."""
    position = dispatch_queries.first_of(tx, webhook_id, profile_id)
    if position is not None:
        dispatch_queries.delay(tx, webhook_id, position, {"next_try": AT_ONCE})


def _hand_out(tx: Tx, dispatch: StoredDispatch) -> tuple[int, bool]:
    """Takes what a webhook wants from the outbox, and returns how far that is now, and whether there may be more."""
    found = changes.of_organization(tx, dispatch.organization, dispatch.position, HANDED_OUT_AT_ONCE)
    wanted = [change for change in found if not dispatch.kinds or dispatch.kinds >> change.kind & 1]
    if wanted:
        profiles = {change.profile_id for change in wanted}
        waiting = dispatch_queries.waiting_profiles(tx, dispatch.webhook_id, profiles)
        rows = []
        for change in wanted:
            rows.append(_row(dispatch.webhook_id, change, first=change.profile_id not in waiting))
            waiting.add(change.profile_id)
        dispatch_queries.add_deliveries(tx, rows)
    return found[-1].position if found else dispatch.position, len(found) == HANDED_OUT_AT_ONCE


def _row(webhook_id: int, change: StoredChange, *, first: bool) -> dict[str, object]:
    return {
        "webhook_id": webhook_id,
        "position": change.position,
        "profile_id": change.profile_id,
        "kind": change.kind,
        "token_state": change.token_state,
        "revision": change.revision,
        "time": change.time,
        "first_try": 0,
        "attempts": 0,
        "next_try": AT_ONCE if first else None,
    }


def _due(work: Work, webhook_id: int, report: Report) -> list[StoredDelivery]:
    # What is under way is still due in the table, and may come first.
    found = dispatch_queries.due(work.tx, webhook_id, work.now, report.room + len(report.under_way))
    return [delivery for delivery in found if delivery.position not in report.under_way][: report.room]


def _receiver(work: Work, dispatch: StoredDispatch) -> Receiver:
    keys = [_key(work.keyring, dispatch.webhook_id, "secret", dispatch.secret)]
    if dispatch.previous_secret is not None and work.now < dispatch.previous_secret_ends:
        keys.append(_key(work.keyring, dispatch.webhook_id, "previous_secret", dispatch.previous_secret))
    return Receiver(dispatch.webhook_id, dispatch.organization_id, dispatch.url, tuple(keys))


def _key(keyring: Keyring, webhook_id: int, column: str, sealed: bytes) -> bytes:
    return signing.key_of(keyring.unseal_text(sealed, Where("webhooks", column, webhook_id)))


def own_work(tx: Tx, keyring: Keyring, now: int) -> Work:
    """Returns a unit of work of the service itself."""
    return Work(tx, SERVICE, now, keyring, "")
