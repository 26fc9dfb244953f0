# SPDX-License-Identifier: Apache-2.0
"""Client applications, for those who hand out tokens: whoever names one has it, since its secret is what counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from service.applications import queries

if TYPE_CHECKING:
    from service.storage.store import Tx

Client: TypeAlias = queries.PlainApplication
"""A client application as it is read, for other rooms."""


def find_client(tx: Tx, client_id: str) -> Client | None:
    """Returns the client application with this id, which is case-sensitive, whoever asks.

    The lists of an application are JSON: see `service.applications.drafts.draft_of`.
    """
    return queries.find_client(tx, client_id)
