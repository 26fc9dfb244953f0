# SPDX-License-Identifier: Apache-2.0
"""The indexes of parts of names follow the rows, whoever writes them, and migrations make them of the rows there are."""

from __future__ import annotations

import importlib
import os
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from almoner.v1 import (
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
    directory_service_pb2,
    profile_pb2,
)
from service.applications.queries import APPLICATIONS
from service.profiles.queries import PROFILES
from service.storage.migrate import migrate
from tests.running import running
from tests.service.profiles.desk import open_desk, own

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databases import PostgresTemplate, SqliteTemplate, Template
    from tests.running import Almoner

INDEXED = importlib.import_module("service.storage.migrations.versions.0005_trigrams").INDEXED

ORGANIZATION = "INSERT INTO organizations VALUES (77, 'o77', 'Old', '', false, 1, 1, 1)"
USER = (
    "INSERT INTO users (id, organization, username, display_name, email, password_digest, password_expires,"
    " credential_revision, disabled, locked, permissions, created, updated, revision)"
    " VALUES (77, 77, 'old', '', '', '', 0, 1, false, false, '', 1, 1, 1)"
)
PROFILE = (
    "INSERT INTO profiles (organization, owner_id, creator_id, name, description, provider, client_id,"
    " created, updated, revision) VALUES (77, 77, 77, '{name}', '', '', '', 1, 1, 1)"
)


def test_every_field_that_says_it_has_an_index_is_in_the_migrations() -> None:
    fields: list[Any] = [*PROFILES.fields.values(), *APPLICATIONS.fields.values()]
    assert {(field.column.table.name, field.column.name) for field in fields if field.has_trigrams} == {
        (table, column) for table, _, column in INDEXED
    }


def check_indexes(path: Path) -> None:
    """Compares what each index says with what the rows say: how many of them have each part."""
    with closing(sqlite3.connect(path)) as connection:
        for table, _, column in INDEXED:
            said = f"temp.said_of_{table}_{column}"  # a view of the index
            index = f"{table}_{column}_trigrams"
            connection.execute(f"CREATE VIRTUAL TABLE {said} USING fts5vocab(main, {index}, row)")
            indexed = dict(connection.execute(f"SELECT term, doc FROM {said}").fetchall())  # noqa: S608 - ours
            texts = [text for (text,) in connection.execute(f"SELECT lower({column}) FROM {table}")]  # noqa: S608
            there = Counter(part for text in texts for part in {text[n : n + 3] for n in range(len(text) - 2)})
            assert indexed == dict(there)


async def test_sqlite_follows_all_that_the_service_writes(sqlite_template: SqliteTemplate, tmp_path: Path) -> None:
    async with running(sqlite_template, tmp_path) as almoner:
        path = almoner.settings.sqlite_path
        assert path is not None
        desk = await open_desk(almoner)
        await desk.create(own("Kept ÉLAN 😀"))
        check_indexes(path)
        renamed = await desk.create(own("Before"))
        await desk.update(profile_pb2.Profile(id=renamed.id, name="After %_"), "name")
        await desk.update(profile_pb2.Profile(id=renamed.id, description="another"), "description")
        check_indexes(path)
        assert await desk.names(filter='name:"ter %_"') == ["After %_"]
        assert await desk.names(filter="name:before") == []
        await desk.delete((await desk.create(own("Deleted"))).id)
        check_indexes(path)
        application = await desk.application()
        await desk.create(profile_pb2.Profile(name="Of an application", application_number=application.number))
        check_indexes(path)
        await _delete_application(almoner, application)
        check_indexes(path)
        somebody = await desk.user()
        await desk.create(own("Of a user"), by=somebody.by)
        await almoner.directory.DeleteUser(
            directory_service_pb2.DeleteUserRequest(id=somebody.id, cascade=True), metadata=almoner.as_admin_token
        )
        check_indexes(path)
        assert await desk.names() == ["Kept ÉLAN 😀", "After %_"]


async def _delete_application(almoner: Almoner, application: application_pb2.Application) -> None:
    stub: Any = application_service_pb2_grpc.ApplicationServiceStub(almoner.channel)
    request = application_service_pb2.DeleteApplicationRequest(id=application.id, cascade=True)
    await stub.DeleteApplication(request, metadata=almoner.as_admin_token)


