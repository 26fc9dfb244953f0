# SPDX-License-Identifier: Apache-2.0
"""What runs beside the calls: the health that follows the database, sealing, and housekeeping."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service import background
from service.clock import HOUR, system_clock
from service.crypto.keyring import Keyring
from tests.refusals import refusal_of
from tests.resilience.wire import wired
from tests.running import running, running_on
from tests.service.applications.vault import Vault
from tests.service.audit.trail import Trail
from tests.service.grants.tokens.counter import Time
from tests.service.profiles.desk import open_desk, own

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.databases import PostgresTemplate, SqliteTemplate, Template
    from tests.running import Almoner

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the tasks run so often that nobody has to wait for them."""
    for interval in ("HEALTH_INTERVAL", "SEAL_INTERVAL", "TIDY_INTERVAL", "USES_INTERVAL"):
        monkeypatch.setattr(background, interval, 0.02)
    monkeypatch.setattr(background, "HEALTH_TIMEOUT", 0.2)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits for what a task brings about."""
    give_up = time.monotonic() + 20
    while not await condition():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.01)


async def health(almoner: Almoner) -> int:
    stub: Any = health_pb2_grpc.HealthStub(almoner.channel)
    return int((await stub.Check(health_pb2.HealthCheckRequest())).status)


async def is_serving(almoner: Almoner) -> bool:
    return await health(almoner) == SERVING


async def is_not_serving(almoner: Almoner) -> bool:
    return await health(almoner) == NOT_SERVING


async def test_health_is_known_as_soon_as_the_service_has_started(almoner: Almoner) -> None:
    assert await is_serving(almoner)


@pytest.mark.parametrize("over_grpc", [False, True])
async def test_health_follows_a_database_that_goes_and_comes_back(
    postgres_template: PostgresTemplate, tmp_path: Path, *, over_grpc: bool
) -> None:
    async with (
        wired(postgres_template, tmp_path) as (wire, settings),
        running_on(settings, over_grpc=over_grpc) as almoner,
    ):
        desk = await open_desk(almoner)
        await wire.cut()
        await until(lambda: is_not_serving(almoner))
        refusal = await refusal_of(desk.create(own()))
        assert (refusal.code.name, refusal.reason) == ("UNAVAILABLE", "STORAGE_UNAVAILABLE")

        await wire.mend()
        await until(lambda: is_serving(almoner))
        await desk.create(own())
        assert await desk.names() == ["Grant"]


async def test_health_follows_a_database_that_does_not_answer(
    postgres_template: PostgresTemplate, tmp_path: Path
) -> None:
    async with wired(postgres_template, tmp_path) as (wire, settings), running_on(settings) as almoner:
        wire.hang()
        await until(lambda: is_not_serving(almoner))
        await wire.mend()
        await until(lambda: is_serving(almoner))


async def test_a_service_that_starts_without_its_database_says_so(
    postgres_template: PostgresTemplate, tmp_path: Path
) -> None:
    async with wired(postgres_template, tmp_path) as (wire, settings):
        await wire.cut()
        async with running_on(settings) as almoner:
            assert await is_not_serving(almoner)
            await wire.mend()
            await until(lambda: is_serving(almoner))


async def test_health_follows_a_file_that_was_damaged(sqlite_template: SqliteTemplate, tmp_path: Path) -> None:
    async with running(sqlite_template, tmp_path) as almoner:
        desk = await open_desk(almoner)
        driver = almoner.service.store._driver  # type: ignore[attr-defined]
        await almoner.service.store.write(lambda _: None)
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        path = almoner.settings.sqlite_path
        assert path is not None
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.write(b"\xff" * size)
        refusal = await refusal_of(desk.create(own()))
        assert refusal.reason == "STORAGE_UNAVAILABLE"
        await until(lambda: is_not_serving(almoner))


async def test_events_are_sealed_without_being_asked(almoner: Almoner) -> None:
    trail = Trail(almoner.service)
    await trail.record(3)

    async def all_sealed() -> bool:
        return (await trail.verify()).unsealed == 0

    await until(all_sealed)
    assert (await trail.verify()).events == 4


async def test_a_signing_key_leaves_the_file_when_it_is_published_no_longer(
    sqlite_template: SqliteTemplate, tmp_path: Path
) -> None:
    ahead = [0]
    async with running(sqlite_template, tmp_path, clock=lambda: system_clock() + ahead[0]) as almoner:
        keyring = almoner.service.keyring
        added = keyring.rotate_signing("ES256", almoner.service.clock, delay=0, overlap=HOUR)
        assert len(keyring.signing_keys) == 2
        ahead[0] = 2 * HOUR

        async def only_the_new_one() -> bool:
            return Keyring.open(almoner.settings.keyring_file).signing_keys == (added,)

        await until(only_the_new_one)


async def test_a_keyring_that_is_away_ends_no_housekeeping(sqlite_template: SqliteTemplate, tmp_path: Path) -> None:
    ahead = [0]
    async with running(sqlite_template, tmp_path, clock=lambda: system_clock() + ahead[0]) as almoner:
        path = almoner.settings.keyring_file
        added = almoner.service.keyring.rotate_signing("ES256", almoner.service.clock, delay=0, overlap=HOUR)
        contents = path.read_bytes()
        path.unlink()
        with structlog.testing.capture_logs() as logs:
            ahead[0] = 2 * HOUR

            async def failed() -> bool:
                return any(entry["event"] == "background.failed" for entry in logs)

            await until(failed)
        path.write_bytes(contents)

        async def only_the_new_one() -> bool:
            return Keyring.open(path).signing_keys == (added,)

        await until(only_the_new_one)


async def test_sealing_goes_on_after_the_database_was_away(postgres_template: PostgresTemplate, tmp_path: Path) -> None:
    async with wired(postgres_template, tmp_path) as (wire, settings), running_on(settings) as almoner:
        trail = Trail(almoner.service)
        await trail.record(2)
        await wire.cut()
        await until(lambda: is_not_serving(almoner))
        await wire.mend()
        await until(lambda: is_serving(almoner))
        await trail.record(2)

        async def all_sealed() -> bool:
            return (await trail.verify()).unsealed == 0

        await until(all_sealed)
        assert (await trail.verify()).broken_at is None


async def test_replies_are_kept_for_their_time_and_then_forgotten(template: Template, tmp_path: Path) -> None:
    now = system_clock()
    async with running(template, tmp_path, clock=lambda: now, request_id_retention=2) as almoner:
        desk, trail = await open_desk(almoner), Trail(almoner.service)
        request_id = str(uuid.uuid4())
        first = await desk.create(own(), request_id=request_id)

        now += 2 * HOUR
        await almoner.service.background._tidy()
        assert await desk.create(own(), request_id=request_id) == first

        now += 1
        await until(lambda: _is_empty(trail, "request_replies"))
        assert (await desk.create(own(), request_id=request_id)).id != first.id


async def test_the_last_use_of_a_secret_is_written_without_being_asked(template: Template, tmp_path: Path) -> None:
    time = Time()
    async with running(template, tmp_path, clock=time) as almoner:
        vault = Vault(almoner, time)
        held = await vault.client()
        assert await vault.lets_in(held.id, held.secret)

        async def written() -> bool:
            return [row.last_used for row in await vault.secrets(held.application)] == [time.now]

        await until(written)


async def _is_empty(trail: Trail, table: str) -> bool:
    return await trail.scalars(f"SELECT 1 FROM {table}") == []  # noqa: S608 - a name from this file


async def test_the_tasks_end_with_the_service(sqlite_template: SqliteTemplate, tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with running(sqlite_template, tmp_path):
        assert len(asyncio.all_tasks() - before) >= 3
    assert asyncio.all_tasks() <= before
