# SPDX-License-Identifier: Apache-2.0
"""Options of a gRPC channel from a gateway to a service in another process."""

from __future__ import annotations

from typing import Final

LONGEST_REPLY: Final = 64 * 1024 * 1024
"""Bytes. A page of 1000 profiles with the longest texts has about 40 MiB; gRPC's own limit is 4 MiB."""

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", LONGEST_REPLY),
    # Finds out about a peer that vanished; the service allows a ping every 30 seconds.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
)
