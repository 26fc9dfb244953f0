# SPDX-License-Identifier: Apache-2.0
"""Lists over gRPC: page tokens, skip, filter and order (AIP-132, -158, -160)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from almoner.v1 import profile_service_pb2, profile_service_pb2_grpc
from tests.refusals import refusal_of
from tests.rest import PROFILES

if TYPE_CHECKING:
    from tests.refusals import Refusal
    from tests.rest import Member, Rest

USER_ROLE = 2
NAMES = ["delta", "alpha", "echo", "bravo", "charlie"]


class Shelf(NamedTuple):
    """Five profiles of one user."""

    rest: Rest
    ann: Member
    application: int
    ids: dict[str, int]

    async def page(self, by: Member | None = None, **members: Any) -> Any:
        stub = self.rest.almoner.stub(profile_service_pb2_grpc.ProfileServiceStub)
        request = profile_service_pb2.ListProfilesRequest(**members)
        return await stub.ListProfiles(request, metadata=(by or self.ann).metadata)

    async def names(self, **members: Any) -> list[str]:
        return [profile.name for profile in (await self.page(**members)).profiles]

    async def refusal(self, by: Member | None = None, **members: Any) -> Refusal:
        return await refusal_of(self.page(by, **members))


async def make_shelf(rest_over: Rest) -> Shelf:
    tenant = await rest_over.tenant()
    ann = await rest_over.member(tenant, roles=(USER_ROLE,))
    application = await rest_over.application(tenant, clientId="one client")
    ids = {name: await rest_over.profile(application, by=ann, name=name) for name in NAMES}
    return Shelf(rest_over, ann, application, ids)


@pytest.fixture(scope="module")
async def shelf(rest_over: Rest) -> Shelf:
    """A shelf that nobody changes."""
    return await make_shelf(rest_over)


async def test_pages_follow_each_other_to_the_end(shelf: Shelf) -> None:
    seen, token, sizes = [], "", []
    while True:
        page = await shelf.page(page_size=2, page_token=token)
        seen += [profile.name for profile in page.profiles]
        sizes.append(len(page.profiles))
        token = page.next_page_token
        if not token:
            break

    assert (seen, sizes) == (NAMES, [2, 2, 1])


@pytest.mark.parametrize(
    ("size", "skip", "expected"),
    [
        (0, 0, NAMES),
        (1, 0, NAMES[:1]),
        (2, 1, NAMES[1:3]),
        (5, 0, NAMES),
        (1_000_000, 0, NAMES),
        (2, 4, NAMES[4:]),
        (2, 5, []),
        (2, 2**31 - 1, []),
    ],
)
async def test_size_and_skip_count_rows(shelf: Shelf, size: int, skip: int, expected: list[str]) -> None:
    assert await shelf.names(page_size=size, skip=skip) == expected


async def test_skip_counts_from_the_token(shelf: Shelf) -> None:
    token = (await shelf.page(page_size=2)).next_page_token

    assert await shelf.names(page_size=2, skip=1, page_token=token) == NAMES[3:5]


async def test_what_is_deleted_in_between_neither_hides_nor_repeats_anything(rest_over: Rest) -> None:
    shelf = await make_shelf(rest_over)
    token = (await shelf.page(page_size=2)).next_page_token
    for name in NAMES[:2]:
        await shelf.rest.delete(f"{PROFILES}/{shelf.ids[name]}", by=shelf.ann)

    assert await shelf.names(page_size=2, page_token=token) == NAMES[2:4]


async def test_a_tampered_token_is_refused(shelf: Shelf) -> None:
    token = (await shelf.page(page_size=2)).next_page_token
    middle = len(token) // 2
    other = "A" if token[middle] != "A" else "B"

    for bad in ("x", token[:-1], token + "A", token[:middle] + other + token[middle + 1 :], token * 2, "é"):
        refusal = await shelf.refusal(page_size=2, page_token=bad)
        assert (refusal.code.name, refusal.reason, refusal.fields) == (
            "INVALID_ARGUMENT",
            "INVALID_PAGE_TOKEN",
            ["page_token"],
        )


@pytest.mark.parametrize(
    "changed", [{"filter": 'name != "x"'}, {"order_by": "name"}, {"order_by": "id desc"}, {"organization_id": "-"}]
)
async def test_a_token_is_for_the_list_it_came_from(shelf: Shelf, changed: dict[str, Any]) -> None:
    token = (await shelf.page(page_size=2)).next_page_token

    assert (await shelf.refusal(page_size=2, page_token=token, **changed)).reason == "INVALID_PAGE_TOKEN"


async def test_a_token_is_for_the_user_it_was_given_to(shelf: Shelf) -> None:
    bob = await shelf.rest.member(None, roles=(USER_ROLE,))
    token = (await shelf.page(page_size=2)).next_page_token

    assert (await shelf.refusal(bob, page_size=2, page_token=token)).reason == "INVALID_PAGE_TOKEN"


async def test_a_token_tells_nothing(shelf: Shelf) -> None:
    token = (await shelf.page(page_size=2, order_by="name")).next_page_token

    assert "bravo" not in token


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("name", sorted(NAMES)),
        ("name desc", sorted(NAMES, reverse=True)),
        ("provider, name", sorted(NAMES)),
        ("id desc", NAMES[::-1]),
        ("create_time, id", NAMES),
        (" name   desc ", sorted(NAMES, reverse=True)),
    ],
)
async def test_the_order_is_that_asked_for(shelf: Shelf, order_by: str, expected: list[str]) -> None:
    assert await shelf.names(order_by=order_by) == expected
    token, seen = "", []
    while True:
        page = await shelf.page(order_by=order_by, page_size=2, page_token=token)
        seen += [profile.name for profile in page.profiles]
        token = page.next_page_token
        if not token:
            break
    assert seen == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('name = "alpha"', ["alpha"]),
        ('name != "alpha"', ["delta", "echo", "bravo", "charlie"]),
        ('name = "*l*"', ["delta", "alpha", "charlie"]),
        ("name:ha", ["alpha", "charlie"]),
        ("name = alpha OR name = echo", ["alpha", "echo"]),
        ("NOT (name = alpha OR name = echo)", ["delta", "bravo", "charlie"]),
        ("-name:a", ["echo"]),
        ('name >= "c" AND name < "e"', ["delta", "charlie"]),
        ("id > 0 name = bravo", ["bravo"]),
        ('client_id = "one client" AND provider = google_analytics', NAMES),
        ("create_time > 2020-01-01T00:00:00Z", NAMES),
        ("create_time < 2020-01-01T00:00:00Z", []),
        ("", NAMES),
    ],
)
async def test_a_filter_selects(shelf: Shelf, text: str, expected: list[str]) -> None:
    assert await shelf.names(filter=text) == expected
    assert await shelf.names(filter=text, page_size=1) == expected[:1]


async def test_a_filter_shows_nothing_that_is_not_ones_own(shelf: Shelf) -> None:
    bob = await shelf.rest.member(None, roles=(USER_ROLE,))

    page = await shelf.page(bob, organization_id="-", filter="id > 0 OR name:a")

    assert len(page.profiles) == 0


@pytest.mark.parametrize(
    ("members", "reason", "field"),
    [
        ({"filter": "name ="}, "INVALID_FILTER", "filter"),
        ({"filter": "(name = a"}, "INVALID_FILTER", "filter"),
        ({"filter": "refresh_token = a"}, "INVALID_FILTER", "filter"),
        ({"filter": "id = x"}, "INVALID_FILTER", "filter"),
        ({"filter": "(" * 4000}, "INVALID_FILTER", "filter"),
        ({"filter": "x" * 4097}, "INVALID_FIELD", "filter"),
        ({"order_by": "client_secret"}, "INVALID_ORDER_BY", "order_by"),
        ({"order_by": "name, name"}, "INVALID_ORDER_BY", "order_by"),
        ({"order_by": "name sideways"}, "INVALID_ORDER_BY", "order_by"),
        ({"order_by": "name; DROP TABLE profiles"}, "INVALID_ORDER_BY", "order_by"),
        ({"page_size": -1}, "INVALID_FIELD", "page_size"),
        ({"skip": -1}, "INVALID_FIELD", "skip"),
        ({"organization_id": "1"}, "INVALID_FIELD", "organization_id"),
    ],
)
async def test_what_is_not_a_list_is_refused_by_its_member(
    shelf: Shelf, members: dict[str, Any], reason: str, field: str
) -> None:
    refusal = await shelf.refusal(**members)

    assert (refusal.code.name, refusal.reason, refusal.fields) == ("INVALID_ARGUMENT", reason, [field])
