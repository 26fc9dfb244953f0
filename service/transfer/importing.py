# SPDX-License-Identifier: Apache-2.0
"""A house into a database that has nothing yet: the file is verified whole, then written batch by batch.

Each batch is a transaction that also says how far it came, so that an import which was killed at any point can go on.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Final, NamedTuple, NoReturn, TypeAlias

import msgspec
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from service.access.caller import SYSTEM
from service.audit import rules as audit
from service.schema import METADATA
from service.storage.facts import IMPORT_FACT, KEYRING_FACT, find_fact, forget_fact, state_fact
from service.storage.migrate import HEAD
from service.transfer import bulk, lines
from service.transfer.contents import NEVER, Secrets
from service.transfer.exporting import SEAL_DIGEST
from service.transfer.lines import TransferError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Table

    from service.crypto.keyring import Keyring
    from service.storage.store import Store, Tx
    from service.work import Work

    Progress: TypeAlias = Callable[[int, int], None]
    """Is told how many bytes are done, of how many."""

IMPORTED_FACT: Final = "imported"
"""Digest of the file that the database was made from."""

ROWS_AT_ONCE: Final = 10_000
"""Rows of one transaction at the most."""

BYTES_AT_ONCE: Final = 8 * 1024 * 1024
"""Bytes after which a transaction takes no further row."""

LONGEST_LINE: Final = 32 * 1024 * 1024
"""Bytes of a line at the most; no row is as long, since requests are limited."""

_BLOCK: Final = 1024 * 1024


class Source(NamedTuple):
    """A file that was read to its end and is what was written.

    Attributes:
        path: Where it is.
        header: Its first line.
        footer: Its last line.
        start: Position of the first row, in bytes.
        end: Position behind the last row.
    """

    path: Path
    header: lines.Header
    footer: lines.Footer
    start: int
    end: int


class Checkpoint(msgspec.Struct, frozen=True):
    """How far an import has come: stored in the transaction of what it tells of.

    Attributes:
        sha256: Digest of the file, by which it is known again.
        position: Position in it from which to go on, in bytes.
        line: Lines before that position.
        rows: How many rows of each table are there.
    """

    sha256: str
    position: int
    line: int
    rows: dict[str, int]


class _Read(NamedTuple):
    """A row, and the number of its line."""

    table: Table
    row: lines.Row
    line: int


def verified(path: Path, progress: Progress = lambda _done, _total: None) -> Source:
    """Reads a file to its end, and returns what it says of itself.

    Raises:
        TransferError: it is not the whole of an export, or not of this schema.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        header_line = _next_line(file, 1)
        header = lines.decoded_header(header_line)
        _require_readable(header)
        footer_line = _last_line(file)
        footer = lines.decoded_footer(footer_line)
        total = file.tell()
        end = total - len(footer_line)
        if _digest_of(file, end, progress) != footer.sha256:
            raise TransferError("the file is not what was written: its digest differs")
    return Source(path, header, footer, len(header_line), end)


def require_keyring(source: Source, keyring: Keyring) -> None:
    """Makes sure that the keyring opens what the file brings along, and that the file is what this keyring's house wrote.

    Raises:
        TransferError: it does not, or somebody else has changed the file and made its digest anew.
    """
    if source.header.keyring == keyring.fingerprint:
        seal = keyring.digest(SEAL_DIGEST, bytes.fromhex(source.footer.sha256)).hex()
        if not hmac.compare_digest(seal.encode(), source.footer.seal.encode()):
            raise TransferError("the file was changed by somebody who does not have the keyring")
    elif source.header.secrets != Secrets.OMIT:
        raise TransferError(
            f"the secrets in the file are sealed with keyring {source.header.keyring}, and this house has "
            f"{keyring.fingerprint}: put that keyring in its place first"
        )


