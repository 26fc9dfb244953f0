# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from service.access.permissions import Permission
from tests.refusals import refusal_of
from tests.service.applications.registry import client, permissions, provider

if TYPE_CHECKING:
    from tests.running import Metadata
    from tests.service.applications.registry import Registry


@pytest.fixture
async def stocked(registry: Registry) -> Registry:
    """Three applications: c (a registration at hubspot), a (a client), b (a registration at google)."""
    third = provider("c", provider="hubspot", client_id="x")
    third.description = "for Marketing"
    first = client("a", vendor="Example", access_token_lifetime=Duration(seconds=60))
    first.id = "reports"
    for application in (third, first, provider("b", provider="google", client_id="y")):
        await registry.add(application)
    return registry


async def test_a_list_is_in_the_order_of_numbers(stocked: Registry) -> None:
    page = await stocked.page()
    assert [application.number for application in page.applications] == [2, 3, 4]
    assert page.next_page_token == ""


async def test_a_list_has_what_a_reading_has_and_no_secret(stocked: Registry) -> None:
    page = await stocked.page()
    assert list(page.applications) == [await stocked.get(number=number) for number in (2, 3, 4)]
    assert "s3cret" not in str(page)


@pytest.mark.parametrize(
    ("order_by", "names"),
    [
        ("number desc", "bac"),
        ("name", "abc"),
        ("name desc", "cba"),
        ("provider, name", "abc"),
        ("provider desc", "cba"),
        ("vendor desc", "abc"),
        ("access_token_lifetime desc, name", "abc"),
        ("create_time desc", "bac"),
        ("update_time", "cab"),
    ],
)
async def test_a_list_can_be_ordered(stocked: Registry, order_by: str, names: str) -> None:
    assert await stocked.names(order_by=order_by) == list(names)


async def test_a_list_cannot_be_ordered_by_everything(stocked: Registry) -> None:
    refusal = await refusal_of(stocked.page(order_by="client_id"))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_ORDER_BY")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("kind = client", "a"),
        ("kind != client", "cb"),
        ("kind = provider AND provider = google", "b"),
        ("id = reports", "a"),
        ("number > 2", "ab"),
        ('name = "c" OR name = "b"', "cb"),
        ("description:marketing", "c"),
        ("client_id = x", "c"),
        ("NOT provider:*", "a"),
        ("vendor:EXAMPLE", "a"),
        ("owner_id = 1", "cab"),
        ('create_time > "2020-01-01T00:00:00Z"', "cab"),
        ('update_time < "2020-01-01T00:00:00Z"', ""),
    ],
)
async def test_a_list_can_be_filtered(stocked: Registry, text: str, names: str) -> None:
    assert await stocked.names(filter=text) == list(names)


@pytest.mark.parametrize(
    "text", ["kind = other", "client_secret = x", "access_token_lifetime > 1", "organization = 1", "name ="]
)
async def test_a_filter_is_over_the_fields_of_the_list(stocked: Registry, text: str) -> None:
    refusal = await refusal_of(stocked.page(filter=text))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FILTER")


@pytest.mark.parametrize("order_by", ["", "number desc", "name", "provider desc, name"])
async def test_pages_together_are_the_list(stocked: Registry, order_by: str) -> None:
    whole = await stocked.names(order_by=order_by)
    found, token = [], ""
    for _ in whole:
        page = await stocked.page(order_by=order_by, page_size=1, page_token=token)
        found += [application.name for application in page.applications]
        token = page.next_page_token
    assert found == whole
    assert token == ""


async def test_some_can_be_left_out(stocked: Registry) -> None:
    assert await stocked.names(skip=1, page_size=1) == ["a"]


async def test_a_page_token_is_for_one_list(stocked: Registry) -> None:
    token = (await stocked.page(page_size=1)).next_page_token
    refusal = await refusal_of(stocked.page(page_size=1, page_token=token, filter="kind = client"))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")


@pytest.fixture
async def two_organizations(registry: Registry) -> tuple[Registry, str, str]:
    """Organization Acme with application a, and Bolt with b and c; application s is of the first organization."""
    acme, bolt = await registry.almoner.organization("Acme"), await registry.almoner.organization("Bolt")
    for name, organization in (("a", acme.id), ("b", bolt.id), ("c", bolt.id), ("s", "")):
        application = provider(name)
        application.organization_id = organization
        await registry.add(application)
    return registry, acme.id, bolt.id


