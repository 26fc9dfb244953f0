# SPDX-License-Identifier: Apache-2.0
"""What every table shares: one metadata with named constraints, column types, and constants in statements.

SQLModel classes describe storage rows only. They are never constructed: statements are built once from their Core
tables, and a row that comes back is read through its class's attributes (`service.storage.statements`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from sqlalchemy import BigInteger, Integer, MetaData, String, Table, literal_column
from sqlmodel import SQLModel

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


# SQLite counts an INTEGER PRIMARY KEY by itself, and no other type.
BigKey = BigInteger().with_variant(Integer, "sqlite")


class StoredRow(SQLModel):
    """Base of every table. Names of constraints are fixed so that migrations can refer to them."""

    metadata: ClassVar[MetaData] = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def table_of(row_class: type[StoredRow]) -> Table:
    """Returns the Core table behind a row class."""
    return cast("Table", cast("Any", row_class).__table__)


def constant(value: int | str) -> ColumnElement[Any]:
    """Returns a constant as part of a statement's text: a bound one would be bound again at every execution."""
    if isinstance(value, int):
        return literal_column(str(int(value)), BigInteger)
    quoted = value.replace("'", "''")
    return literal_column(f"'{quoted}'", String)
