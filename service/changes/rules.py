# SPDX-License-Identifier: Apache-2.0
"""The outbox: changes are written down with what they tell of, get their places in line, and are read in that order.

Whoever reads the ids of rows in order misses those that commit late: sequences give ids out at another time than
transactions commit. So committed changes get positions afterwards, a batch at a time, and readers know these only.
Changes of one profile are in the order in which they were made: the transaction of the later one has seen, or waited
for, the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.access.permissions import Permission
from service.changes import cursors, queries
from service.directory.scopes import scope_of
from service.errors import CursorExpired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.changes.tables import ChangeKind, SeenChange, StoredChange
    from service.listing.listing import Scope
    from service.storage.store import Tx
    from service.work import Work

PLACED_AT_ONCE: Final = 500
"""Changes that one transaction gives positions."""

WINDOW: Final = 200
"""Positions that are looked at for one page: few enough for the event loop, whatever of them the reader may see."""

DROPPED_AT_ONCE: Final = 500
"""Changes that one transaction deletes."""


class Change(NamedTuple):
    """What has become of a profile.

    Attributes:
        profile_id: Id of the profile.
        organization: Number of its organization.
        owner_id: Id of its owner, who sees the change.
        creator_id: Id of its creator, who does, too; 0: nobody any more.
        kind: What has become of it.
        token_state: State of its tokens afterwards, or when it was deleted; a value of `TokenState`.
        revision: Its revision afterwards, or when it was deleted.
    """

    profile_id: int
    organization: int
    owner_id: int
    creator_id: int
    kind: ChangeKind
    token_state: int
    revision: int


class Place(NamedTuple):
    """How far a reader has come: everything up to a position.

    The time of the change there tells whether the outbox is still the one that it was: a database that was restored,
    or imported, gives the same positions to other changes.
    """

    position: int
    time: int


START: Final = Place(0, 0)
"""Where everything is still to come."""


class Batch(NamedTuple):
    """What a reader is told next.

    Attributes:
        changes: The changes that they may see, in order.
        place: How far they have come with them.
        more: Whether more has happened already.
    """

    changes: Sequence[SeenChange]
    place: Place
    more: bool


def record(tx: Tx, change: Change, now: int) -> None:
    """Writes a change down, in the transaction that makes it. `now` is in epoch microseconds."""
    queries.add(tx, {**change._asdict(), "kind": change.kind.value, "time": now})


def has_unplaced(tx: Tx) -> bool:
    """Whether there are committed changes that nobody can see yet."""
    return queries.has_unplaced(tx)


def place_some(tx: Tx) -> bool:
    """Gives committed changes their positions, and returns whether there may be more of them.

    Transactions that do so at the same time break each other: positions are unique. A store runs the loser again.
    """
    return queries.place(tx, PLACED_AT_ONCE) == PLACED_AT_ONCE


def newest(tx: Tx) -> Place:
    """Returns the place of who has read everything that has a position."""
    mark = queries.newest(tx)
    return Place(mark.position, mark.time) if mark else START


def begin(work: Work, organization_id: str, cursor: str) -> Place:
    """Returns where a reader goes on, or begins: now.

    Args:
        work: The unit of work.
        organization_id: Whose changes to read; see `scope_of`.
        cursor: Where they have been, as `cursors.seal` wrote it; empty: nowhere.

    Raises:
        PermissionDenied: PROFILES_LIST is missing.
        NotFound: there is no such organization for the caller.
        InvalidField: the cursor is none.
        CursorExpired: what came after it is not kept any more.
    """
    _scope(work, organization_id)
    if not cursor:
        return newest(work.tx)
    place = Place(*cursors.unseal(work.keyring, cursor))
    if place != START:
        mark = queries.mark_at(work.tx, place.position)
        if mark is None or mark.time != place.time:
            raise CursorExpired
    _require_kept(work.tx, place)
    return place


def read_on(work: Work, organization_id: str, place: Place) -> Batch:
    """Returns what the caller may see of what has happened since.

    Args:
        work: The unit of work.
        organization_id: Whose changes to read; see `scope_of`.
        place: How far they have come.

    Raises:
        PermissionDenied: PROFILES_LIST is missing.
        NotFound: there is no such organization for the caller.
        CursorExpired: it is not kept any more, because they were too slow.
    """
    scope = _scope(work, organization_id)
    limit = place.position + WINDOW
    mark = queries.newest_within(work.tx, limit)
    if mark is None or mark.position <= place.position:
        _require_kept(work.tx, place)
        return Batch((), place, more=False)
    changes = queries.between(work.tx, place.position, mark.position, scope)
    # Last, because each statement may see what was deleted before it.
    _require_kept(work.tx, place)
    return Batch(changes, Place(mark.position, mark.time), more=mark.position == limit)


def of_organization(tx: Tx, organization: int, after: int, most: int) -> list[StoredChange]:
    """Returns the changes of an organization after a position, in order, so many at the most."""
    return queries.of_organization(tx, organization, after, most)


def drop_some(tx: Tx, before: int) -> bool:
    """Deletes the oldest changes from before a time (epoch microseconds), and returns whether there may be more.

    Never the newest: the next one's position is counted from it. Nor one behind another that stays, whatever the clocks
    said: what is kept has no gaps.
    """
    last = 0
    marks = queries.oldest(tx, DROPPED_AT_ONCE + 1)
    for mark in marks[:-1]:
        if mark.time >= before:
            break
        last = mark.position
    if last:
        queries.drop_through(tx, last)
    return len(marks) == DROPPED_AT_ONCE + 1 and last == marks[-2].position


def has_stale(tx: Tx, before: int) -> bool:
    """Whether `drop_some` would delete anything."""
    marks = queries.oldest(tx, 2)
    return len(marks) == 2 and marks[0].time < before


def _scope(work: Work, organization_id: str) -> Scope:
    return scope_of(work, organization_id, Permission.PROFILES_LIST, Permission.PROFILES_ALL)


def _require_kept(tx: Tx, place: Place) -> None:
    """Checks that the change after a place, if there is one, is there.

    Raises:
        CursorExpired: it was deleted.
    """
    kept = queries.oldest(tx, 1)
    if kept and kept[0].position > place.position + 1:
        raise CursorExpired
