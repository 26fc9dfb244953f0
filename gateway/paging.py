# SPDX-License-Identifier: Apache-2.0
"""Follows page tokens to the end of a list, for dialects that have no paging, or pages longer than the service's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from grpc import aio

    from gateway.call import Call

PAGE_SIZE = 1000
"""The longest page that the service gives."""

EVERY_ORGANIZATION = "-"
"""Stands for all organizations that the caller may see, in a List request (AIP-159)."""


class ListRequest(Protocol):
    """What every List request has."""

    page_size: int
    page_token: str
    skip: int

    def CopyFrom(self, other: Self, /) -> None:  # noqa: N802 - protobuf's name
        """Becomes a copy of another message."""


class ListResponse(Protocol):
    """What every List reply has."""

    next_page_token: str


RequestT = TypeVar("RequestT", bound=ListRequest)
ResponseT = TypeVar("ResponseT", bound=ListResponse)


async def pages(
    call: Call[Any, Any, Any], method: aio.UnaryUnaryMultiCallable[RequestT, ResponseT], message: RequestT
) -> AsyncGenerator[ResponseT, None]:
    """Yields every page of the list that `message` asks for, as long as it says (0: as long as can be)."""
    token = ""
    while True:
        # A message that was sent is the receiver's: in one process it is handed over, not copied.
        request = type(message)()
        request.CopyFrom(message)
        request.page_size = message.page_size or PAGE_SIZE
        request.page_token = token
        # What is left out is counted from the page token.
        request.skip = 0 if token else message.skip
        page = await call.send(method, request)
        yield page
        token = page.next_page_token
        if not token:
            return
