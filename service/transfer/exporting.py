# SPDX-License-Identifier: Apache-2.0
"""A house, or a part of it, out of its database: one snapshot, some rows at a time."""

from __future__ import annotations

import hashlib
from typing import IO, TYPE_CHECKING, Final

from service.storage.migrate import HEAD
from service.transfer import bulk, lines
from service.transfer.contents import parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.crypto.keyring import Keyring
    from service.storage.store import Tx
    from service.transfer.contents import Choice

SEAL_DIGEST: Final = "export"
"""The purpose of the digest by which the house that made a file knows it again."""

_ROWS_AT_ONCE: Final = 1_000


def export(
    tx: Tx,
    file: IO[bytes],
    keyring: Keyring,
    choice: Choice,
    *,
    time: str,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, int]:
    """Writes a file of lines, in memory that does not depend on how many there are.

    Args:
        tx: The database, as one snapshot (`Store.snapshot`).
        file: What is written to.
        keyring: The keyring of the database.
        choice: What to take along.
        time: The time, RFC 3339.
        progress: Is told now and then how many rows are written, of how many.

    Returns:
        How many rows of each table were written.
    """
    taken = list(parts(choice))
    counts = {part.table.name: tx.execute(part.counted).scalar_one() for part in taken}
    total = sum(counts.values())
    digest = hashlib.sha256()
    done = 0

    def write(data: bytes) -> None:
        digest.update(data)
        file.write(data)

    write(lines.encoded(_header(tx, keyring, choice, time)))
    for part in taken:
        for rows in tx.execute(part.rows, execution_options={"yield_per": _ROWS_AT_ONCE}).partitions():
            write(lines.encoded_rows(part.table, rows))
            done += len(rows)
            progress(done, total)
    seal = keyring.digest(SEAL_DIGEST, digest.digest())
    file.write(lines.encoded(lines.Footer(counts, digest.hexdigest(), seal.hex())))
    return counts


def _header(tx: Tx, keyring: Keyring, choice: Choice, time: str) -> lines.Header:
    return lines.Header(
        almoner_export=lines.FORMAT,
        schema=HEAD,
        secrets=choice.secrets.value,
        keyring=keyring.fingerprint,
        time=time,
        last_numbers=bulk.last_numbers(tx),
        audit=choice.audit,
        organizations=choice.organizations,
    )
