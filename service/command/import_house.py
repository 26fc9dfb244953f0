# SPDX-License-Identifier: Apache-2.0
"""`almoner import`: a house from a file of `almoner export`, into a database that has nothing yet."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from service.command import output
from service.command.failures import CommandError
from service.command.parsing import DATABASE, add_settings, settings_of
from service.command.progress import Progress

if TYPE_CHECKING:
    import argparse

    from service.command.parsing import CommandParser
    from service.crypto.keyring import Keyring
    from service.settings import Settings
    from service.storage.store import Store
    from service.transfer.importing import Source


def configure(parser: CommandParser) -> None:
    """Adds FILE and --resume."""
    parser.description = (
        "Import a house from a file of `almoner export` into a database that no server was started on. The whole file is "
        "verified first. Nothing can be served until the import is finished; one that was ended, by whatever, goes on "
        "with --resume."
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the file; it is read twice, so it cannot be a pipe")
    parser.add_argument(
        "--resume", action="store_true", help="go on where the import of this file has ended; may be repeated"
    )
    add_settings(parser, DATABASE)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Verifies and imports, and says how much.

    Raises:
        CommandError: the file, the keyring or the database cannot be used.
    """
    from service import logs  # noqa: PLC0415 - slow: not for --help
    from service.transfer.lines import TransferError  # noqa: PLC0415

    settings = settings_of(options)
    logs.configure(settings.log_level, settings.log_format)
    try:
        return asyncio.run(_import(options, settings))
    except TransferError as error:
        raise CommandError(f"{options.file}: {error}") from None


async def _import(options: argparse.Namespace, settings: Settings) -> int:
    from service.command import opening  # noqa: PLC0415 - slow: not for --help
    from service.server import open_store  # noqa: PLC0415
    from service.transfer.importing import require_keyring  # noqa: PLC0415

    source = _verified(options.file)
    opening.make_directories(settings)
    keyring = _keyring(settings, source)
    require_keyring(source, keyring)
    await opening.require_schema(settings)
    with opening.said_plainly(settings):
        store = open_store(settings)
        try:
            return await _run(store, source, keyring, resume=options.resume)
        finally:
            await store.close()


async def _run(store: Store, source: Source, keyring: Keyring, *, resume: bool) -> int:
    from service.command.administration import operators_work  # noqa: PLC0415 - slow: not for --help
    from service.transfer.importing import Import  # noqa: PLC0415

    work = Import(store, source)
    checkpoint = await (work.resume() if resume else work.begin())
    if checkpoint is None:
        output.note("the file was imported already")
        return 0
    with Progress("importing", "bytes") as progress:
        checkpoint = await work.run(checkpoint, progress)
    await work.finish(checkpoint, partial(operators_work, keyring=keyring))
    rows = checkpoint.rows.values()
    output.note(f"imported: {sum(rows)} rows of {len(rows)} tables")
    return 0


def _verified(path: Path) -> Source:
    from service.transfer.importing import verified  # noqa: PLC0415 - slow: not for --help

    try:
        with Progress("verifying", "bytes") as progress:
            return verified(path, progress)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror or error}") from None


def _keyring(settings: Settings, source: Source) -> Keyring:
    """Returns the house's keyring. A new one is made where the file has nothing that an older one would open."""
    from service.clock import system_clock  # noqa: PLC0415 - slow: not for --help
    from service.crypto.keyring import Keyring  # noqa: PLC0415
    from service.crypto.keyring_file import KeyringError  # noqa: PLC0415
    from service.transfer.contents import Secrets  # noqa: PLC0415

    try:
        if source.header.secrets == Secrets.OMIT:
            return Keyring.open_or_create(settings.keyring_file, system_clock)
        return Keyring.open(settings.keyring_file)
    except KeyringError as error:
        raise CommandError(str(error)) from None
