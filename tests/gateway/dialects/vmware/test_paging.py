# SPDX-License-Identifier: Apache-2.0
"""Links between VMware's pages."""

from __future__ import annotations

from typing import Any, cast

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.call import Call, Services
from gateway.dialects.vmware.bodies import AppPage
from gateway.dialects.vmware.paging import Links, any_of, links, quoted
from service.listing.filter_grammar import parse_filter

PATH = "/csp/gateway/am/api/orgs/5be5a591-c842-4520-9142-b455f4ad2286/oauth-apps"


def page(page_start: int, page_limit: int) -> Call[Any, AppPage, None]:
    return Call(
        services=cast("Services", None),
        metadata=(),
        timeout=1.0,
        path=None,
        query=AppPage(page_start, page_limit),
        body=None,
        if_match="",
        request=make_mocked_request("GET", PATH),
    )


@pytest.mark.parametrize(
    ("start", "limit", "total", "following", "before"),
    [
        # The documented example: the page at 45.
        (45, 15, 2000, 60, 30),
        (1, 15, 0, None, None),
        (1, 15, 15, None, None),
        (1, 15, 16, 16, None),
        (16, 15, 30, None, 1),
        (10, 15, 30, 25, 1),
        (500, 15, 30, None, 485),
    ],
)
def test_links_lead_to_the_pages_around(
    start: int, limit: int, total: int, following: int | None, before: int | None
) -> None:
    def link(page_start: int | None) -> str:
        return "" if page_start is None else f"{PATH}?pageStart={page_start}&pageLimit={limit}"

    assert links(page(start, limit), total) == Links(link(following), link(before))


def test_links_keep_the_search() -> None:
    found = links(page(1, 1), 2, searchTerm="a b&c=ü", other="")

    assert found.next_link == f"{PATH}?pageStart=2&pageLimit=1&searchTerm=a+b%26c%3D%C3%BC"


@pytest.mark.parametrize("text", ['a"b', "a\\b", "*", "a*", "*a*", "\\", '\\"', "a b", "a\nb", "ü"])
def test_a_quoted_text_is_a_value_without_wildcards(text: str) -> None:
    parsed: Any = parse_filter(f"id = {quoted(text)}")

    assert (parsed.value.text, parsed.value.has_wildcard) == (text, False)


def test_any_of_several_values() -> None:
    assert any_of("id", ["a", 'b"']) == 'id = "a" OR id = "b\\""'
