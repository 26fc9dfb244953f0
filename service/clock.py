# SPDX-License-Identifier: Apache-2.0
"""Time inside the service: an int of microseconds since the Unix epoch (UTC), read from an injected Clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeAlias

Clock: TypeAlias = Callable[[], int]

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


def system_clock() -> int:
    """Returns the machine's time in epoch microseconds."""
    return time.time_ns() // 1000
