# SPDX-License-Identifier: Apache-2.0
"""Calls of a server with sockets wait for each other, are served together, and only then answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.rpc.gathering import IDLE_TURNS, MOST, MOST_AT_ONCE, Gathering, GatheringInterceptor

METHOD = "/almoner.v1.ProfileService/GetProfile"


async def turns(count: int) -> None:
    """Lets the event loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


def arrive(gathering: Gathering) -> asyncio.Future[None]:
    """Returns what a call waits for that is not to go on at once."""
    others = gathering.wait()
    assert others is not None
    return others


@pytest.fixture
def gathering() -> Gathering:
    return Gathering()


async def test_calls_go_on_together_once_no_other_comes(gathering: Gathering) -> None:
    waiting = [arrive(gathering) for _ in range(3)]
    await turns(IDLE_TURNS)
    assert not any(future.done() for future in waiting)
    await turns(2)
    assert all(future.done() for future in waiting)


async def test_one_that_comes_later_is_waited_for_as_long(gathering: Gathering) -> None:
    first = arrive(gathering)
    await turns(IDLE_TURNS - 1)
    second = arrive(gathering)
    await turns(IDLE_TURNS)
    assert not first.done()
    await turns(2)
    assert first.done()
    assert second.done()


async def test_a_full_house_does_not_wait(gathering: Gathering) -> None:
    waiting = [arrive(gathering) for _ in range(MOST)]
    await turns(1)
    assert all(future.done() for future in waiting)


async def test_who_gives_up_holds_up_nobody(gathering: Gathering) -> None:
    first, second = arrive(gathering), arrive(gathering)
    first.cancel()
    await asyncio.wait_for(second, 5)


async def test_a_caller_alone_waits_more_and_more_seldom(gathering: Gathering) -> None:
    at_once = []
    others = arrive(gathering)
    for _ in range(8):
        await others
        at_once.append(0)
        while (waits := gathering.wait()) is None:
            at_once[-1] += 1
        others = waits
    assert at_once == [1, 2, 4, 8, 16, 32, MOST_AT_ONCE, MOST_AT_ONCE]


async def test_company_ends_going_on_at_once(gathering: Gathering) -> None:
    await arrive(gathering)
    assert gathering.wait() is None
    await asyncio.gather(arrive(gathering), arrive(gathering))
    assert gathering.wait() is not None


async def test_all_are_served_before_the_first_is_answered() -> None:
    order: list[str] = []

    async def serve(request: str, _context: Any) -> str:
        order.append(f"{request} served")
        return request

    call = GatheringInterceptor().around(METHOD, serve)

    async def send(request: str) -> None:
        context: Any = object()
        order.append(f"{await call(request, context)} answered")

    await asyncio.gather(send("a"), send("b"))
    assert order == ["a served", "b served", "a answered", "b answered"]


@pytest.mark.parametrize("method", ["/grpc.health.v1.Health/Check", "/grpc.reflection.v1alpha.ServerReflection/Any"])
def test_what_is_not_ours_does_not_wait(method: str) -> None:
    async def serve(_request: object, _context: Any) -> None: ...

    assert GatheringInterceptor().around(method, serve) is serve


def test_streams_do_not_wait() -> None:
    async def serve(_request: object, _context: Any) -> None: ...

    assert GatheringInterceptor().around_stream(METHOD, serve) is serve
