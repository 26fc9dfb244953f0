# SPDX-License-Identifier: Apache-2.0
"""`almoner migrate`: brings the database to the schema of this release, or back, or says where it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.command.parsing import DATABASE, add_settings, settings_of

if TYPE_CHECKING:
    import argparse

    from service.command.parsing import CommandParser


def configure(parser: CommandParser) -> None:
    """Adds --to and --check."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--to",
        metavar="REVISION",
        default="head",
        help="the revision to go to, up or down: its id, `head` for the newest (the default), or `base` for an empty "
        "database; going down deletes what the older schema has no place for",
    )
    choice.add_argument(
        "--check", action="store_true", help="change nothing; exit with 1 if the database is not at the newest revision"
    )
    add_settings(parser, DATABASE)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Migrates, or checks, and says what the database is at."""
    from service import logs  # noqa: PLC0415 - slow: not for --help

    settings = settings_of(options)
    logs.configure(settings.log_level, settings.log_format)
    return asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> int:
    from service.command import opening  # noqa: PLC0415 - slow: not for --help
    from service.storage.migrate import HEAD  # noqa: PLC0415

    settings = settings_of(options)
    path = settings.sqlite_path
    if options.check:
        # Looking at a file that is not there would make it.
        missing = path is not None and not path.exists()
        revision = None if missing else await opening.revision_of(settings)
        print(f"{settings.shown_database_url} is at {revision or 'base'}; the newest revision is {HEAD}")
        return 0 if revision == HEAD else 1
    opening.make_directories(settings)
    await opening.migrate(settings, options.to)
    print(f"{settings.shown_database_url} is at {await opening.revision_of(settings) or 'base'}")
    return 0
