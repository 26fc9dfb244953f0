# SPDX-License-Identifier: Apache-2.0
"""Lists of access rules: what is in them, filters, orders and pages."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.duration_pb2 import Duration

from service.access.permissions import Permission
from tests.refusals import refusal_of
from tests.service.grants.office import AUDITOR, OWNER, AccessRule, Office

if TYPE_CHECKING:
    from tests.running import Metadata


async def test_a_list_has_the_rules_of_applications_that_the_caller_views(office: Office, elsewhere: Office) -> None:
    first, second, foreign = await office.application(), await office.application(), await elsewhere.application()
    rules = [(await office.rule(application, await office.person())).id for application in (first, second)]
    far = (await elsewhere.rule(foreign, await elsewhere.person())).id
    auditor = await office.person(role=AUDITOR)
    owner = await office.person(role=OWNER, on=second)

    assert await office.rules(auditor.by) == rules
    assert await office.rules(owner.by) == rules[1:]
    for by, seen in ((auditor.by, rules), (owner.by, rules[1:]), (elsewhere.chief.by, [far])):
        assert await office.rules(by, organization_id="-") == seen
    assert {*rules, far} <= set(await office.rules(office.almoner.as_admin_token, organization_id="-"))
    everywhere = office.almoner.as_admin_token
    assert await office.rules(everywhere, organization_id=office.organization.id) == rules
    assert await office.rules(everywhere, organization_id=elsewhere.organization.id) == [far]


async def test_roles_reach_into_other_organizations(office: Office, elsewhere: Office) -> None:
    first, second = await elsewhere.application(), await elsewhere.application()
    rules = [(await elsewhere.rule(application, await elsewhere.person())).id for application in (first, second)]
    auditor, owner = await office.person(), await office.person(role=OWNER, on=second)
    await office.bind(auditor, AUDITOR, organization_id=elsewhere.organization.id)
    there = elsewhere.organization.id

    assert await office.rules(auditor.by, organization_id=there) == rules
    assert await office.rules(owner.by, organization_id=there) == rules[1:]
    assert await office.rules(owner.by) == []


async def test_an_organization_where_nothing_is_viewed_is_not_there(office: Office, elsewhere: Office) -> None:
    owner = await office.person(role=OWNER, on=await office.application())
    for by in (office.chief.by, owner.by):
        for organization_id in (elsewhere.organization.id, str(uuid.uuid4())):
            refusal = await refusal_of(office.rules(by, organization_id=organization_id))
            assert refusal.reason == "ORGANIZATION_NOT_FOUND"


async def test_nobody_lists_without_the_permission(office: Office) -> None:
    member = await office.person(Permission.APPLICATIONS_VIEW, Permission.USERS_VIEW)
    for organization_id in ("", "-", office.organization.id, str(uuid.uuid4())):
        refusal = await refusal_of(office.rules(member.by, organization_id=organization_id))
        assert (refusal.reason, refusal.metadata) == ("PERMISSION_MISSING", {"permission": "RULES_VIEW"})


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("", "abc"),
        ("id > 0", "abc"),
        ('application_id = "{first}"', "ab"),
        ("application_id:first", "ab"),
        ("application_number = {number}", "c"),
        ("user_id = {user}", "ac"),
        ('username = "{username}"', "ac"),
        ('username != "{username}"', "b"),
        ('description = "nightly *"', "a"),
        ("description:*", "ab"),
        ("access_token_lifetime = 60", "a"),
        ("access_token_lifetime >= 60 AND access_token_lifetime < 3600", "ab"),
        ("access_token_lifetime = 0", "c"),
        ("grant_lifetime:*", "b"),
        ("renewable = true", "a"),
        ("renewable = false", "bc"),
        ('create_time > "2020-01-01T00:00:00Z"', "abc"),
        ('update_time < "2020-01-01T00:00:00Z"', ""),
        ("user_id = {user} AND -renewable:*", "c"),
    ],
)
async def test_filters(office: Office, expression: str, found: str) -> None:
    suffix = office.organization.id
    first, second = await office.application(f"first-{suffix}"), await office.application(f"second-{suffix}")
    user, other = await office.person(), await office.person()
    rules = {
        (
            await office.rule(
                first, user, description="nightly run", access_token_lifetime=Duration(seconds=60), renewable=True
            )
        ).id: "a",
        (
            await office.rule(
                first,
                other,
                description="x",
                access_token_lifetime=Duration(seconds=90, nanos=500_000_000),
                grant_lifetime=Duration(seconds=100),
                renewable=False,
            )
        ).id: "b",
        (await office.rule(second, user)).id: "c",
    }

    names = {"first": first.id, "number": second.number, "user": user.id, "username": user.username}
    ids = await office.rules(filter=expression.format(**names))

    assert "".join(rules[rule_id] for rule_id in ids) == found


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("", "abc"),
        ("id desc", "cba"),
        ("application_id, user_id desc", "cba"),
        ("application_id desc", "bac"),
        ("user_id", "acb"),
        ("username desc", "cab"),
        ("access_token_lifetime", "bca"),
        ("grant_lifetime desc, id", "cab"),
        ("create_time desc", "cba"),
        ("update_time", "bca"),
    ],
)
async def test_orders_and_pages(office: Office, order: str, found: str) -> None:
    suffix = office.organization.id
    early, late = await office.application(f"a-{suffix}"), await office.application(f"b-{suffix}")
    zoe, adam = await office.person(username=f"zoe {suffix}"), await office.person(username=f"adam {suffix}")
    second, minute = Duration(seconds=1), Duration(seconds=60)
    rules = {
        (await office.rule(late, zoe, access_token_lifetime=minute)).id: "a",
        (await office.rule(late, adam)).id: "b",
        (await office.rule(early, zoe, access_token_lifetime=second, grant_lifetime=minute)).id: "c",
    }
    first_id = next(iter(rules))
    await office.change_rule(AccessRule(id=first_id, description="changed last"))

    assert "".join(rules[rule_id] for rule_id in await office.rules(order_by=order)) == found
    assert "".join(await _pages(office, rules, order)) == found


async def _pages(office: Office, rules: dict[int, str], order: str) -> list[str]:
    found, token = [], ""
    while True:
        page = await office.call("ListAccessRules", page_size=1, page_token=token, order_by=order)
        found += [rules[rule.id] for rule in page.access_rules]
        token = page.next_page_token
        if not token:
            return found


async def test_rules_are_skipped(office: Office) -> None:
    application = await office.application()
    rules = [(await office.rule(application, await office.person())).id for _ in range(4)]

    assert await office.rules(skip=1, page_size=2) == rules[1:3]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"filter": "etag = 1"}, "INVALID_FILTER"),
        ({"filter": "renewable > false"}, "INVALID_FILTER"),
        ({"filter": "access_token_lifetime = 60s"}, "INVALID_FILTER"),
        ({"order_by": "description"}, "INVALID_ORDER_BY"),
        ({"order_by": "id, id"}, "INVALID_ORDER_BY"),
        ({"page_token": "x"}, "INVALID_PAGE_TOKEN"),
        ({"page_size": -1}, "INVALID_FIELD"),
    ],
)
async def test_what_is_no_list_is_refused(office: Office, members: dict[str, Any], reason: str) -> None:
    assert (await refusal_of(office.rules(**members))).reason == reason


async def test_a_page_token_is_its_callers(office: Office) -> None:
    application = await office.application()
    for _ in range(2):
        await office.rule(application, await office.person())
    page = await office.call("ListAccessRules", page_size=1)

    by: Metadata = (await office.person(role=AUDITOR)).by
    refusal = await refusal_of(office.rules(by, page_size=1, page_token=page.next_page_token))

    assert refusal.reason == "INVALID_PAGE_TOKEN"