async def test_sqlite_follows_a_shell(sqlite_template: SqliteTemplate, tmp_path: Path) -> None:
    async with sqlite_template.copy(tmp_path) as settings:
        path = settings.sqlite_path
        assert path is not None
        for statement in (
            ORGANIZATION,
            USER,
            *(PROFILE.format(name=name) for name in ("One", "Two", "Three", "it''s four", "")),
            "UPDATE profiles SET name = upper(name) || '!' WHERE name LIKE 'T%'",
            "UPDATE profiles SET name = name",
            "UPDATE profiles SET id = id + 100",
            "DELETE FROM profiles WHERE name = 'TWO!'",
            "UPDATE applications SET id = 'renamed', name = 'Also'",
            "DELETE FROM profiles",
        ):
            with closing(sqlite3.connect(path)) as shell, shell:
                shell.execute(statement)
            check_indexes(path)


async def test_a_write_that_fails_leaves_no_trace(sqlite_template: SqliteTemplate, tmp_path: Path) -> None:
    async with sqlite_template.copy(tmp_path) as settings:
        path = settings.sqlite_path
        assert path is not None
        with closing(sqlite3.connect(path, isolation_level=None)) as shell:
            shell.execute("BEGIN")
            for statement in (ORGANIZATION, USER, "SAVEPOINT one", PROFILE.format(name="Undone"), "ROLLBACK TO one"):
                shell.execute(statement)
            shell.execute(PROFILE.format(name="Done"))
            shell.execute("COMMIT")
        check_indexes(path)


async def test_migrations_make_the_indexes_of_rows_that_are_there(template: Template, tmp_path: Path) -> None:
    async with template.copy(tmp_path) as settings:
        await migrate(settings.database_url, "0004")
        await _run(settings.database_url, ORGANIZATION, USER, PROFILE.format(name="Zebra crossing"))
        await migrate(settings.database_url)
        if settings.sqlite_path is not None:
            check_indexes(settings.sqlite_path)
        async with template.of(settings) as migrated, running(migrated, tmp_path / "again") as almoner:
            desk = await open_desk(almoner)
            listed = await desk.page(almoner.as_admin_token, organization_id="-", filter="name:RA_CR OR name:'RA CR'")
            assert [profile.name for profile in listed.profiles] == ["Zebra crossing"]


async def test_going_back_leaves_nothing_of_the_indexes(sqlite_template: SqliteTemplate, tmp_path: Path) -> None:
    async with sqlite_template.copy(tmp_path) as settings:
        await migrate(settings.database_url, "0004")
        with closing(sqlite3.connect(settings.sqlite_path or "")) as connection:
            left = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '%trigrams%'").fetchall()
        assert left == []


async def _run(url: str, *statements: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as shell, shell:
            for statement in statements:
                shell.execute(statement)
        return
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("may_create", [True, False])
async def test_postgresql_has_them_where_it_lets_the_extension_in(
    postgres_template: PostgresTemplate, *, may_create: bool
) -> None:
    """Without the right to create in the database the migration goes on: lists answer the same, only slower."""
    name = f"trigrams_{os.getpid()}"
    url = postgres_template.url_of(name)
    await postgres_template.run(f"CREATE DATABASE {name}")
    await postgres_template.run(f"CREATE ROLE {name} LOGIN PASSWORD 'pw'")
    try:
        await _run(url, f"GRANT ALL ON SCHEMA public TO {name}")
        if may_create:
            await _run(url, f"GRANT CREATE ON DATABASE {name} TO {name}")
        theirs = url.replace("postgresql://postgres@", f"postgresql://{name}:pw@")
        await migrate(theirs.replace("postgresql://", "postgresql+asyncpg://"))
        connection = await asyncpg.connect(url)
        made = await connection.fetch("SELECT indexname FROM pg_indexes WHERE indexname LIKE '%trigrams'")
        await connection.close()
        wanted = {f"ix_{table}_{column}_trigrams" for table, _, column in INDEXED} if may_create else set()
        assert {row["indexname"] for row in made} == wanted
    finally:
        await postgres_template.run(f"DROP DATABASE {name} WITH (FORCE)")
        await postgres_template.run(f"DROP ROLE {name}")
