# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from tests.refusals import refusal_of
from tests.service.profiles.desk import CONNECTION, CUSTOMER, DATA_SOURCE, Credentials, Profile, open_desk, own

if TYPE_CHECKING:
    from tests.service.profiles.desk import Desk


@pytest.fixture
async def stocked(desk: Desk) -> Desk:
    """Profiles c, a and b, in the order of their ids; b was changed first, then a, then c."""
    application = await desk.application()
    made = [
        await desk.create(own("c", description="for Marketing", access_token="t0ken")),
        await desk.create(Profile(name="a", application_number=application.number)),
        await desk.create(own("b", provider="slack", client=Credentials(client_id="x", client_secret="s"))),
    ]
    for profile in (made[2], made[1], made[0]):
        await desk.update(Profile(id=profile.id, name=profile.name))
    return desk


async def test_without_an_order_the_list_is_by_id(stocked: Desk) -> None:
    assert await stocked.names() == ["c", "a", "b"]


async def test_a_list_has_what_a_reading_has(stocked: Desk) -> None:
    profiles = (await stocked.page()).profiles
    assert list(profiles) == [await stocked.get(profile.id) for profile in profiles]


async def test_an_empty_list(desk: Desk) -> None:
    page = await desk.page()
    assert (list(page.profiles), page.next_page_token) == ([], "")


@pytest.mark.parametrize(
    ("order_by", "names"),
    [
        ("id desc", "bac"),
        ("name", "abc"),
        ("name desc", "cba"),
        ("provider", "acb"),
        ("provider desc, name", "bca"),
        ("create_time desc", "bac"),
        ("update_time", "bac"),
    ],
)
async def test_a_list_can_be_ordered(stocked: Desk, order_by: str, names: str) -> None:
    assert await stocked.names(order_by=order_by) == list(names)


@pytest.mark.parametrize("order_by", ["description", "access_token", "name up", "name, name"])
async def test_a_list_cannot_be_ordered_by_everything(stocked: Desk, order_by: str) -> None:
    refusal = await refusal_of(stocked.page(order_by=order_by))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_ORDER_BY")
    assert refusal.fields == ["order_by"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('name = "c" OR name = "b"', "cb"),
        ("name != c", "ab"),
        ("description:marketing", "c"),
        ("provider = google_analytics", "a"),
        ("NOT provider:google", "cb"),
        ("application_number > 0", "a"),
        ("application_number = 0 AND provider = slack", "b"),
        ('client_id = "id-at-the-provider"', "a"),
        ("client_id = x", "b"),
        ('create_time > "2020-01-01T00:00:00Z"', "cab"),
        ('update_time < "2020-01-01T00:00:00Z"', ""),
    ],
)
async def test_a_list_can_be_filtered(stocked: Desk, text: str, names: str) -> None:
    assert await stocked.names(filter=text) == list(names)


async def test_a_list_can_be_filtered_by_people(stocked: Desk) -> None:
    user = await stocked.user()
    made = await stocked.create(own("d"), user.acting_for(user))
    assert made.owner_id == user.id
    assert await stocked.names(filter=f"owner_id = {user.id}") == ["d"]
    assert await stocked.names(filter=f"creator_id = {stocked.chief.id}") == ["c", "a", "b"]


@pytest.mark.parametrize(
    "text", ["access_token = t0ken", "refresh_token:*", "client_secret = s", "etag = x", "name =", "((name = a)"]
)
async def test_a_filter_is_over_the_fields_of_the_list(stocked: Desk, text: str) -> None:
    refusal = await refusal_of(stocked.page(filter=text))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FILTER")
    assert refusal.fields == ["filter"]


@pytest.mark.parametrize("order_by", ["", "id desc", "name", "provider desc, name", "update_time"])
@pytest.mark.parametrize("text", ["", 'name != "none"'])
async def test_pages_together_are_the_list(stocked: Desk, order_by: str, text: str) -> None:
    whole = await stocked.names(order_by=order_by, filter=text)
    found, token = [], ""
    for _ in whole:
        page = await stocked.page(order_by=order_by, filter=text, page_size=1, page_token=token)
        found += [profile.name for profile in page.profiles]
        token = page.next_page_token
    assert found == whole
    assert token == ""


@pytest.mark.parametrize(("skip", "names"), [(0, "ca"), (1, "ab"), (2, "b"), (3, ""), (2**31 - 1, "")])
async def test_some_can_be_left_out(stocked: Desk, skip: int, names: str) -> None:
    assert await stocked.names(skip=skip, page_size=2) == list(names)


async def test_skip_counts_from_the_page_token(stocked: Desk) -> None:
    token = (await stocked.page(page_size=1)).next_page_token
    assert await stocked.names(page_size=1, page_token=token, skip=1) == ["b"]


