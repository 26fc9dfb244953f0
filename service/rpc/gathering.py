# SPDX-License-Identifier: Apache-2.0
"""Serves calls that come in together one after the other, before anything else is done for any of them.

What a server does for a call comes in steps: to receive it, to serve it, to send the reply. Where the steps of one call
alternate with those of others, or follow each other call by call, each finds the processor's caches full of something
else: to serve a call that takes 25 microseconds in a loop then takes twice to four times as long. So calls are served
in groups, by the first of a channel's interceptors, and the event loop's next turn sends the replies.
"""

from __future__ import annotations

import asyncio
import os
import types
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from service.rpc.interceptors import OWN_METHODS, CallInterceptor

if TYPE_CHECKING:
    from collections.abc import Generator

    from service.rpc.interceptors import Behavior, Context

IDLE_TURNS: Final = 30
"""Turns of the event loop without another call after which those that wait go on. gRPC's threads take several turns to
bring one that is there already: with 8 few calls find each other, with 120 they only wait longer."""

IDLE_TURNS_IN_PROCESS: Final = 3
"""The same for requests of the gateway's: one turn to read a request, one to give it a task, one to have that call."""

MOST: Final = 64
"""Calls that wait for each other at the most."""

MOST_AT_ONCE: Final = 64
"""Calls that go on at once, at the most, after one has waited for others in vain."""


@types.coroutine
def next_turn() -> Generator[None, None, None]:
    """Waits for the next turn of the event loop; `asyncio.sleep(0)`, for less."""
    yield


class Gathering:
    """Where calls wait for each other.

    grpc.aio takes them from gRPC's core one by one, so hardly two would be there in one turn of the event loop. Those of
    the gateway come in together, but in one turn after the other: some are read while others have their task already.

    To wait in vain takes some 50 microseconds behind gRPC. One client alone, who sends call after call, hardly ever
    does: each time that nobody else has come, twice as many calls go on at once before one waits again.
    """

    def __init__(self, idle_turns: int = IDLE_TURNS, *, on_one_core: bool = False) -> None:
        """Nobody waits yet.

        Args:
            idle_turns: Turns of the event loop without another call after which those that wait go on.
            on_one_core: Whether gRPC's threads bring calls only while the event loop leaves the core to them. It then
                does so in each turn that brought none; where they have others, that would only take time.
        """
        self._idle_turns = idle_turns
        self._yields = on_one_core
        self._waiting: list[asyncio.Future[None]] = []
        self._turns_without = 0
        self._seen = 0
        self._spared = 0
        self._to_spare = 0

    def join(self) -> asyncio.Future[None] | None:
        """Returns what a call awaits before it goes on; None: it goes on at once."""
        if self._to_spare:
            self._to_spare -= 1
            return None
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._seen = self._turns_without = 0
            loop.call_soon(self._turn, loop)
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append(future)
        return future

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Looks once in every turn of the event loop whether more have come."""
        waiting = len(self._waiting)
        if waiting > self._seen:
            self._seen, self._turns_without = waiting, 0
        else:
            self._turns_without += 1
            if self._yields:
                os.sched_yield()
        if waiting < MOST and self._turns_without < self._idle_turns:
            loop.call_soon(self._turn, loop)
        else:
            self._go_on()

    def _go_on(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._spared = min(2 * self._spared or 1, MOST_AT_ONCE) if len(waiting) == 1 else 0
        self._to_spare = self._spared
        for future in waiting:
            if not future.done():  # its caller has given up meanwhile
                future.set_result(None)


class TogetherInterceptor(CallInterceptor):
    """Lets the calls of our own methods wait for each other. What is a stream, or somebody's probe, goes on at once."""

    def __init__(self, gathering: Gathering) -> None:
        """`gathering` is where calls of all methods wait."""
        super().__init__()
        self._gathering = gathering

    @override
    def around(self, method: str, behavior: Behavior) -> Behavior:
        if not method.startswith(OWN_METHODS):
            return behavior
        join = self._gathering.join

        async def call(request: Any, context: Context) -> Any:
            others = join()
            if others is None:
                return await behavior(request, context)
            await others
            reply = await behavior(request, context)
            await next_turn()
            return reply

        return call

    @override
    def around_stream(self, method: str, behavior: Behavior) -> Behavior:
        return behavior
