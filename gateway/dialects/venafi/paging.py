# SPDX-License-Identifier: Apache-2.0
"""Pages as Venafi counts them: `Start` is the page, from 0, and `Count` the length of a page (contract section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from gateway.constraints import INT32_MAX
from gateway.paging import EVERY_ORGANIZATION, PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grpc import aio

    from gateway.call import Call

ElementT = TypeVar("ElementT")


async def page_of(
    call: Call[Any, Any, Any],
    method: aio.UnaryUnaryMultiCallable[Any, Any],
    message: Any,
    member: str,
    *,
    start: int = 0,
    count: int | None = None,
) -> list[Any]:
    """Returns the elements of one page of a list.

    Args:
        call: The request.
        method: The List method.
        message: Its request, but for the members of paging; organizations are all that the caller may see.
        member: Member of the reply that has the elements.
        start: The page, from 0.
        count: Elements of a page, any number; None: all.
    """
    found: list[Any] = []
    # No list has as many elements as can be skipped: beyond that a page is as empty.
    skip = min(start * count, INT32_MAX) if count is not None else 0
    token = ""
    while count is None or len(found) < count:
        # A message that was sent is the receiver's: in one process it is handed over, not copied.
        request = type(message)()
        request.CopyFrom(message)
        request.organization_id = EVERY_ORGANIZATION
        request.page_size = PAGE_SIZE if count is None else min(PAGE_SIZE, count - len(found))
        request.skip = 0 if token else skip
        request.page_token = token
        reply = await call.send(method, request)
        found.extend(getattr(reply, member))
        token = reply.next_page_token
        if not token:
            break
    return found


def slice_of(elements: Sequence[ElementT], start: int, count: int) -> Sequence[ElementT]:
    """Returns one page of elements that are all there."""
    return elements[start * count : (start + 1) * count]


def order(by: str, *, descending: bool) -> str:
    """Returns the order of a list by a field; none for the list's own, which has no direction."""
    if not by:
        return ""
    return f"{by} desc" if descending else by


def quoted(text: str) -> str:
    """Returns a text as a value in a filter (AIP-160). The filter's `=` takes an asterisk for a wildcard."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
