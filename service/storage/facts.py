# SPDX-License-Identifier: Apache-2.0
"""Facts about the whole database, such as which keyring it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlalchemy import bindparam, insert, select
from sqlmodel import Field

from service.storage.statements import run, scalar
from service.storage.tables import StoredRow, table_of

if TYPE_CHECKING:
    from service.storage.store import Tx


class FactRow(StoredRow, table=True):
    """A named fact."""

    __tablename__ = "facts"

    name: str = Field(primary_key=True)
    value: str


_FACTS = table_of(FactRow)
_FIND = select(_FACTS.c.value).where(_FACTS.c.name == bindparam("name"))
_STATE = insert(_FACTS).inline()


def find_fact(tx: Tx, name: str) -> str | None:
    """Returns a fact, or None if it was never stated."""
    return cast("str | None", scalar(tx, _FIND, {"name": name}))


def state_fact(tx: Tx, name: str, value: str) -> None:
    """States a fact that was never stated before."""
    run(tx, _STATE, {"name": name, "value": value})
