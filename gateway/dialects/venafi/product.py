# SPDX-License-Identifier: Apache-2.0
"""What clients ask of the product itself (contract section 7): whether it is there, and its version."""

from __future__ import annotations

from typing import Final

from gateway.call import Call, Reply
from gateway.dialects.venafi.bodies import VersionReply
from gateway.dialects.venafi.identities import caller_of

VERSION: Final = "25.1.0.0"
"""The release whose documents this follows."""


async def ping(_call: Call[None, None, None]) -> Reply:
    """Says that it is there."""
    return Reply()


async def get_version(call: Call[None, None, None]) -> Reply:
    """Gives the version, to whoever is known."""
    await caller_of(call)
    return Reply(VersionReply(VERSION))
