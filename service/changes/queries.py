# SPDX-License-Identifier: Apache-2.0
"""Every statement over the outbox, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from service.changes.tables import ProfileChangeRow, SeenChange, StoredChange
from service.directory.scopes import ORGANIZATION, OWN, VISIBLE
from service.directory.tables import OrganizationRow
from service.storage.statements import many, one, run, scalar
from service.storage.tables import constant, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Select

    from service.listing.listing import Scope
    from service.storage.store import Tx


class Mark:
    """A position, and the time of the change that has it."""

    position: int
    time: int


_CHANGES = table_of(ProfileChangeRow)
_ORGANIZATIONS = table_of(OrganizationRow)

_RECORD = insert(_CHANGES).inline()
_UNPLACED = select(_CHANGES.c.id).where(_CHANGES.c.position.is_(None)).order_by(_CHANGES.c.id)
_ANY_UNPLACED = _UNPLACED.limit(constant(1))
_LAST = select(func.max(_CHANGES.c.position)).scalar_subquery()
_NEXT = _UNPLACED.limit(bindparam("most")).subquery("next")
_NUMBERED = select(
    _NEXT.c.id,
    (func.coalesce(_LAST, constant(0)) + func.row_number().over(order_by=_NEXT.c.id)).label("position"),
).subquery("numbered")
_PLACE = update(_CHANGES).values(position=_NUMBERED.c.position).where(_CHANGES.c.id == _NUMBERED.c.id)

_MARKS = select(_CHANGES.c.position, _CHANGES.c.time).where(_CHANGES.c.position.is_not(None))
_NEWEST = _MARKS.order_by(_CHANGES.c.position.desc()).limit(constant(1))
_NEWEST_WITHIN = _NEWEST.where(_CHANGES.c.position <= bindparam("limit"))
_OLDEST = _MARKS.order_by(_CHANGES.c.position).limit(bindparam("most"))
_AT = _MARKS.where(_CHANGES.c.position == bindparam("position"))
_DROP = delete(_CHANGES).where(_CHANGES.c.position <= bindparam("last"))

_AFTER = (
    select(
        _CHANGES.c.position,
        _CHANGES.c.profile_id,
        func.coalesce(_ORGANIZATIONS.c.id, constant("")).label("organization_id"),
        _CHANGES.c.kind,
        _CHANGES.c.token_state,
        _CHANGES.c.revision,
        _CHANGES.c.time,
    )
    .outerjoin(_ORGANIZATIONS, _ORGANIZATIONS.c.number == _CHANGES.c.organization)
    .where(_CHANGES.c.position > bindparam("after"), _CHANGES.c.position <= bindparam("last"))
    .order_by(_CHANGES.c.position)
)
_OF_ORGANIZATION = (
    select(*(_CHANGES.c[name] for name in ("position", "profile_id", "kind", "token_state", "revision", "time")))
    .where(_CHANGES.c.organization == bindparam("organization"), _CHANGES.c.position > bindparam("after"))
    .order_by(_CHANGES.c.position)
    .limit(bindparam("most"))
)
_OWN: Final = or_(_CHANGES.c.owner_id == bindparam("caller"), _CHANGES.c.creator_id == bindparam("caller"))
_CLAUSES: Final[Mapping[str, ColumnElement[bool]]] = {
    ORGANIZATION: _CHANGES.c.organization == bindparam("organization"),
    OWN: _OWN,
    VISIBLE: or_(_CHANGES.c.organization.in_(bindparam("organizations", expanding=True)), _OWN),
}
_SEEN: Final[Mapping[tuple[str, ...], Select[Any]]] = {
    clauses: _AFTER.where(*(_CLAUSES[clause] for clause in clauses))
    for clauses in ((), (ORGANIZATION,), (ORGANIZATION, OWN), (VISIBLE,))
}


def add(tx: Tx, values: Mapping[str, object]) -> None:
    """Writes a change down."""
    run(tx, _RECORD, values)


def has_unplaced(tx: Tx) -> bool:
    """Whether there are committed changes without a position."""
    return scalar(tx, _ANY_UNPLACED, {}) is not None


def place(tx: Tx, most: int) -> int:
    """Gives the oldest changes without a position the next ones, and returns how many there were."""
    return run(tx, _PLACE, {"most": most})


def newest(tx: Tx) -> Mark | None:
    """Returns the last position there is."""
    return one(tx, Mark, _NEWEST, {})


def newest_within(tx: Tx, limit: int) -> Mark | None:
    """Returns the last position that is not beyond a limit."""
    return one(tx, Mark, _NEWEST_WITHIN, {"limit": limit})


def oldest(tx: Tx, most: int) -> list[Mark]:
    """Returns the first positions that are kept, in order."""
    return many(tx, Mark, _OLDEST, {"most": most})


def mark_at(tx: Tx, position: int) -> Mark | None:
    """Returns a position, if its change is kept."""
    return one(tx, Mark, _AT, {"position": position})


def drop_through(tx: Tx, last: int) -> None:
    """Deletes the changes up to a position."""
    run(tx, _DROP, {"last": last})


def of_organization(tx: Tx, organization: int, after: int, most: int) -> list[StoredChange]:
    """Returns the next changes of an organization after a position."""
    parameters = {"organization": organization, "after": after, "most": most}
    return many(tx, StoredChange, _OF_ORGANIZATION, parameters)


def between(tx: Tx, after: int, last: int, scope: Scope) -> list[SeenChange]:
    """Returns the changes after a position, up to another one, that a scope lets through."""
    statement, parameters = _SEEN[scope.clauses], {"after": after, "last": last, **scope.parameters}
    if VISIBLE in scope.clauses:  # a list in a statement makes its text another one each time
        return list(tx.execute(statement, parameters))  # type: ignore[arg-type]
    return many(tx, SeenChange, statement, parameters)
