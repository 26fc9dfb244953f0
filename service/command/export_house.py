# SPDX-License-Identifier: Apache-2.0
"""`almoner export`: the whole house, or some organizations of it, as a file of lines."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from service.command import output
from service.command.failures import CommandError, UsageError
from service.command.parsing import DATABASE, add_settings
from service.command.progress import Progress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from service.command.opening import Opened
    from service.command.parsing import CommandParser
    from service.transfer.contents import Choice

STANDARD_OUTPUT = "-"


def configure(parser: CommandParser) -> None:
    """Adds --output, --secrets, --organization and --audit."""
    parser.add_argument(
        "--output",
        metavar="FILE",
        default=STANDARD_OUTPUT,
        help="the file to write, for nobody else to read; it takes its name once it is whole (default: standard output)",
    )
    parser.add_argument(
        "--secrets",
        choices=("sealed", "omit"),
        default="sealed",
        help="sealed: as they are in the database, for a house with the same keyring; omit: left out, with all tokens, "
        "so that passwords, client secrets and profiles' tokens must be set anew (default: %(default)s)",
    )
    parser.add_argument(
        "--organization",
        metavar="NUMBER|UUID",
        action="append",
        default=[],
        help="only this organization and organization 1, which has what is there for all, and of their rows those that "
        "refer to no other organization's; may be repeated",
    )
    parser.add_argument(
        "--audit", action="store_true", help="take the audit trail along; all of it, and with --secrets sealed only"
    )
    add_settings(parser, DATABASE)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Exports, and says how much.

    Raises:
        UsageError: the options make no sense together.
    """
    from service.command.administration import with_database  # noqa: PLC0415 - slow: not for --help

    if options.audit and (options.organization or options.secrets != "sealed"):
        raise UsageError(
            "--audit takes the whole trail along, sealed with the keyring: not with --organization or omit"
        )
    return with_database(options, partial(_export, options))


async def _export(options: argparse.Namespace, opened: Opened) -> int:
    from service.clock import system_clock  # noqa: PLC0415 - slow: not for --help
    from service.transfer.exporting import export  # noqa: PLC0415

    choice = await opened.store.read(partial(_choice, options))
    await opened.store.write(partial(_record, opened, choice))
    with _file(options.output) as file, Progress("exporting", "rows") as progress:
        counts = await opened.store.snapshot(
            partial(
                export,
                file=file,
                keyring=opened.keyring,
                choice=choice,
                time=output.rfc3339(system_clock()),
                progress=progress,
            )
        )
    output.note(f"exported: {sum(counts.values())} rows of {sum(map(bool, counts.values()))} tables")
    return 0


def _choice(options: argparse.Namespace, tx: Any) -> Choice:
    from sqlalchemy import or_, select  # noqa: PLC0415 - slow: not for --help

    from service.directory.tables import OrganizationRow  # noqa: PLC0415
    from service.storage.tables import table_of  # noqa: PLC0415
    from service.transfer.contents import Choice, Secrets  # noqa: PLC0415

    table = table_of(OrganizationRow)
    numbers = []
    for key in options.organization:
        is_it = or_(table.c.id == key, table.c.number == int(key)) if key.isdecimal() else table.c.id == key
        number = tx.execute(select(table.c.number).where(is_it)).scalar_one_or_none()
        if number is None:
            raise CommandError(f"there is no organization {key}")
        numbers.append(number)
    return Choice(Secrets(options.secrets), options.audit, tuple(numbers))


def _record(opened: Opened, choice: Choice, tx: Any) -> None:
    from service.access.caller import SYSTEM  # noqa: PLC0415 - slow: not for --help
    from service.audit import rules as audit  # noqa: PLC0415
    from service.command.administration import operators_work  # noqa: PLC0415

    told = {"secrets": choice.secrets.value, "organizations": list(choice.organizations) or "all"}
    audit.record(operators_work(tx, opened.keyring), "server.export", f"organizations/{SYSTEM}", SYSTEM, told)


@contextmanager
def _file(name: str) -> Iterator[IO[bytes]]:
    """Opens what is written to. A file of that name is replaced at the end, by one that is whole and on the disk."""
    if name == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "xb", opener=partial(os.open, mode=0o600)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)