@pytest.mark.parametrize(
    "member", [{"page_size": -1}, {"skip": -1}, {"organization_id": "nonsense"}, {"filter": "x" * 4097}]
)
async def test_members_of_the_request_are_checked(desk: Desk, member: dict[str, Any]) -> None:
    refusal = await refusal_of(desk.page(**member))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", list(member))


async def test_a_page_token_is_for_one_request(stocked: Desk) -> None:
    token = (await stocked.page(page_size=1)).next_page_token
    other = await stocked.person(roles=(3,))
    calls: list[tuple[dict[str, Any], Any]] = [
        ({"filter": 'name != "c"'}, None),
        ({"order_by": "name"}, None),
        ({"organization_id": stocked.organization.id}, None),
        ({"organization_id": "-"}, None),
        ({}, other.by),
    ]
    for members, by in calls:
        refusal = await refusal_of(stocked.page(by, page_size=1, page_token=token, **members))
        assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")
    refusal = await refusal_of(stocked.call("ListProfileLinks", page_token=token))
    assert refusal.reason == "INVALID_PAGE_TOKEN"


@pytest.mark.parametrize("token", ["nonsense", "AAAA", "=", "ü", "x" * 4096])
async def test_a_page_token_must_be_the_servers_own(desk: Desk, token: str) -> None:
    refusal = await refusal_of(desk.page(page_token=token))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")


async def test_what_is_created_and_deleted_meanwhile_disturbs_no_page(stocked: Desk) -> None:
    first = await stocked.page(page_size=2)
    await stocked.delete(first.profiles[1].id)
    await stocked.create(own("d"))
    assert await stocked.names(page_size=2, page_token=first.next_page_token) == ["b", "d"]


async def test_a_list_is_of_one_organization_or_of_all_that_may_be_seen(stocked: Desk) -> None:
    other = await open_desk(stocked.almoner)
    await other.create(own("elsewhere"))
    admin = stocked.almoner.as_admin_token
    assert await stocked.names(organization_id=stocked.organization.id.upper()) == ["c", "a", "b"]
    assert await stocked.names(organization_id="-") == ["c", "a", "b"]
    assert await stocked.names(admin, organization_id=other.organization.id) == ["elsewhere"]
    assert {"a", "b", "c", "elsewhere"} <= set(await stocked.names(admin, organization_id="-", page_size=1000))
    refusal = await refusal_of(stocked.page(organization_id=other.organization.id))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "ORGANIZATION_NOT_FOUND")


@pytest.fixture
async def linked(desk: Desk) -> Desk:
    """Links c, a and b, in the order of their ids; b was changed first, then a, then c."""
    made = await desk.create(own())
    links = [
        await desk.link(DATA_SOURCE, name="c", external_id="1", provider="hubspot"),
        await desk.link(CONNECTION, made, name="a", external_id="2"),
        await desk.link(CUSTOMER, made, name="b"),
    ]
    for link in (links[2], links[1], links[0]):
        link.description = "changed"
        await desk.update_link(link)
    return desk


@pytest.mark.parametrize(
    ("order_by", "names"),
    [("", "cab"), ("id desc", "bac"), ("name", "abc"), ("create_time desc", "bac"), ("update_time", "bac")],
)
async def test_links_can_be_ordered(linked: Desk, order_by: str, names: str) -> None:
    assert await linked.link_names(order_by=order_by) == list(names)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("kind = LINK_KIND_DATA_SOURCE", "c"),
        ("kind = CONNECTION", "a"),
        ("kind != CUSTOMER", "ca"),
        ("profile_id = 0", "c"),
        ("profile_id > 0", "ab"),
        ("external_id = 2", "a"),
        ("NOT external_id:*", "b"),
        ("provider = hubspot", "c"),
        ("name = b", "b"),
    ],
)
async def test_links_can_be_filtered(linked: Desk, text: str, names: str) -> None:
    assert await linked.link_names(filter=text) == list(names)


@pytest.mark.parametrize("text", ["kind = OTHER", "description:changed", "attributes:*"])
async def test_a_filter_of_links_is_over_their_fields(linked: Desk, text: str) -> None:
    refusal = await refusal_of(linked.call("ListProfileLinks", filter=text))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FILTER")


async def test_pages_of_links_together_are_the_list(linked: Desk) -> None:
    first = await linked.call("ListProfileLinks", page_size=2, order_by="name desc")
    assert [link.name for link in first.links] == ["c", "b"]
    token = first.next_page_token
    assert await linked.link_names(page_size=2, order_by="name desc", page_token=token) == ["a"]
