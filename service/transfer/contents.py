# SPDX-License-Identifier: Apache-2.0
"""What of a house goes into a file: which tables, which of their rows, and what becomes of their secrets.

All of it follows from the schema: a table or a column that is added goes along by itself.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import LargeBinary, and_, func, literal, null, or_, select

from service.access.caller import SYSTEM
from service.audit.tables import AuditEventRow, AuditSealRow
from service.changes.tables import ProfileChangeRow
from service.crypto.passwords import NOBODYS_DIGEST
from service.directory.tables import OrganizationRow
from service.profiles.tables import TokenState
from service.schema import METADATA
from service.storage.facts import FactRow
from service.storage.tables import table_of
from service.webhooks.tables import WebhookDeliveryRow, WebhookDispatchRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Column, ColumnElement, Select, Table

NEVER: Final = frozenset(
    table_of(row_class) for row_class in (FactRow, ProfileChangeRow, WebhookDispatchRow, WebhookDeliveryRow)
)
"""What a database knows about itself, and what of its changes is under way: positions count in one database only."""

AUDIT: Final = frozenset({table_of(AuditEventRow), table_of(AuditSealRow)})
"""What was done in the house; not needed to run it."""

STAND_INS: Final[Mapping[str, str | int]] = {
    "users.password_digest": "",
    # A client application without its secrets would be a public one.
    "application_secrets.digest": NOBODYS_DIGEST,
    # A profile without its tokens is good for nothing until somebody consents again.
    "profiles.token_state": TokenState.NEEDS_CONSENT.value,
}
"""What stands for secrets that are left out and cannot be NULL, and for what would not be true without them."""

_ORGANIZATIONS: Final = table_of(OrganizationRow)


class Secrets(StrEnum):
    """What becomes of secrets: they go along as the database has them, sealed or digested, or they are left out."""

    SEALED = "sealed"
    OMIT = "omit"


class Choice(NamedTuple):
    """What to take along.

    Attributes:
        secrets: What becomes of secrets.
        audit: Whether the audit trail goes along; the chain over it needs the keyring, and all of its events.
        organizations: Numbers of the organizations whose rows are wanted; empty: all. The first organization, whose
            roles and applications are there for all, always goes along.
    """

    secrets: Secrets = Secrets.SEALED
    audit: bool = False
    organizations: tuple[int, ...] = ()


class Part(NamedTuple):
    """A table that goes along: the statement that finds its rows, and the one that counts them."""

    table: Table
    rows: Select[Any]
    counted: Select[int]


def is_secret(column: Column[Any]) -> bool:
    """Whether a column is sealed or digested: everything binary is, and every digest that is a text."""
    return isinstance(column.type, LargeBinary) or column.name.endswith("digest")


def parts(choice: Choice) -> Iterator[Part]:
    """Yields the tables that go along, none before those that it refers to."""
    for table in METADATA.sorted_tables:
        if table in NEVER or (table in AUDIT and not choice.audit):
            continue
        if choice.secrets is Secrets.OMIT and _is_nothing_without_secrets(table):
            continue
        columns = [_taken(column, choice.secrets) for column in table.columns]
        rows = select(*columns).order_by(*table.primary_key.columns)
        counted = select(func.count()).select_from(table)
        if choice.organizations:
            belongs = _belongs_to(table, sorted({SYSTEM, *choice.organizations}))
            if belongs is None:
                continue
            rows, counted = rows.where(belongs), counted.where(belongs)
        yield Part(table, rows, counted)


def _taken(column: Column[Any], secrets: Secrets) -> ColumnElement[Any]:
    """Returns what is read in place of a column: secrets that are left out are not even read."""
    stand_in = STAND_INS.get(str(column))
    if secrets is Secrets.SEALED or not (is_secret(column) or stand_in is not None):
        return column
    return (null() if stand_in is None else literal(stand_in)).label(column.name)


def _is_nothing_without_secrets(table: Table) -> bool:
    return any(is_secret(column) and not column.nullable and str(column) not in STAND_INS for column in table.columns)


def _belongs_to(table: Table, organizations: list[int]) -> ColumnElement[bool] | None:
    """Returns the condition that a row, and every row it refers to, is of these organizations; None: it is of none."""
    if table is _ORGANIZATIONS:
        return table.c.number.in_(organizations)
    conditions: list[ColumnElement[bool]] = []
    if "organization" in table.columns:
        conditions.append(table.c.organization.in_(organizations))
    for key in table.foreign_keys:
        there = key.column.table
        belongs = _belongs_to(there, organizations)
        if there is not _ORGANIZATIONS and belongs is not None:
            found = key.parent.in_(select(key.column).where(belongs))
            conditions.append(or_(key.parent.is_(None), found) if key.parent.nullable else found)
    return and_(*conditions) if conditions else None
