# SPDX-License-Identifier: Apache-2.0
"""Databases for tests: one of each backend is migrated and started once, and every test gets a copy of its own."""

from __future__ import annotations

import itertools
import os
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import asyncpg

from service.clock import system_clock
from service.server import open_service
from service.settings import Settings, load_settings
from service.storage.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

ADMIN_PASSWORD = "correct horse battery staple"
ADMIN_TOKEN = "test-api-token-of-admin"

_NUMBERS = itertools.count(1)


class Template(Protocol):
    """A database that has been started once."""

    def copy(self, directory: Path, **overrides: Any) -> AbstractAsyncContextManager[Settings]:
        """Makes a copy that lives as long as the context, and gives the settings of a service over it."""
        ...

    def of(self, settings: Settings) -> Template:
        """Returns a copy, whose service has ended, as a template of its own."""
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
    service = open_service(settings, system_clock)
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

    def of(self, settings: Settings) -> SqliteTemplate:
        return SqliteTemplate(settings.data_dir)


async def make_sqlite_template(directory: Path) -> SqliteTemplate:
    """Makes a database file and starts a service on it once."""
    await _start_once(settings_for(directory))
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


@dataclass
class PostgresTemplate:
    """A database of a server, with a keyring in a directory."""

    server_url: str
    name: str
    directory: Path

    @classmethod
    async def make(cls, server_url: str, directory: Path) -> PostgresTemplate:
        """Makes a database in a server and starts a service on it once."""
        await _forgo_safety(server_url)
        template = cls(server_url, f"template_{os.getpid()}", directory)
        await template.run(f"CREATE DATABASE {template.name}")
        await _start_once(settings_for(directory, database_url=template.url_of(template.name)))
        return template

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
        name = f"test_{os.getpid()}_{next(_NUMBERS)}"
        await self.run(f"CREATE DATABASE {name} TEMPLATE {self.name} STRATEGY WAL_LOG")
        try:
            yield settings_for(directory, database_url=self.url_of(name), **overrides)
        finally:
            await self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def of(self, settings: Settings) -> PostgresTemplate:
        return PostgresTemplate(self.server_url, urlsplit(settings.database_url).path[1:], settings.data_dir)
