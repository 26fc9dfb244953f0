# SPDX-License-Identifier: Apache-2.0
"""`almoner audit`: the audit trail, and whether it is what it was."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from service.command import output
from service.command.parsing import add_actions

if TYPE_CHECKING:
    import argparse

    from service.command.opening import Opened
    from service.command.parsing import CommandParser
    from service.storage.store import Tx

_PAGE: Final = 1000


def configure(parser: CommandParser) -> None:
    """Adds the actions."""
    add = add_actions(parser)
    listing = add("list", "Print the events as JSON, one a line, the oldest first.", _list)
    listing.add_argument("--after", metavar="ID", type=int, default=0, help="only events after this one")
    add(
        "verify",
        "Follow the chain of seals over all events from its start. Exits with 1 if an event was changed, removed or "
        "added beneath a seal. Changes nothing.",
        _verify,
    )


def _list(options: argparse.Namespace) -> int:
    from service.command.administration import with_database  # noqa: PLC0415 - slow: not for --help

    async def action(opened: Opened) -> int:
        after = options.after
        while True:
            events = await opened.store.scan(partial(_events, after=after))
            for event in events:
                print(json.dumps(event, ensure_ascii=False))
            if len(events) < _PAGE:
                return 0
            after = events[-1]["id"]

    return with_database(options, action)


def _verify(options: argparse.Namespace) -> int:
    from service.audit.rules import verify  # noqa: PLC0415 - slow: not for --help
    from service.command.administration import with_database  # noqa: PLC0415

    async def action(opened: Opened) -> int:
        # Servers may be sealing: all of it must be one snapshot.
        found = await opened.store.snapshot(partial(verify, keyring=opened.keyring))
        print(f"events: {found.events} sealed, {found.unsealed} not sealed yet")
        if found.broken_at is not None:
            output.note(
                f"the chain is broken at seal {found.broken_at}: events were changed there, or after the ones before"
            )
            return 1
        print("the chain is whole")
        return 0

    return with_database(options, action)


def _events(tx: Tx, after: int) -> list[dict[str, Any]]:
    """Returns the next page of events."""
    from sqlalchemy import select  # noqa: PLC0415 - slow: not for --help

    from service.audit.tables import AuditEventRow  # noqa: PLC0415
    from service.storage.tables import table_of  # noqa: PLC0415

    table = table_of(AuditEventRow)
    statement = select(table).where(table.c.id > after).order_by(table.c.id).limit(_PAGE)
    return [
        {**row, "time": output.rfc3339(row["time"]), "changes": json.loads(row["changes"])}
        for row in tx.execute(statement).mappings()
    ]
