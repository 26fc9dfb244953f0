# SPDX-License-Identifier: Apache-2.0
"""Requests about several apps, of which some may fail by themselves (contract section 3: failures, failed, succeeded)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from grpc import aio

from gateway.failures import Failure, from_rpc

if TYPE_CHECKING:
    from collections.abc import Awaitable


def of_one(error: aio.AioRpcError) -> Failure:
    """Returns a failure that one of several apps has to itself; what any would have is raised again."""
    failure = from_rpc(error, {})
    if failure.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
        raise error
    return failure


async def was_possible(sent: Awaitable[Any]) -> bool:
    """Returns whether a call about one of several apps succeeded; see `of_one`."""
    try:
        await sent
    except aio.AioRpcError as error:
        of_one(error)
        return False
    return True
