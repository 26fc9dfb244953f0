# SPDX-License-Identifier: Apache-2.0
"""Calls of any kind, waited for alike."""

from __future__ import annotations

from typing import Any


async def answered(call: Any) -> Any:
    """Returns the reply of a call or, of one that streams, the first message; the stream is ended."""
    if not hasattr(call, "read"):
        return await call
    message = await call.read()
    call.cancel()
    return message
