# SPDX-License-Identifier: Apache-2.0
"""Databases for tests: one of each backend is migrated and started once, and every test gets a copy of its own."""

from __future__ import annotations

import itertools
import os
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import asyncpg

from service.clock import system_clock
from service.crypto.passwords import Cost
from service.server import open_service
from service.settings import Settings, load_settings
from service.storage.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

ADMIN_PASSWORD = "correct horse battery staple"
ADMIN_TOKEN = "test-api-token-of-admin"

CHEAP = Cost(memory_kib=8, passes=1)
"""The least that argon2id takes: thousands of tests make users and clients, and few are about what a digest costs."""

_NUMBERS = itertools.count(1)


class Template(Protocol):
    """A database that has been started once."""

    def copy(self, directory: Path, **overrides: Any) -> AbstractAsyncContextManager[Settings]:
        """Makes a copy that lives as long as the context, and gives the settings of a service over it."""
        ...

    def of(self, settings: Settings) -> AbstractAsyncContextManager[Template]:
        """Makes a template of a copy whose service has ended."""
        ...


def settings_for(directory: Path, **overrides: Any) -> Settings:
    """Returns settings of a service whose files are in a directory and whose listeners pick their ports."""
    defaults = {
        "data_dir": str(directory),
        "bootstrap_admin_password": ADMIN_PASSWORD,
        "bootstrap_api_token": ADMIN_TOKEN,
        "rest_listen": "127.0.0.1:0",
        "grpc_listen": "127.0.0.1:0",
    }
    return load_settings({**defaults, **overrides})


async def _start_once(settings: Settings) -> None:
    await migrate(settings.database_url)
    service = open_service(settings, system_clock, password_cost=CHEAP)
    await service.bootstrap()
    await service.close()


@dataclass
class SqliteTemplate:
    """A database file with its keyring."""

    directory: Path

    @asynccontextmanager
    async def copy(self, directory: Path, **overrides: Any) -> AsyncIterator[Settings]:
        directory.mkdir(parents=True, exist_ok=True)
        for name in ("almoner.db", "keyring.json"):
            shutil.copy(self.directory / name, directory / name)
        yield settings_for(directory, **overrides)

    @asynccontextmanager
    async def of(self, settings: Settings) -> AsyncIterator[SqliteTemplate]:
        yield SqliteTemplate(settings.data_dir)


async def make_sqlite_template(directory: Path, **overrides: Any) -> SqliteTemplate:
    """Makes a database file and starts a service on it once."""
    await _start_once(settings_for(directory, **overrides))
    return SqliteTemplate(directory)


async def _forgo_safety(server_url: str) -> None:
    """Lets a server of the tests' own answer before the disk does: copies of databases become ten times cheaper."""
    connection = await asyncpg.connect(server_url)
    try:
        for setting in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
            await connection.execute(f"ALTER SYSTEM SET {setting} = off")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


TERMINATE_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)

DROP_NEW_TABLES = """
    DO $$
    DECLARE
        made text;
    BEGIN
        FOR made IN
            SELECT tablename FROM pg_tables WHERE schemaname = 'public'
            EXCEPT SELECT tablename FROM pg_tables WHERE schemaname = '{kept}'
        LOOP
            EXECUTE format('DROP TABLE public.%I CASCADE', made);
        END LOOP;
    END
    $$
"""


async def _keep_rows(url: str) -> str:
    """Keeps the rows of all tables in another schema, and returns statements that make them all there is."""
    # A name for each template: what is a copy of one may be another itself.
    kept = f"kept_{next(_NUMBERS)}"
    connection = await asyncpg.connect(url)
    try:
        tables = [
            row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        await connection.execute(f"CREATE SCHEMA {kept}")
        for table in tables:
            await connection.execute(f"CREATE TABLE {kept}.{table} AS TABLE public.{table}")
        sequences = await connection.fetch("SELECT sequencename, last_value FROM pg_sequences")
    finally:
        await connection.close()
    return ";".join(
        [
            # Whoever is still connected belongs to a test that is over.
            TERMINATE_OTHERS,
            DROP_NEW_TABLES.replace("{kept}", kept),
            # Neither foreign keys nor their order matter where all of them end as they began.
            "SET session_replication_role = replica",
            *(f"DELETE FROM public.{table}" for table in tables),  # noqa: S608 - the names are our own
            *(f"INSERT INTO public.{table} SELECT * FROM {kept}.{table}" for table in tables),  # noqa: S608
            *(
                f"SELECT setval('public.{name}', {last or 1}, {'false' if last is None else 'true'})"
                for name, last in sequences
            ),
        ]
    )


@dataclass
class PostgresTemplate:
    """A database of a server, with a keyring in a directory.

    Copies are used again: to bring one back to what it was copied from takes a tenth of the time of another one.

    Attributes:
        server_url: Address of the server's own database.
        name: Name of the database.
        directory: Where the keyring is.
        restore: Statements that bring a copy back to what it was.
        spare: Names of the copies that nobody uses.
        keepers: The connection by which a copy is brought back: a new one would have to learn all of the schema first.
    """

    server_url: str
    name: str
    directory: Path
    restore: str = ""
    spare: list[str] = field(default_factory=list)
    keepers: dict[str, asyncpg.Connection] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def make(cls, server_url: str, directory: Path) -> AsyncIterator[PostgresTemplate]:
        """Makes a database in a server and starts a service on it once."""
        await _forgo_safety(server_url)
        template = cls(server_url, f"template_{os.getpid()}", directory)
        await template.run(f"CREATE DATABASE {template.name}")
        await _start_once(settings_for(directory, database_url=template.url_of(template.name)))
        async with template._opened():
            yield template

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        self.restore = await _keep_rows(self.url_of(self.name))
        yield
        for name in list(self.keepers):
            await self._let_go(name)

    def url_of(self, name: str) -> str:
        """Returns the address of a database of the server."""
        base, _, query = self.server_url.partition("?")
        return f"{base.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")

    async def run(self, statement: str) -> None:
        """Runs a statement outside any transaction, in the server's own database."""
        connection = await asyncpg.connect(self.server_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    @asynccontextmanager
    async def copy(self, directory: Path, **overrides: Any) -> AsyncIterator[Settings]:
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.directory / "keyring.json", directory / "keyring.json")
        name = self.spare.pop() if self.spare else await self._new()
        try:
            yield settings_for(directory, database_url=self.url_of(name), **overrides)
        finally:
            if await self._restored(name):
                self.spare.append(name)
            else:
                await self._let_go(name)
                await self.run(f"DROP DATABASE {name} WITH (FORCE)")

    async def _new(self) -> str:
        name = f"test_{os.getpid()}_{next(_NUMBERS)}"
        await self.run(f"CREATE DATABASE {name} TEMPLATE {self.name} STRATEGY WAL_LOG")
        return name

    async def _restored(self, name: str) -> bool:
        """Brings a copy back to what it was; returns False where that cannot be, because its tables are not there."""
        try:
            if name not in self.keepers:
                self.keepers[name] = await asyncpg.connect(self.url_of(name))
            await self.keepers[name].execute(self.restore)
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    async def _let_go(self, name: str) -> None:
        keeper = self.keepers.pop(name, None)
        if keeper is not None:
            await keeper.close()

    @asynccontextmanager
    async def of(self, settings: Settings) -> AsyncIterator[PostgresTemplate]:
        name = urlsplit(settings.database_url).path[1:]
        # PostgreSQL copies no database that somebody is connected to.
        await self._let_go(name)
        template = PostgresTemplate(self.server_url, name, settings.data_dir)
        async with template._opened():
            yield template
