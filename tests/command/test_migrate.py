# SPDX-License-Identifier: Apache-2.0
"""`almoner migrate` up, down and --check."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from service.storage.migrate import HEAD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.command.processes import Almoner
    from tests.databases import PostgresTemplate


@pytest.fixture
async def empty_postgresql(postgres_template: PostgresTemplate) -> AsyncIterator[str]:
    """The URL of a database without tables."""
    name = f"empty_{os.getpid()}"
    await postgres_template.run(f"CREATE DATABASE {name}")
    yield postgres_template.url_of(name)
    await postgres_template.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, new: Almoner) -> Almoner:
    """The command with an empty database of each backend."""
    if request.param == "postgresql":
        new.environment["ALMONER_DATABASE_URL"] = request.getfixturevalue("empty_postgresql")
    return new


def test_it_goes_up_and_down_and_says_where_it_is(empty: Almoner) -> None:
    def check() -> tuple[int, str]:
        result = empty.run("migrate", "--check")
        assert result.stderr == ""
        return result.returncode, result.stdout.partition(" is at ")[2]

    assert check() == (1, f"base; the newest revision is {HEAD}\n")
    assert not (empty.directory / "data").exists(), "looking makes nothing"
    assert empty.done("migrate").endswith(f" is at {HEAD}\n")
    assert check() == (0, f"{HEAD}; the newest revision is {HEAD}\n")
    assert empty.done("migrate", "--to", "base").endswith(" is at base\n")


def test_an_unknown_revision_is_one_line(new: Almoner) -> None:
    result = new.run("migrate", "--to", "tomorrow", "--log-level", "warning")
    assert result.returncode == 1
    assert result.stderr == "almoner: the database was not migrated: Can't locate revision identified by 'tomorrow'\n"
