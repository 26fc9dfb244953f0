# SPDX-License-Identifier: Apache-2.0
"""Grants that were issued: who sees, counts and revokes them. Only those that are live exist."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from almoner.v1 import application_pb2
from service.access.permissions import Permission
from service.grants.tables import GrantType
from service.rpc.times import to_timestamp
from tests.refusals import refusal_of
from tests.service.grants.office import (
    AUDITOR,
    GRANT_ADMINISTRATOR,
    HOUR,
    MAINTAINER,
    OAUTH_ADMINISTRATOR,
    OWNER,
    Grant,
    Office,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.service.profiles.desk import Person

NOBODY = 2**62
LONG_AGO = 1_600_000_000_000_000


async def test_a_grant_shows_everything_but_its_tokens(office: Office) -> None:
    application, who = await office.application(), await office.person()
    now = office.almoner.service.clock()
    grant = await office.grant(application, who, issued=now - HOUR, access_token_issued=now, expires=now + 9 * HOUR)

    shown = (await office.call("GetGrant", id=grant)).grant

    assert shown == Grant(
        id=grant,
        application_id=application.id,
        application_number=application.number,
        user_id=who.id,
        username=who.username,
        scopes=["admin", "certificate"],
        grant_type=application_pb2.GRANT_TYPE_PASSWORD,
        issue_time=to_timestamp(now - HOUR),
        access_token_issue_time=to_timestamp(now),
        access_token_expire_time=shown.access_token_expire_time,
        expire_time=to_timestamp(now + 9 * HOUR),
        renewable=True,
    )


async def test_what_has_expired_or_was_revoked_is_no_grant(office: Office) -> None:
    application, who = await office.application(), await office.person()
    now = office.almoner.service.clock()
    live = await office.grant(application, who, access_token_expires=now - 1)
    expired = await office.grant(application, who, expires=now - 1)
    revoked = await office.grant(application, who, revoked=now - 1)

    assert await office.grants() == [live]
    assert await office.grants(who.by) == [live]
    counted = await office.call("CountGrants")
    assert (counted.grants, counted.users) == (1, 1)
    for gone in (expired, revoked, NOBODY, 0, -1):
        for method in ("GetGrant", "RevokeGrant"):
            refusal = await refusal_of(office.call(method, id=gone))
            assert (refusal.reason, refusal.metadata) == ("GRANT_NOT_FOUND", {"id": str(gone)})
    assert (await office.call("RevokeGrants", user_id=who.id)).revoked == 1


async def test_a_list_has_what_the_caller_sees(office: Office, elsewhere: Office) -> None:
    first, second, foreign = await office.application(), await office.application(), await elsewhere.application()
    user, other, stranger = await office.person(), await office.person(), await elsewhere.person()
    a = await office.grant(first, user)
    b = await office.grant(second, user)
    c = await office.grant(second, other)
    d = await office.grant(foreign, user)
    e = await office.grant(foreign, stranger)
    f = await office.grant(first, stranger)
    owner = await office.person(role=OWNER, on=second)
    here, there = office.organization.id, elsewhere.organization.id

    # Of an organization: for its applications, and to its users.
    assert await office.grants() == [a, b, c, d, f]
    assert await office.grants(elsewhere.chief.by) == [d, e, f]
    assert await office.grants(owner.by) == [b, c]
    assert await office.grants(user.by) == [a, b, d]
    assert await office.grants(user.by, organization_id="-") == [a, b, d]
    assert await office.grants(stranger.by) == [e, f]
    assert await office.grants(owner.by, organization_id="-") == [b, c]
    assert await office.grants(organization_id="-") == [a, b, c, d, f]
    everywhere = office.almoner.as_admin_token
    assert {a, b, c, d, e, f} <= set(await office.grants(everywhere, organization_id="-", page_size=1_000))
    assert await office.grants(everywhere, organization_id=here) == [a, b, c, d, f]
    for by in (office.chief.by, user.by, owner.by):
        assert (await refusal_of(office.grants(by, organization_id=there))).reason == "ORGANIZATION_NOT_FOUND"
        for organization_id in ("x", str(uuid.uuid4())):
            reason = (await refusal_of(office.grants(by, organization_id=organization_id))).reason
            assert reason == ("INVALID_FIELD" if organization_id == "x" else "ORGANIZATION_NOT_FOUND")


async def test_grants_are_counted_as_they_are_listed(office: Office, elsewhere: Office) -> None:
    first, second, foreign = await office.application(), await office.application(), await elsewhere.application()
    user, other = await office.person(), await office.person()
    for application, who in ((first, user), (first, user), (first, other), (second, user), (foreign, user)):
        await office.grant(application, who)
    owner = await office.person(role=OWNER, on=second)

    async def count(by: Person | None = None, **members: Any) -> tuple[int, int]:
        counted = await office.call("CountGrants", by.by if by else None, **members)
        return counted.grants, counted.users

    assert await count() == (5, 2)
    assert await count(application_id=first.id) == (3, 2)
    assert await count(user_id=user.id) == (4, 1)
    assert await count(application_id=first.id, user_id=other.id) == (1, 1)
    assert await count(owner) == (1, 1)
    assert await count(owner, application_id=first.id) == (0, 0)
    assert await count(other) == (1, 1)
    assert await count(elsewhere.chief) == (1, 1)
    assert await count(application_id="no such") == (0, 0)
    assert await count(user_id=NOBODY) == (0, 0)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ('application_id = "{first}"', "ab"),
        ("application_number = {number}", "c"),
        ("user_id = {user}", "ac"),
        ("username:{username}", "ac"),
        ("grant_type = GRANT_TYPE_DEVICE_CODE", "b"),
        ("grant_type != DEVICE_CODE", "ac"),
        ("renewable = false", "c"),
        ('issue_time < "2021-01-01T00:00:00Z"', "a"),
        ('access_token_issue_time < "2021-01-01T00:00:00Z"', "b"),
        ('access_token_expire_time < "2021-01-01T00:00:00Z"', "c"),
        ('expire_time > "2021-01-01T00:00:00Z"', "abc"),
        ("id = 0 OR renewable = true", "ab"),
    ],
)
async def test_filters(office: Office, expression: str, found: str) -> None:
    first, second = await office.application(), await office.application()
    user, other = await office.person(), await office.person()
    grants = {
        await office.grant(first, user, issued=LONG_AGO): "a",
        await office.grant(first, other, grant_type=GrantType.DEVICE_CODE.value, access_token_issued=LONG_AGO): "b",
        await office.grant(second, user, access_token_expires=LONG_AGO, renewable=False, refresh_token=None): "c",
    }

    names = {"first": first.id, "number": second.number, "user": user.id, "username": user.username}
    ids = await office.grants(filter=expression.format(**names))

    assert "".join(grants[grant_id] for grant_id in ids) == found


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("", "abc"),
        ("application_id, id desc", "cba"),
        ("user_id, id", "acb"),
        ("username", "bac"),
        ("issue_time", "bca"),
        ("access_token_issue_time desc", "cba"),
        ("access_token_expire_time", "bac"),
        ("expire_time desc", "bca"),
    ],
)
async def test_orders_and_pages(office: Office, order: str, found: str) -> None:
    suffix = office.organization.id
    early, late = await office.application(f"a-{suffix}"), await office.application(f"b-{suffix}")
    zoe, adam = await office.person(username=f"zoe {suffix}"), await office.person(username=f"adam {suffix}")
    now = office.almoner.service.clock()
    times = ("issued", "access_token_issued", "access_token_expires", "expires")
    grants = {
        await office.grant(application, who, **dict(zip(times, (now + HOUR * hours for hours in after), strict=True))): name
        for name, application, who, after in (
            ("a", late, zoe, (3, 1, 2, 1)),
            ("b", late, adam, (1, 2, 1, 3)),
            ("c", early, zoe, (2, 3, 3, 2)),
        )
    }  # fmt: skip

    assert "".join(grants[grant_id] for grant_id in await office.grants(order_by=order)) == found
    paged, token = "", ""
    while True:
        page = await office.call("ListGrants", page_size=2, page_token=token, order_by=order)
        paged += "".join(grants[grant.id] for grant in page.grants)
        token = page.next_page_token
        if not token:
            break
    assert paged == found


async def test_a_revoked_grant_keeps_its_row_with_the_time(office: Office) -> None:
    application, who = await office.application(), await office.person()
    revoked, kept = await office.grant(application, who), await office.grant(application, who)

    await office.call("RevokeGrant", id=revoked)

    assert await office.grants() == [kept]
    assert revoked not in await office.live()
    (event,) = await office.events("grant.revoke")
    assert (event.actor, event.resource) == (office.chief.username, f"grants/{revoked}")
    assert event.changes == {"application_number": application.number, "user_id": who.id}


# What each does with a grant of a user for an application: + may, p permission denied, n not found.
#                                     get revoke of_application of_user
MATRIX = {
    "administrator":                 "+ + + +",
    "oauth administrator":           "+ + + +",
    "owner":                         "+ + + +",
    "maintainer":                    "p p p p",
    "auditor":                       "+ p p p",
    "grant administrator":           "+ + + +",
    "member":                        "p p p p",
    "user of the grant":             "+ + p +",
    "owner of another application":  "n n n +",
    "administrator elsewhere":       "n n n n",
}  # fmt: skip
Call: TypeAlias = "Callable[[], Awaitable[Any]]"
OUTCOMES = {"p": "PERMISSION_DENIED", "n": "NOT_FOUND"}


@pytest.mark.parametrize("name", MATRIX)
async def test_who_may_do_what(office: Office, elsewhere: Office, name: str) -> None:
    application, other, user = await office.application(), await office.application(), await office.person()
    makers: dict[str, Any] = {
        "administrator": lambda: office.person(Permission.ADMINISTRATOR),
        "oauth administrator": lambda: office.person(role=OAUTH_ADMINISTRATOR),
        "owner": lambda: office.person(role=OWNER, on=application),
        "maintainer": lambda: office.person(role=MAINTAINER, on=application),
        "auditor": lambda: office.person(role=AUDITOR),
        "grant administrator": lambda: office.person(role=GRANT_ADMINISTRATOR),
        "member": office.person,
        "owner of another application": lambda: office.person(role=OWNER, on=other),
        "administrator elsewhere": lambda: elsewhere.person(Permission.ADMINISTRATOR),
    }
    who = user if name == "user of the grant" else await makers[name]()
    grants = [await office.grant(application, user) for _ in range(2)]

    calls: tuple[Call, ...] = (
        lambda: office.call("GetGrant", who.by, id=grants[0]),
        lambda: office.call("RevokeGrant", who.by, id=grants[0]),
        lambda: office.call("RevokeGrants", who.by, application_id=application.id),
        lambda: office.call("RevokeGrants", who.by, user_id=user.id),
    )
    for outcome, call in zip(MATRIX[name].split(), calls, strict=True):
        if outcome == "+":
            await call()
        else:
            assert (await refusal_of(call())).code.name == OUTCOMES[outcome]
    may_revoke_all = {"administrator", "oauth administrator", "owner", "grant administrator", "user of the grant"}
    assert not set(grants) & await office.live() if name in may_revoke_all else set(grants) <= await office.live()


async def test_all_grants_of_an_application_a_user_or_both_are_revoked_at_once(office: Office) -> None:
    first, second = await office.application(), await office.application()
    user, other = await office.person(), await office.person()
    grants = [
        await office.grant(application, who)
        for application, who in ((first, user), (first, other), (second, user), (second, other), (second, other))
    ]

    async def revoke(**members: Any) -> int:
        return int((await office.call("RevokeGrants", **members)).revoked)

    assert await revoke(application_id=first.id, user_id=user.id) == 1
    assert await revoke(application_id=first.id, user_id=user.id) == 0
    assert await revoke(application_id=first.id) == 1
    assert await revoke(user_id=other.id) == 2
    assert await office.grants() == [grants[2]]

    both, of_application, of_user = await office.events("grant.revoke_all")
    assert both.changes == {"user_id": user.id, "revoked": 1, "grants": grants[:1]}
    assert of_application.resource == f"applications/{first.number}"
    assert (of_user.resource, of_user.changes["grants"]) == (f"users/{other.id}", grants[3:])


async def test_an_event_names_a_hundred_grants_at_the_most(office: Office) -> None:
    application, who = await office.application(), await office.person()
    grants = [await office.grant(application, who) for _ in range(101)]

    assert (await office.call("RevokeGrants", user_id=who.id)).revoked == 101

    (event,) = await office.events("grant.revoke_all")
    assert event.changes == {"user_id": who.id, "revoked": 101, "grants": grants[:100]}


async def test_what_the_caller_may_not_revoke_stays(office: Office, elsewhere: Office) -> None:
    mine, other, foreign = await office.application(), await office.application(), await elsewhere.application()
    owner, user = await office.person(role=OWNER, on=mine), await office.person()
    for application in (mine, mine):
        await office.grant(application, user)
    kept = await office.grant(other, user)
    far = await office.grant(foreign, await elsewhere.person())
    own = await office.grant(other, owner)

    assert (await office.call("RevokeGrants", owner.by, user_id=user.id)).revoked == 2
    assert await office.grants() == [kept, own]
    # One's own go with those of an application that one has nothing to say about.
    assert (await office.call("RevokeGrants", owner.by, application_id=other.id)).revoked == 1
    assert await office.grants() == [kept]
    assert far in await office.live()


async def test_anybody_revokes_their_own(office: Office, elsewhere: Office) -> None:
    application, foreign, who = await office.application(), await elsewhere.application(), await office.person()
    for each in (application, application, foreign):
        await office.grant(each, who)

    assert (await office.call("RevokeGrants", who.by, user_id=who.id, application_id=foreign.id)).revoked == 1
    assert (await office.call("RevokeGrants", who.by, user_id=who.id)).revoked == 2
    assert (await office.call("RevokeGrants", who.by, user_id=who.id)).revoked == 0


async def test_revoking_many_names_what_is_there(office: Office, elsewhere: Office) -> None:
    application, foreign = await office.application(), await elsewhere.application()
    owner, member, stranger = (
        await office.person(role=OWNER, on=application),
        await office.person(),
        await elsewhere.person(),
    )

    for by, members, reason in (
        (None, {"application_id": "no such"}, "APPLICATION_NOT_FOUND"),
        (None, {"application_id": foreign.id}, "APPLICATION_NOT_FOUND"),
        (None, {"user_id": NOBODY}, "USER_NOT_FOUND"),
        (owner, {"user_id": stranger.id}, "USER_NOT_FOUND"),
        (owner, {"application_id": application.id, "user_id": stranger.id}, "USER_NOT_FOUND"),
        (member, {"user_id": member.id, "application_id": application.id}, "APPLICATION_NOT_FOUND"),
        (member, {"user_id": owner.id}, "PERMISSION_MISSING"),
        (member, {"application_id": application.id}, "PERMISSION_MISSING"),
        (None, {}, "INVALID_FIELD"),
        (None, {"user_id": -1}, "INVALID_FIELD"),
    ):  # fmt: skip
        refusal = await refusal_of(office.call("RevokeGrants", by.by if by else None, **members))
        assert refusal.reason == reason, members


async def test_who_sees_a_users_grant_knows_the_user(office: Office, elsewhere: Office) -> None:
    application, stranger = await office.application(), await elsewhere.person()
    owner = await office.person(role=OWNER, on=application)
    await office.grant(application, stranger)

    assert (await office.call("RevokeGrants", owner.by, user_id=stranger.id)).revoked == 1


async def test_totals_are_those_of_ones_organization(office: Office, elsewhere: Office) -> None:
    first, second, foreign = await office.application(), await office.application(), await elsewhere.application()
    await office.registration()
    user, stranger = await office.person(), await elsewhere.person()
    await office.rule(first, user)
    await elsewhere.rule(foreign, stranger)
    for application, who in ((first, user), (second, user), (second, stranger), (foreign, user)):
        await office.grant(application, who)
    await office.grant(first, user, revoked=1)

    async def totals(by: Any) -> tuple[int, int, int]:
        found = await office.call("GetTotals", by)
        return found.applications, found.access_rules, found.grants

    assert await totals(user.by) == (2, 1, 3)
    assert await totals(elsewhere.chief.by) == (1, 1, 1)
    applications, rules, grants = await totals(office.almoner.as_admin_token)
    assert (applications >= 3, rules >= 2, grants >= 4) == (True, True, True)
