# SPDX-License-Identifier: Apache-2.0
"""What has ended is kept for its time, then goes in small batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from service.clock import DAY, HOUR, MINUTE
from service.grants import housekeeping
from service.grants.tables import DeviceAuthorizationRow, GrantRow, UsedRefreshTokenRow
from service.storage.tables import table_of
from tests.running import running
from tests.service.grants.tokens.counter import Counter, Time, duration, open_counter, reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from service.storage.tables import StoredRow
    from tests.databases import Template


@pytest.fixture
async def counter(template: Template, tmp_path: Path) -> AsyncIterator[Counter]:
    """A counter of a service of its own, which keeps ended grants for two hours."""
    time = Time()
    async with running(template, tmp_path, clock=time, grant_retention=2) as almoner:
        yield await open_counter(almoner, time)


async def tidy(counter: Counter) -> None:
    await counter.almoner.service.background._tidy()


async def count(counter: Counter, row_class: type[StoredRow]) -> int:
    statement = select(func.count()).select_from(table_of(row_class))
    found: int = await counter.almoner.service.store.read(lambda tx: tx.execute(statement).scalar_one())
    return found


async def test_an_expired_grant_goes_after_its_retention(counter: Counter) -> None:
    await counter.change_rule("grant_lifetime", grant_lifetime=duration(HOUR))
    await counter.issue_on_word("a")
    await counter.change_rule("grant_lifetime", grant_lifetime=duration(DAY))
    kept = await counter.issue_on_word("a")
    counter.time.pass_by(3 * HOUR)
    await tidy(counter)
    assert await count(counter, GrantRow) == 2
    counter.time.pass_by(1)
    await tidy(counter)
    assert await count(counter, GrantRow) == 1
    assert await counter.is_good(kept.access_token)


async def test_a_revoked_grant_goes_too_with_what_it_has_used(counter: Counter) -> None:
    first = await counter.issue_on_word("a")
    second = await counter.refresh(first.refresh_token)
    await counter.revoke(second.access_token)
    counter.time.pass_by(2 * HOUR)
    await tidy(counter)
    assert await reason_of(counter.refresh(first.refresh_token)) == "REFRESH_TOKEN_REUSED"
    counter.time.pass_by(1)
    await tidy(counter)
    assert (await count(counter, GrantRow), await count(counter, UsedRefreshTokenRow)) == (0, 0)
    assert await reason_of(counter.refresh(first.refresh_token)) == "TOKEN_INVALID"


async def test_the_replay_of_a_token_of_a_living_grant_is_recognised_for_thirty_days(counter: Counter) -> None:
    first = await counter.issue_on_word("a")
    second = await counter.refresh(first.refresh_token)
    counter.time.pass_by(30 * DAY)
    await tidy(counter)
    assert await count(counter, UsedRefreshTokenRow) == 1
    counter.time.pass_by(1)
    await tidy(counter)
    assert await count(counter, UsedRefreshTokenRow) == 0
    assert await counter.is_good(second.access_token)


async def test_devices_go_when_they_expire(counter: Counter) -> None:
    await counter.start_device()
    counter.time.pass_by(5 * MINUTE)
    await tidy(counter)
    assert await count(counter, DeviceAuthorizationRow) == 1
    counter.time.pass_by(1)
    await tidy(counter)
    assert await count(counter, DeviceAuthorizationRow) == 0


async def test_however_many_they_are(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    many = housekeeping.BATCH + 3
    for _ in range(3):
        await counter.start_device()
    table = table_of(DeviceAuthorizationRow)

    def fill(tx: object) -> None:
        row = {"application_number": counter.application.number, "scopes": "a", "decision": 0, "polled": 0}
        rows = [
            {**row, "device_code": b"d%d" % n, "user_code": b"u%d" % n, "expires": counter.time.now}
            for n in range(many)
        ]
        tx.execute(table.insert(), rows)  # type: ignore[attr-defined]

    await counter.almoner.service.store.sweep(fill)
    counter.time.pass_by(1)
    await tidy(counter)
    assert await count(counter, DeviceAuthorizationRow) == 3
