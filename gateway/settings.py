# SPDX-License-Identifier: Apache-2.0
"""What a deployment may choose about the gateway. Whoever starts it fills this in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Limits of the gateway.

    Attributes:
        max_body_bytes: Longest request body; a longer one is refused with 413.
        rpc_timeout: Deadline of each call to the service, in seconds.
    """

    max_body_bytes: int = 1024 * 1024
    rpc_timeout: float = 30.0
