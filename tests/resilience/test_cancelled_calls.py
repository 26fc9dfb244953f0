# SPDX-License-Identifier: Apache-2.0
"""Hundreds of callers give up at random moments: afterwards nothing is left open, and nothing is there by half."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from grpc.aio import AioRpcError
from sqlalchemy import text

from service.storage.postgresql import PostgresStore
from service.storage.sqlite import SqliteStore
from tests.service.audit.trail import Trail
from tests.service.profiles.desk import CONNECTION, TOKENS, Desk, Profile, open_desk, own

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from service.storage.store import Store
    from tests.running import Almoner

CALLERS = 16
CALLS = 40
"""Of each caller."""

_NUMBERS = itertools.count(1)


def patience(chance: random.Random) -> float:
    """Returns the seconds after which a caller gives up: from far less to far more than any call takes."""
    return float(10 ** chance.uniform(-4, -0.3))


def both_tokens() -> dict[str, Any]:
    """Returns two tokens that are always written together."""
    number = next(_NUMBERS)
    return {"access_token": f"{number}", "refresh_token": f"{number}"}


def random_call(desk: Desk, profiles: list[Profile], chance: random.Random) -> Coroutine[Any, Any, Any]:
    """Returns a call of any kind."""
    profile = chance.choice(profiles)
    calls: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "create": lambda: desk.create(own(**both_tokens())),
        "update": lambda: desk.update(Profile(id=profile.id, **both_tokens())),
        "delete": lambda: desk.delete(profile.id, force=True),
        "reveal": lambda: desk.get(profile.id, view=TOKENS),
        "read": lambda: desk.get(profile.id),
        "list": desk.page,
        "search": lambda: desk.page(filter="name:grant", order_by="update_time desc"),
        "link": lambda: desk.link(CONNECTION, profile),
        "organization": lambda: open_desk(desk.almoner),
    }
    weights = {"create": 4, "update": 8, "reveal": 4}
    name = chance.choices(list(calls), [weights.get(name, 1) for name in calls])[0]
    return calls[name]()


async def give_up_on(call: Coroutine[Any, Any, Any], seconds: float) -> str:
    """Makes a call, gives up after a while, and returns what came of it."""
    task = asyncio.create_task(call)
    await asyncio.wait({task}, timeout=seconds)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return "cancelled"
    except AioRpcError as error:
        return error.code().name
    return "OK"


async def nothing_is_left_open(store: Store) -> None:
    """Checks that every connection is where it belongs, outside any transaction."""
    if isinstance(store, SqliteStore):
        async with asyncio.timeout(10):
            while store._writing is not None:  # noqa: ASYNC110 - the store tells nobody that it rests
                await asyncio.sleep(0.01)
        assert not store._driver.in_transaction
        assert not store._waiting
        return
    assert isinstance(store, PostgresStore)
    pool: Any = store._engine.pool
    async with asyncio.timeout(10):
        while pool.checkedout() > store._kept.idle:  # noqa: ASYNC110 - the pool tells nobody when a cancelled call's connection is back
            await asyncio.sleep(0.01)
    # Whatever is checked out again runs and returns at once: this query, and perhaps a background task's.
    idle = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
    )
    assert await store.read(lambda tx: tx.execute(idle).scalar_one()) == 0
    assert not store._losers.locked()


async def test_a_storm_of_callers_who_give_up(almoner_over: Almoner) -> None:
    chance = random.Random(20_200_518)  # noqa: S311 - the same storm every time
    desk, trail = await open_desk(almoner_over), Trail(almoner_over.service)
    profiles = [await desk.create(own(**both_tokens())) for _ in range(20)]

    outcomes: Counter[str] = Counter()

    async def caller() -> None:
        for _ in range(CALLS):
            outcomes[await give_up_on(random_call(desk, profiles, chance), patience(chance))] += 1

    await asyncio.gather(*(caller() for _ in range(CALLERS)))

    assert set(outcomes) <= {"OK", "cancelled", "NOT_FOUND"}
    assert outcomes["OK"] > 20
    assert outcomes["cancelled"] > 20
    await nothing_is_left_open(almoner_over.service.store)

    await desk.create(own("after the storm"))
    kept = (await desk.page(filter="name = Grant", page_size=1000)).profiles
    found = [await desk.get(profile.id, view=TOKENS) for profile in kept]
    assert all(profile.access_token == profile.refresh_token for profile in found)
    assert len(await desk.events("profile.create")) == 1 + len(found) + len(await desk.events("profile.delete"))
    updates = [event.resource for event in await desk.events("profile.update")]
    for profile in found:
        assert profile.etag == f'"{1 + updates.count(f"profiles/{profile.id}")}"'
    await trail.seal()
    assert (await trail.verify()).broken_at is None


async def test_an_answered_write_is_there_whatever_happens_to_the_others(almoner_over: Almoner) -> None:
    chance = random.Random(7)  # noqa: S311 - the same storm every time
    desk = await open_desk(almoner_over)

    answered: set[str] = set()

    async def caller(number: int) -> None:
        for n in range(CALLS // 2):
            name = f"profile {number}/{n}"
            if await give_up_on(desk.create(own(name)), patience(chance)) == "OK":
                answered.add(name)

    await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    assert answered
    assert answered <= set(await desk.names(page_size=1000))
    await nothing_is_left_open(almoner_over.service.store)
