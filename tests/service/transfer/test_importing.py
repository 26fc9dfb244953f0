# SPDX-License-Identifier: Apache-2.0
"""What the command cannot show of an import: two at once, and a batch that is refused though its rows are not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from service.clock import system_clock
from service.crypto.keyring import Keyring
from service.storage.migrate import migrate
from service.transfer import importing
from service.transfer.contents import Choice
from service.transfer.exporting import export
from service.transfer.importing import Import, verified
from service.transfer.lines import TransferError
from tests.databases import settings_for
from tests.service.transfer.house import contents_of, furnish, store_of

if TYPE_CHECKING:
    from pathlib import Path

    from service.settings import Settings
    from service.transfer.importing import Source
    from tests.databases import SqliteTemplate


@pytest.fixture
async def source(sqlite_template: SqliteTemplate, tmp_path: Path) -> Source:
    """A file of a house."""
    path = tmp_path / "house.jsonl"
    async with sqlite_template.copy(tmp_path / "source") as settings:
        await furnish(settings)
        keyring = Keyring.open(settings.keyring_file)
        async with store_of(settings) as store:
            with path.open("wb") as file:
                await store.snapshot(partial(export, file=file, keyring=keyring, choice=Choice(), time=""))
    return verified(path)


@pytest.fixture
async def empty(tmp_path: Path) -> Settings:
    """A database where no server was started."""
    (tmp_path / "target").mkdir()
    settings = settings_for(tmp_path / "target")
    Keyring.open_or_create(settings.keyring_file, system_clock)
    await migrate(settings.database_url)
    return settings


async def test_of_two_imports_at_once_one_ends_and_nothing_is_there_twice(
    source: Source, empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "ROWS_AT_ONCE", 20)
    async with store_of(empty) as store:
        first, second = Import(store, source), Import(store, source)
        start = await first.begin()
        assert await second.resume() == start
        done = await first.run(start)
        with pytest.raises(TransferError, match="another import into the database is at work"):
            await second.run(start)
    assert {name: len(rows) for name, rows in (await contents_of(empty)).items() if rows} == done.rows


async def test_looking_for_the_row_that_is_refused_leaves_nothing_behind(source: Source, empty: Settings) -> None:
    with source.path.open("rb") as file:
        file.seek(source.start)
        batch = importing._next_batch(file, 1, source.end)
    async with store_of(empty) as store:
        with pytest.raises(TransferError, match=f"^lines 2 to {len(batch) + 1}: the database refused the rows"):
            await store.sweep(partial(importing._find_refused, batch))
    assert not any((await contents_of(empty)).values())


def test_how_far_it_is_is_told(source: Source) -> None:
    told: list[tuple[int, int]] = []
    verified(source.path, lambda done, total: told.append((done, total)))
    assert told[-1] == (source.end, source.end)
