# SPDX-License-Identifier: Apache-2.0
"""Every statement over token policies, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, insert, select, update

from service.grants.tables import TokenPolicyRow
from service.storage.statements import one, run
from service.storage.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.storage.store import Tx

_POLICIES = table_of(TokenPolicyRow)
_FIND = select(_POLICIES).where(_POLICIES.c.organization == bindparam("number"))
_INSERT = insert(_POLICIES).inline()
_UPDATE = update(_POLICIES).where(_POLICIES.c.organization == bindparam("number"))


def find(tx: Tx, organization: int) -> TokenPolicyRow | None:
    """Returns the policy of an organization, if it was ever changed."""
    return one(tx, TokenPolicyRow, _FIND, {"number": organization})


def add(tx: Tx, organization: int, values: Mapping[str, object]) -> None:
    """Inserts the policy of an organization."""
    run(tx, _INSERT, {"organization": organization, **values})


def change(tx: Tx, organization: int, values: Mapping[str, object]) -> None:
    """Writes members of the policy of an organization."""
    run(tx, _UPDATE, {"number": organization, **values})
