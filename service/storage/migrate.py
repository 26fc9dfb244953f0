# SPDX-License-Identifier: Apache-2.0
"""Brings a database to the schema of this release, or back (alembic). One process at a time does so.

Alembic is imported only when there is something to do: looking whether there is takes one statement.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import create_engine, inspect, text

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

HEAD: Final = "0009"
"""The newest revision, which this release works with; a test holds it to the migrations."""

LATEST: Final = "head"

# Any number will do that nobody else takes in this database.
_LOCK: Final = 0x616C6D6F6E6572

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def current_revision(connection: Connection) -> str | None:
    """Returns the revision that a database is at, None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return str(found) if found is not None else None


async def revision_of(url: str) -> str | None:
    """Returns the revision that the database at a URL is at, None for an empty one."""
    if url.startswith("sqlite"):
        engine = create_engine(url, hide_parameters=True)
        try:
            with engine.connect() as connection:
                return current_revision(connection)
        finally:
            engine.dispose()
    remote = _remote_engine(url)
    try:
        async with remote.connect() as connection_:
            return await connection_.run_sync(current_revision)
    finally:
        await remote.dispose()


async def migrate(url: str, revision: str = LATEST) -> None:
    """Migrates the database at a URL, up or down, to a revision (`base`: empty), under a lock.

    Raises:
        DBAPIError: the database cannot be reached, or a migration fails; it is rolled back.
    """
    if url.startswith("sqlite"):
        engine = create_engine(url, hide_parameters=True, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text("PRAGMA busy_timeout=60000"))
                connection.execute(text("PRAGMA journal_mode=WAL"))
                connection.execute(text("BEGIN IMMEDIATE"))
                try:
                    _run(connection, revision)
                    connection.execute(text("COMMIT"))
                except BaseException:
                    connection.execute(text("ROLLBACK"))
                    raise
        finally:
            engine.dispose()
        return
    remote = _remote_engine(url)
    try:
        async with remote.begin() as transaction:
            await transaction.execute(text("SET LOCAL lock_timeout = '60s'"))
            await transaction.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            await transaction.run_sync(_run, revision)
    finally:
        await remote.dispose()


def _remote_engine(url: str) -> AsyncEngine:
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - the embedded store does without

    return create_async_engine(url, hide_parameters=True)


def configuration(connection: Connection) -> Config:
    """Returns alembic's configuration for a connection that is inside a transaction."""
    from alembic.config import Config  # noqa: PLC0415 - see the module's docstring

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _run(connection: Connection, revision: str) -> None:
    from alembic import command  # noqa: PLC0415 - see the module's docstring
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = configuration(connection)
    script = ScriptDirectory.from_config(config)
    wanted = script.get_current_head() if revision == LATEST else revision
    now = current_revision(connection)
    if wanted == now:
        return
    ancestors = {step.revision for step in script.iterate_revisions(now, "base")} if now else set()
    move = command.downgrade if wanted == "base" or wanted in ancestors else command.upgrade
    move(config, str(wanted))
