# SPDX-License-Identifier: Apache-2.0
"""Opens the database and the keyring, and says in one line why that cannot be done."""

from __future__ import annotations

import logging
import os
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from service.command.failures import CommandError
from service.crypto.keyring import Keyring
from service.crypto.keyring_file import KeyringError
from service.errors import StorageUnavailable
from service.storage import migrate as schema

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from service.server import FirstStart, Service
    from service.settings import Settings
    from service.storage.store import Store


class Opened(NamedTuple):
    """The database and the keyring that belongs to it."""

    settings: Settings
    store: Store
    keyring: Keyring


def make_directories(settings: Settings) -> None:
    """Makes the directories of the database file and of the keyring, for nobody else to look into.

    Raises:
        CommandError: one cannot be made.
    """
    # Of what is made from here on, nobody else may read anything: the database file is SQLite's to make.
    os.umask(0o077)
    for path in (settings.sqlite_path, settings.keyring_file):
        if path is not None:
            _make_directory(path.parent)


async def revision_of(settings: Settings) -> str | None:
    """Returns the revision that the database is at, None for an empty one.

    Raises:
        CommandError: it cannot be read.
    """
    with said_plainly(settings):
        return await schema.revision_of(settings.database_url)


async def migrate(settings: Settings, revision: str = schema.LATEST) -> None:
    """Migrates the database.

    Raises:
        CommandError: it cannot be reached, has no such revision, or a migration failed.
    """
    # It tells of each part of itself that it loads.
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
    from alembic.util import CommandError as AlembicError  # noqa: PLC0415 - slow, and seldom needed

    with said_plainly(settings):
        try:
            await schema.migrate(settings.database_url, revision)
        except AlembicError as error:
            raise CommandError(f"the database was not migrated: {error}") from None


async def start_service(settings: Settings) -> tuple[Service, FirstStart | None]:
    """Opens the service, ready to serve: schema, keyring, first user, background tasks.

    Returns:
        The service, and the credentials that it made if this was the first start.

    Raises:
        CommandError: the database or the keyring cannot be used.
    """
    # Slow, and the rest does without.
    from service.server import KeyringMismatchError, UnfinishedImportError, open_service  # noqa: PLC0415

    make_directories(settings)
    await require_schema(settings)
    await _require_keyring(settings)
    with said_plainly(settings):
        service = open_service(settings)
        try:
            first_start = await service.bootstrap()
            await service.background.start()
        except KeyringMismatchError:
            await service.close()
            raise _mismatch(settings) from None
        except UnfinishedImportError:
            await service.close()
            raise _unfinished(settings) from None
        except StorageUnavailable:
            await service.close()
            raise
    return service, first_start


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Opened]:
    """Opens the database and the keyring of a server that was started before, for as long as the context lasts.

    Raises:
        CommandError: there is none, or it cannot be used.
    """
    from service.server import open_store  # noqa: PLC0415 - slow
    from service.storage.facts import IMPORT_FACT, KEYRING_FACT, find_fact  # noqa: PLC0415

    path = settings.sqlite_path
    if path is not None and not path.exists():
        raise CommandError(f"there is no database {path}: `almoner serve` makes it")
    revision = await revision_of(settings)
    if revision != schema.HEAD:
        raise _wrong_schema(settings, revision)
    with said_plainly(settings):
        keyring = Keyring.open(settings.keyring_file)
        store = open_store(settings)
    try:
        if await store.read(lambda tx: find_fact(tx, IMPORT_FACT)) is not None:
            raise _unfinished(settings)
        fingerprint = await store.read(lambda tx: find_fact(tx, KEYRING_FACT))
        if fingerprint is None:
            raise CommandError(
                f"the database {settings.shown_database_url} is empty: `almoner serve` must start on it first"
            )
        if fingerprint != keyring.fingerprint:
            raise _mismatch(settings)
        yield Opened(settings, store, keyring)
    except StorageUnavailable:
        raise _unavailable(settings) from None
    finally:
        await store.close()


@contextmanager
def said_plainly(settings: Settings) -> Iterator[None]:
    """Turns failures of the database and the keyring into one line that names them.

    Raises:
        CommandError: something failed inside.
    """
    try:
        yield
    except KeyringError as error:
        raise CommandError(str(error)) from None
    except StorageUnavailable:
        raise _unavailable(settings) from None
    except SQLAlchemyError as error:
        # Engines hide parameters, and a driver's message holds no password.
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise CommandError(f"the database {settings.shown_database_url} cannot be used: {reason}") from None
    except BrokenPipeError:
        # Nobody reads the output any more.
        raise
    except OSError as error:
        raise CommandError(
            f"the database {settings.shown_database_url} cannot be reached: {error.strerror or error}"
        ) from None


async def require_schema(settings: Settings) -> None:
    """Makes sure that the schema is this release's. The embedded database gets it; a shared one has its own hour.

    Raises:
        CommandError: it is not, or the database cannot be used.
    """
    revision = await revision_of(settings)
    if revision == schema.HEAD:
        return
    if settings.sqlite_path is None:
        raise _wrong_schema(settings, revision)
    await migrate(settings)


async def _require_keyring(settings: Settings) -> None:
    """Makes sure that no new keyring takes the place of one that is missing: it could open nothing."""
    if settings.keyring_file.exists():
        return
    from service.server import open_store  # noqa: PLC0415 - slow
    from service.storage.facts import KEYRING_FACT, find_fact  # noqa: PLC0415

    with said_plainly(settings):
        store = open_store(settings)
        try:
            fingerprint = await store.read(lambda tx: find_fact(tx, KEYRING_FACT))
        finally:
            await store.close()
    if fingerprint is not None:
        raise CommandError(
            f"there is no keyring {settings.keyring_file}, and without the one that the database "
            f"{settings.shown_database_url} was written with nothing sealed in it can be opened: restore it"
        )


def _wrong_schema(settings: Settings, revision: str | None) -> CommandError:
    state = f"is at revision {revision}, and this release needs {schema.HEAD}" if revision else "has no tables yet"
    return CommandError(f"the database {settings.shown_database_url} {state}: run `almoner migrate`")


def _unavailable(settings: Settings) -> CommandError:
    return CommandError(f"the database {settings.shown_database_url} is not available")


def _unfinished(settings: Settings) -> CommandError:
    return CommandError(
        f"an import into the database {settings.shown_database_url} is not finished: `almoner import --resume` goes on"
    )


def _mismatch(settings: Settings) -> CommandError:
    return CommandError(
        f"the database {settings.shown_database_url} was written with another keyring than {settings.keyring_file}, "
        "which cannot open what is sealed in it"
    )


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"the directory {directory} cannot be made: {error.strerror}") from None