class Import:
    """The import of a file into a database."""

    def __init__(self, store: Store, source: Source) -> None:
        self._store = store
        self._source = source
        start = Checkpoint(source.footer.sha256, source.start, 1, {})
        self._start = start

    async def begin(self) -> Checkpoint:
        """Claims a database that has nothing yet, and returns where to begin.

        Raises:
            TransferError: it has something.
        """
        return await self._store.write(self._claim)

    async def resume(self) -> Checkpoint | None:
        """Returns where to go on, which is the start where nothing was begun; None: it is finished already.

        Raises:
            TransferError: what was begun, or is there, comes from something else than this file.
        """
        stated, imported = await self._store.read(lambda tx: (find_fact(tx, IMPORT_FACT), find_fact(tx, IMPORTED_FACT)))
        if stated is not None:
            checkpoint = msgspec.json.decode(stated, type=Checkpoint)
            if checkpoint.sha256 != self._start.sha256:
                raise TransferError("the import that was begun is of another file")
            return checkpoint
        if imported == self._start.sha256:
            return None
        return await self.begin()

    async def run(self, checkpoint: Checkpoint, progress: Progress = lambda _done, _total: None) -> Checkpoint:
        """Writes the rows from a checkpoint on, and returns the last one.

        Raises:
            TransferError: a row cannot be used, or something else writes into the database.
            StorageUnavailable: the database does not answer; the import can be resumed.
        """
        await self._store.sweep(bulk.make_room)
        with self._source.path.open("rb") as file:
            file.seek(checkpoint.position)
            while checkpoint.position < self._source.end:
                batch = _next_batch(file, checkpoint.line, self._source.end)
                after = _after(checkpoint, batch, file.tell())
                await self._write(batch, checkpoint, after)
                checkpoint = after
                progress(checkpoint.position, self._source.end)
        return checkpoint

    async def finish(self, checkpoint: Checkpoint, work_of: Callable[[Tx], Work]) -> None:
        """Makes a house of what is there: from now on it can be served.

        Args:
            checkpoint: The last one.
            work_of: Makes the unit of work that the import is recorded in.

        Raises:
            TransferError: there are not as many rows as the file says.
        """
        said = {name: count for name, count in self._source.footer.rows.items() if count}
        if checkpoint.rows != said:
            raise TransferError("the file does not have as many rows as its last line says")
        await self._store.write(partial(self._finish, checkpoint, work_of))

    def _claim(self, tx: Tx) -> Checkpoint:
        if find_fact(tx, IMPORT_FACT) is not None:
            raise TransferError("an import was begun and not finished: go on with --resume, or empty the database")
        for table in METADATA.sorted_tables:
            if table not in NEVER and tx.execute(select(func.count()).select_from(table)).scalar_one():
                raise TransferError(
                    f"there are {table.name.replace('_', ' ')} in the database already: an import needs one that no "
                    "server was started on"
                )
        state_fact(tx, IMPORT_FACT, _encoded(self._start))
        return self._start

    async def _write(self, batch: Sequence[_Read], before: Checkpoint, after: Checkpoint) -> None:
        try:
            await self._store.sweep(partial(_write_batch, batch, before, after))
        except (sqlite3.IntegrityError, DBAPIError):
            await self._store.sweep(partial(_find_refused, batch))

    def _finish(self, checkpoint: Checkpoint, work_of: Callable[[Tx], Work], tx: Tx) -> None:
        _require_checkpoint(tx, checkpoint)
        header = self._source.header
        work = work_of(tx)
        bulk.go_on_behind(tx, header.last_numbers)
        forget_fact(tx, IMPORT_FACT)
        state_fact(tx, IMPORTED_FACT, checkpoint.sha256)
        state_fact(tx, KEYRING_FACT, work.keyring.fingerprint)
        told = {"rows": sum(checkpoint.rows.values()), "exported": header.time, "secrets": header.secrets}
        audit.record(work, "server.import", f"organizations/{SYSTEM}", SYSTEM, told)


def _require_readable(header: lines.Header) -> None:
    if header.schema != HEAD:
        raise TransferError(
            f"the file was written at schema {header.schema}, and this release has {HEAD}: import it with the release "
            "that wrote it, and migrate then"
        )
    if header.secrets not in {secrets.value for secrets in Secrets}:
        raise TransferError("line 1: secrets is neither sealed nor omit")


def _next_line(file: IO[bytes], number: int) -> bytes:
    line = file.readline(LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise TransferError(f"line {number}: " + ("is too long" if len(line) == LONGEST_LINE else "was cut off"))
    return line


def _last_line(file: IO[bytes]) -> bytes:
    """Returns the last line, and leaves the file at its end."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _BLOCK))
    ending = file.read()
    return ending[ending.rfind(b"\n", 0, -1) + 1 :] if ending.endswith(b"\n") else b""


def _digest_of(file: IO[bytes], end: int, progress: Progress) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while (done := file.tell()) < end:
        digest.update(file.read(min(_BLOCK, end - done)))
        progress(file.tell(), end)
    return digest.hexdigest()


def _next_batch(file: IO[bytes], line: int, end: int) -> list[_Read]:
    """Reads the next rows; `line` is the number of the line before them."""
    batch: list[_Read] = []
    limit = min(end, file.tell() + BYTES_AT_ONCE)
    while len(batch) < ROWS_AT_ONCE and file.tell() < limit:
        line += 1
        batch.append(_Read(*lines.decoded_row(_next_line(file, line), line), line))
    return batch


def _after(checkpoint: Checkpoint, batch: Sequence[_Read], position: int) -> Checkpoint:
    rows = dict(checkpoint.rows)
    for table, of_table in _by_table(batch):
        rows[table.name] = rows.get(table.name, 0) + len(of_table)
    return Checkpoint(checkpoint.sha256, position, checkpoint.line + len(batch), rows)


def _by_table(batch: Sequence[_Read]) -> Iterator[tuple[Table, list[_Read]]]:
    for table, of_table in groupby(batch, itemgetter(0)):
        yield table, list(of_table)


def _write_batch(batch: Sequence[_Read], before: Checkpoint, after: Checkpoint, tx: Tx) -> None:
    _require_checkpoint(tx, before)
    for table, of_table in _by_table(batch):
        bulk.insert_rows(tx, table, [lines.values_of(read.row) for read in of_table])
    forget_fact(tx, IMPORT_FACT)
    state_fact(tx, IMPORT_FACT, _encoded(after))


def _require_checkpoint(tx: Tx, expected: Checkpoint) -> None:
    if find_fact(tx, IMPORT_FACT) != _encoded(expected):
        raise TransferError("another import into the database is at work")


def _find_refused(batch: Sequence[_Read], tx: Tx) -> NoReturn:
    """Finds the row that the database refuses, by writing one after the other; the error undoes what was written.

    Raises:
        TransferError: names its line.
    """
    for read in batch:
        try:
            bulk.insert_rows(tx, read.table, [lines.values_of(read.row)])
        except (sqlite3.IntegrityError, DBAPIError) as error:
            raise TransferError(f"line {read.line}: the database refuses the row: {_reason(error)}") from None
    # Each by itself is welcome: it was no row's fault, or is none any more.
    raise TransferError(f"lines {batch[0].line} to {batch[-1].line}: the database refused the rows; try again")


def _reason(error: sqlite3.IntegrityError | DBAPIError) -> str:
    """Returns the first line of the driver's message, which names a column or a constraint; the others have values."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return str(original).partition("\n")[0].partition(">: ")[2] or str(original).partition("\n")[0]


def _encoded(checkpoint: Checkpoint) -> str:
    return msgspec.json.encode(checkpoint).decode()
