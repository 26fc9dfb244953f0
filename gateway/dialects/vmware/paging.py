# SPDX-License-Identifier: Apache-2.0
"""Pages as VMware counts them (contract section 3): `pageStart` is the first result, from 1, and links are relative."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.call import Call


class Links(NamedTuple):
    """Where the pages around this one are; empty: there is none."""

    next_link: str
    prev_link: str


def links(call: Call[Any, Any, Any], total: int, **parameters: str) -> Links:
    """Returns the links of a page.

    Args:
        call: The request of the page, whose query is a `Page`.
        total: How many results there are.
        parameters: Further query parameters of the request, empty ones left out.
    """
    start, limit = call.query.page_start, call.query.page_limit
    given = {name: value for name, value in parameters.items() if value}

    def link(page_start: int) -> str:
        query = urlencode({"pageStart": page_start, "pageLimit": limit, **given})
        return f"{call.request.rel_url.raw_path}?{query}"

    return Links(
        next_link=link(start + limit) if start + limit <= total else "",
        prev_link=link(max(1, start - limit)) if start > 1 else "",
    )


def any_of(field: str, values: Iterable[str]) -> str:
    """Returns the filter of a list (AIP-160) that a field is one of several values."""
    return " OR ".join(f"{field} = {quoted(value)}" for value in values)


def quoted(text: str) -> str:
    """Returns a text as a value in a filter, where an asterisk is an asterisk."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("*", "\\*")
    return f'"{escaped}"'
