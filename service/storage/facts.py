# SPDX-License-Identifier: Apache-2.0
"""Facts about the whole database, such as which keyring it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from sqlalchemy import bindparam, delete, insert, select
from sqlmodel import Field

from service.storage.statements import run, scalar
from service.storage.tables import StoredRow, table_of

if TYPE_CHECKING:
    from service.storage.store import Tx

KEYRING_FACT: Final = "keyring"
"""Fingerprint of the keyring that the database belongs to; stated once there is something in it."""

IMPORT_FACT: Final = "import"
"""How far an import into the database has come; not stated where none was begun, or it is finished."""


class FactRow(StoredRow, table=True):
    """A named fact."""

    __tablename__ = "facts"

    name: str = Field(primary_key=True)
    value: str


_FACTS = table_of(FactRow)
_FIND = select(_FACTS.c.value).where(_FACTS.c.name == bindparam("name"))
_STATE = insert(_FACTS).inline()
_FORGET = delete(_FACTS).where(_FACTS.c.name == bindparam("fact"))


def find_fact(tx: Tx, name: str) -> str | None:
    """Returns a fact, or None if it was never stated."""
    return cast("str | None", scalar(tx, _FIND, {"name": name}))


def state_fact(tx: Tx, name: str, value: str) -> None:
    """States a fact that was never stated before."""
    run(tx, _STATE, {"name": name, "value": value})


def forget_fact(tx: Tx, name: str) -> None:
    """Makes a fact one that was never stated."""
    run(tx, _FORGET, {"fact": name})