TwoOrganizations = tuple["Registry", str, str]


async def names_by_organization(registry: Registry, acme: str, bolt: str, by: Metadata) -> tuple[list[str], ...]:
    return (
        await registry.names(by),
        await registry.names(by, organization_id=acme),
        await registry.names(by, organization_id=bolt),
        await registry.names(by, organization_id="-"),
    )


async def test_an_administrator_of_the_server_sees_each_organization_and_all(
    two_organizations: TwoOrganizations,
) -> None:
    registry, acme, bolt = two_organizations
    found = await names_by_organization(registry, acme, bolt, registry.almoner.as_admin)
    assert found == (["s"], ["a"], ["b", "c"], ["a", "b", "c", "s"])


async def test_others_see_their_own_organization(two_organizations: TwoOrganizations) -> None:
    registry, acme, bolt = two_organizations
    held = permissions(Permission.APPLICATIONS_VIEW)
    await registry.almoner.user("ann", organization_id=bolt, permissions=held)
    as_ann = registry.almoner.as_("ann")
    assert await registry.names(as_ann) == ["b", "c"]
    assert await registry.names(as_ann, organization_id=bolt.upper()) == ["b", "c"]
    assert await registry.names(as_ann, organization_id="-") == ["b", "c"]
    for hidden in (acme, str(uuid.uuid4())):
        refusal = await refusal_of(registry.page(as_ann, organization_id=hidden))
        assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "ORGANIZATION_NOT_FOUND")


async def test_who_may_view_one_application_sees_it_in_lists(two_organizations: TwoOrganizations) -> None:
    registry, acme, bolt = two_organizations
    ann = await registry.almoner.user("ann", organization_id=acme)
    await registry.bind(ann, await registry.get(number=4), Permission.APPLICATIONS_VIEW)
    found = await names_by_organization(registry, acme, bolt, registry.almoner.as_("ann"))
    assert found == ([], [], ["c"], ["c"])


async def test_one_more_application_adds_to_an_organization(two_organizations: TwoOrganizations) -> None:
    registry, acme, bolt = two_organizations
    held = permissions(Permission.APPLICATIONS_VIEW)
    ann = await registry.almoner.user("ann", organization_id=acme, permissions=held)
    await registry.bind(ann, await registry.get(number=4), Permission.APPLICATIONS_VIEW)
    found = await names_by_organization(registry, acme, bolt, registry.almoner.as_("ann"))
    assert found == (["a"], ["a"], ["c"], ["a", "c"])


async def test_a_right_to_change_one_application_lists_nothing(two_organizations: TwoOrganizations) -> None:
    registry, acme, _ = two_organizations
    ann = await registry.almoner.user("ann", organization_id=acme)
    await registry.bind(ann, await registry.get(number=2), Permission.APPLICATIONS_MANAGE)
    refusal = await refusal_of(registry.page(registry.almoner.as_("ann")))
    assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING")


async def test_a_list_is_counted_where_somebody_asks(stocked: Registry) -> None:
    assert (await stocked.page(page_size=1)).total_size == 0
    first = await stocked.page(page_size=1, count_all=True)
    assert (len(first.applications), first.total_size) == (1, 3)
    second = await stocked.page(page_size=1, page_token=first.next_page_token, count_all=True)
    assert (len(second.applications), second.total_size) == (1, 3)
    last = await stocked.page(skip=2, count_all=True, order_by="name desc")
    assert (len(last.applications), last.total_size) == (1, 3)
    assert (await stocked.page(skip=9, count_all=True)).total_size == 3


async def test_what_is_counted_is_what_the_filter_leaves(stocked: Registry) -> None:
    page = await stocked.page(page_size=1, count_all=True, filter="kind = provider")
    assert (len(page.applications), page.total_size) == (1, 2)
    assert (await stocked.page(count_all=True, filter='name = "nobody"')).total_size == 0


async def test_nobody_is_told_how_many_there_are_that_they_do_not_see(stocked: Registry) -> None:
    acme = await stocked.almoner.organization("Acme")
    ann = await stocked.almoner.user("ann", organization_id=acme.id)
    await stocked.bind(ann, await stocked.get(number=3), Permission.APPLICATIONS_VIEW)
    page = await stocked.page(stocked.almoner.as_("ann"), organization_id="-", count_all=True)
    assert ([application.number for application in page.applications], page.total_size) == ([3], 1)
