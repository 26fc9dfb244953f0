# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from service.access.permissions import ALL, Permission
from tests.refusals import refusal_of
from tests.service.directory.house import P, for_user

if TYPE_CHECKING:
    from tests.service.directory.house import House


async def test_a_caller_is_told_who_they_are(house: House) -> None:
    acme = await house.organization()
    ann = await house.user("ann", P.USERS_VIEW, organization_id=acme.id, role_ids=[4])
    me = await house.call("WhoAmI", house.almoner.as_("ann"))
    assert me.user == ann
    assert me.organization == acme
    assert not me.HasField("actor")
    assert {P.USERS_VIEW, P.PROFILES_LIST, P.LINKS_MANAGE} <= set(map(Permission, me.permissions))
    assert P.PROFILES_REVEAL not in me.permissions


async def test_an_administrator_holds_everything(house: House) -> None:
    me = await house.call("WhoAmI")
    assert set(map(Permission, me.permissions)) == ALL


async def test_what_is_held_in_another_organization_is_not_told(house: House) -> None:
    acme, other = await house.organization(), await house.organization("Other")
    ann = await house.user("ann", organization_id=acme.id)
    await house.bind(ann, 2, organization_id=other.id)
    assert not (await house.call("WhoAmI", house.almoner.as_("ann"))).permissions


async def test_on_behalf_of_another_the_other_is_told_with_what_they_hold_themselves(house: House) -> None:
    acme = await house.organization()
    ann = await house.user("ann", P.PROFILES_GET, organization_id=acme.id)
    me = await house.call("WhoAmI", for_user(house.almoner.as_admin, "ann"))
    assert me.user == ann
    assert me.organization == acme
    assert list(map(Permission, me.permissions)) == [P.PROFILES_GET]
    assert me.actor.username == "admin"


async def test_without_credentials_there_is_nobody(house: House) -> None:
    refusal = await refusal_of(house.call("WhoAmI", (("x-request-id", "1"),)))
    assert refusal.reason == "CREDENTIALS_MISSING"
