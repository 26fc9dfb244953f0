# SPDX-License-Identifier: Apache-2.0
"""Serves calls that come in together one after the other: the first of the interceptors, of servers with sockets only.

grpc.aio takes calls from gRPC's core one by one, and the steps of one call alternate with those of others. So each
step finds the processor's caches full of something else, and a call that takes 25 microseconds in a loop takes 110.
Here calls wait for each other, and so do their replies: all calls are served before the first reply is sent. Reads that
share a snapshot or a round trip find somebody to share with, and so do writes that share a commit.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from service.rpc.interceptors import OWN_METHODS, CallInterceptor

if TYPE_CHECKING:
    from service.rpc.interceptors import Behavior, Context

IDLE_TURNS: Final = 30
"""Turns of the event loop without another call after which those that wait go on. gRPC's threads take several turns to
bring one that is there already: with 8 few calls find each other, with 120 they only wait longer."""

MOST: Final = 64
"""Calls that wait for each other at the most."""

MOST_AT_ONCE: Final = 64
"""Calls that go on at once, at the most, after one has waited for others in vain."""


class Gathering:
    """Where calls wait for each other.

    To wait in vain takes some 50 microseconds. One client alone, who sends call after call, hardly ever does: each time
    that nobody else has come, twice as many calls go on at once before one waits again.
    """

    def __init__(self) -> None:
        """Nobody waits yet."""
        self._waiting: list[asyncio.Future[None]] = []
        self._turns_without = 0
        self._seen = 0
        self._spared = 0
        self._to_spare = 0

    def wait(self) -> asyncio.Future[None] | None:
        """Returns what to await before going on; None: go on at once."""
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
        if waiting < MOST and self._turns_without < IDLE_TURNS:
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


class GatheringInterceptor(CallInterceptor):
    """Lets the calls of our own methods wait for each other. What is a stream, or somebody's probe, goes on at once."""

    def __init__(self) -> None:
        """Calls of all methods wait together."""
        super().__init__()
        self._gathering = Gathering()

    @override
    def around(self, method: str, behavior: Behavior) -> Behavior:
        if not method.startswith(OWN_METHODS):
            return behavior
        wait = self._gathering.wait

        async def call(request: Any, context: Context) -> Any:
            others = wait()
            if others is None:
                return await behavior(request, context)
            await others
            reply = await behavior(request, context)
            await asyncio.sleep(0)  # the next turn of the event loop sends the replies of this one
            return reply

        return call

    @override
    def around_stream(self, method: str, behavior: Behavior) -> Behavior:
        return behavior
