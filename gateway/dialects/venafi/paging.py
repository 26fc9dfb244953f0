# SPDX-License-Identifier: Apache-2.0
"""Pages as Venafi counts them: `Start` is the page, from 0, and `Count` the length of a page (contract section 2)."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.constraints import INT32_MAX
from gateway.paging import EVERY_ORGANIZATION, PAGE_SIZE, pages

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
    request = type(message)()
    request.CopyFrom(message)
    request.organization_id = EVERY_ORGANIZATION
    if count is not None:
        request.page_size = min(PAGE_SIZE, count)
        # No list has as many elements as can be skipped: beyond that a page is as empty.
        request.skip = min(start * count, INT32_MAX)
    found: list[Any] = []
    async with aclosing(pages(call, method, request)) as replies:
        async for reply in replies:
            found.extend(getattr(reply, member))
            if count is not None and len(found) >= count:
                break
    return found[:count]


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
