# SPDX-License-Identifier: Apache-2.0
"""Calls that come in together are served together, and only then answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from service.rpc.gathering import (
    IDLE_TURNS,
    IDLE_TURNS_IN_PROCESS,
    MOST,
    MOST_AT_ONCE,
    Gathering,
    TogetherInterceptor,
)

if TYPE_CHECKING:
    from service.rpc.interceptors import CallInterceptor

METHOD = "/almoner.v1.ProfileService/GetProfile"


async def turns(count: int) -> None:
    """Lets the event loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


def arrive(gathering: Gathering) -> asyncio.Future[None]:
    """Returns what a call waits for that is not to go on at once."""
    others = gathering.join()
    assert others is not None
    return others


@pytest.fixture(params=[IDLE_TURNS, IDLE_TURNS_IN_PROCESS], ids=["over gRPC", "in process"])
def idle_turns(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture(params=[False, True], ids=["several cores", "one core"])
def gathering(request: pytest.FixtureRequest, idle_turns: int) -> Gathering:
    return Gathering(idle_turns, on_one_core=request.param)


async def test_calls_go_on_together_once_no_other_comes(gathering: Gathering, idle_turns: int) -> None:
    waiting = [arrive(gathering) for _ in range(3)]
    await turns(idle_turns)
    assert not any(future.done() for future in waiting)
    await turns(2)
    assert all(future.done() for future in waiting)


async def test_one_that_comes_later_is_waited_for_as_long(gathering: Gathering, idle_turns: int) -> None:
    first = arrive(gathering)
    await turns(idle_turns - 1)
    second = arrive(gathering)
    await turns(idle_turns)
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
        while (waits := gathering.join()) is None:
            at_once[-1] += 1
        others = waits
    assert at_once == [1, 2, 4, 8, 16, 32, MOST_AT_ONCE, MOST_AT_ONCE]


async def test_company_ends_going_on_at_once(gathering: Gathering) -> None:
    await arrive(gathering)
    assert gathering.join() is None
    await asyncio.gather(arrive(gathering), arrive(gathering))
    assert gathering.join() is not None


class Served:
    """A method that writes down when it is served, and when its caller has the reply."""

    def __init__(self, interceptor: CallInterceptor) -> None:
        self.order: list[str] = []
        self._call = interceptor.around(METHOD, self._serve)

    async def _serve(self, request: str, _context: Any) -> str:
        self.order.append(f"{request} served")
        return request

    async def send(self, *requests: str) -> None:
        """Calls it with several requests at the same time."""
        await asyncio.gather(*map(self._send, requests))

    async def _send(self, request: str) -> None:
        context: Any = object()
        self.order.append(f"{await self._call(request, context)} answered")


async def test_calls_that_wait_for_each_other_are_all_served_before_the_first_is_answered() -> None:
    served = Served(TogetherInterceptor(Gathering()))
    await served.send("a", "b")
    assert served.order == ["a served", "b served", "a answered", "b answered"]


@pytest.mark.parametrize("method", ["/grpc.health.v1.Health/Check", "/grpc.reflection.v1alpha.ServerReflection/Any"])
def test_what_is_not_ours_does_not_wait(method: str) -> None:
    async def serve(_request: object, _context: Any) -> None: ...

    assert TogetherInterceptor(Gathering()).around(method, serve) is serve


def test_streams_do_not_wait() -> None:
    async def serve(_request: object, _context: Any) -> None: ...

    assert TogetherInterceptor(Gathering()).around_stream(METHOD, serve) is serve
