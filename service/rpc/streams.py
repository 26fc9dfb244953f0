# SPDX-License-Identifier: Apache-2.0
"""Methods that stream, in the one form that interceptors wrap: a coroutine that writes messages to its context."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeAlias, cast

Streaming: TypeAlias = Callable[[Any, Any], Coroutine[Any, Any, None]]


def writing(behavior: Callable[[Any, Any], Any]) -> Streaming:
    """Returns a method as a coroutine that writes its messages to its context, which gRPC takes as well.

    Args:
        behavior: An async generator of messages, or such a coroutine already.
    """
    if not inspect.isasyncgenfunction(behavior):
        return cast("Streaming", behavior)
    generate = cast("Callable[[Any, Any], AsyncGenerator[Any, None]]", behavior)

    async def call(request: Any, context: Any) -> None:
        async with aclosing(generate(request, context)) as messages:
            async for message in messages:
                # Waits until the transport has room for it: a slow reader holds up its own stream, and fills no memory.
                await context.write(message)

    return call
