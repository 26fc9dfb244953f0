# SPDX-License-Identifier: Apache-2.0
"""Waiting for the first of several things."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection


async def first_of(tasks: Collection[asyncio.Task[Any]], events: Collection[asyncio.Event], seconds: float) -> None:
    """Waits until a task has ended or an event is set, so long at the most. There is at least one of either."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait([*tasks, *waits], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
