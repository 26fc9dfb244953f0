# SPDX-License-Identifier: Apache-2.0
"""Nobody gives away, takes away or takes over what they do not hold themselves, directly or on behalf of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from grpc import StatusCode

from service.access.permissions import ALL
from tests.refusals import refusal_of
from tests.service.directory.house import OK, P, Role, User, for_user, outcome_of, values

if TYPE_CHECKING:
    from tests.running import Metadata
    from tests.service.directory.house import House, Organization

ESCALATION = "PERMISSION_ESCALATION"

KEEPER = sorted(ALL - {P.ADMINISTRATOR, P.PROFILES_REVEAL, P.ON_BEHALF_OF})
"""Holds almost everything in Acme."""


@pytest.fixture
async def acme(house: House) -> Organization:
    return await house.organization()


@pytest.fixture
async def keeper(house: House, acme: Organization) -> Metadata:
    await house.user("keeper", *KEEPER, organization_id=acme.id)
    return house.almoner.as_("keeper")


async def test_permissions_are_given_by_those_who_hold_them(house: House, keeper: Metadata) -> None:
    wanted = User(username="ann", permissions=values(P.PROFILES_GET, P.PROFILES_REVEAL))
    refusal = await refusal_of(house.call("CreateUser", keeper, user=wanted))
    assert refusal.code is StatusCode.PERMISSION_DENIED
    assert refusal.reason == ESCALATION
    assert refusal.metadata == {"permission": "PROFILES_REVEAL"}
    wanted = User(username="ann", permissions=values(P.PROFILES_GET))
    ann = (await house.call("CreateUser", keeper, user=wanted)).user
    giving = house.update_user(ann.id, by=keeper, permissions=values(P.PROFILES_REVEAL))
    assert await outcome_of(giving) == ESCALATION
    assert await outcome_of(house.update_user(ann.id, by=keeper, permissions=values(P.PROFILES_LIST))) == OK


async def test_permissions_are_taken_by_those_who_hold_them(house: House, acme: Organization, keeper: Metadata) -> None:
    ann = await house.user("ann", P.PROFILES_REVEAL, organization_id=acme.id)
    assert await outcome_of(house.update_user(ann.id, "permissions", by=keeper)) == ESCALATION
    kept = house.update_user(ann.id, "permissions", "email", by=keeper, permissions=values(P.PROFILES_REVEAL))
    assert await outcome_of(kept) == OK


@pytest.mark.parametrize("role_id", [1, 2, 3])
async def test_roles_are_given_and_taken_by_those_who_hold_what_they_allow(
    house: House, acme: Organization, keeper: Metadata, role_id: int
) -> None:
    wanted = User(username="ann", role_ids=[role_id])
    assert await outcome_of(house.call("CreateUser", keeper, user=wanted)) == ESCALATION
    bob = await house.user("bob", organization_id=acme.id, role_ids=[role_id])
    assert await outcome_of(house.update_user(bob.id, "role_ids", by=keeper)) == ESCALATION
    assert await outcome_of(house.bind(bob, role_id, keeper, organization_id=acme.id)) == ESCALATION
    (binding,) = (await house.call("ListRoleBindings", keeper, filter=f"role_id = {role_id}")).role_bindings
    assert await outcome_of(house.call("DeleteRoleBinding", keeper, id=binding.id)) == ESCALATION
    assert await outcome_of(house.update_user(bob.id, "role_ids", by=keeper, role_ids=[4, role_id])) == OK


async def test_a_role_is_made_and_changed_by_those_who_hold_what_it_allows(
    house: House, acme: Organization, keeper: Metadata
) -> None:
    wanted = Role(name="Revealer", permissions=values(P.PROFILES_REVEAL))
    assert await outcome_of(house.call("CreateRole", keeper, role=wanted)) == ESCALATION
    lesser = await house.role("Lister", P.PROFILES_LIST, organization_id=acme.id)
    more = house.update_role(lesser.id, by=keeper, permissions=values(P.PROFILES_LIST, P.ADMINISTRATOR))
    assert await outcome_of(more) == ESCALATION
    greater = await house.role("Revealer", P.PROFILES_REVEAL, organization_id=acme.id)
    ann = await house.user("ann", organization_id=acme.id)
    assert await outcome_of(house.update_role(greater.id, "permissions", by=keeper)) == ESCALATION
    assert await outcome_of(house.update_role(greater.id, by=keeper, user_ids=[ann.id])) == ESCALATION
    assert await outcome_of(house.call("DeleteRole", keeper, id=greater.id)) == ESCALATION
    assert await outcome_of(house.update_role(lesser.id, by=keeper, user_ids=[ann.id])) == OK
    assert await outcome_of(house.call("DeleteRole", keeper, id=lesser.id)) == OK


async def test_a_role_that_is_bound_elsewhere_is_not_a_way_to_get_there(house: House, acme: Organization) -> None:
    """Whoever changes roles of organization 1 changes what they allow in every place."""
    role = await house.role("Traveller", P.PROFILES_LIST)
    ann = await house.user("ann", P.ROLES_UPDATE, P.ROLES_DELETE, P.PROFILES_LIST, P.PROFILES_GET)
    by = house.almoner.as_("ann")
    assert (
        await outcome_of(house.update_role(role.id, by=by, permissions=values(P.PROFILES_LIST, P.PROFILES_GET))) == OK
    )
    await house.bind(ann, role, organization_id=acme.id)
    assert await outcome_of(house.update_role(role.id, by=by, name="Pilgrim")) == OK
    assert await outcome_of(house.call("DeleteRole", by, id=role.id)) == OK
    role = await house.role("Traveller", P.PROFILES_LIST)
    bob = await house.user("bob")
    for place in ({"server": True}, {"organization_id": acme.id}):
        binding = await house.bind(bob, role, **place)
        changed = house.update_role(role.id, by=by, permissions=values(P.PROFILES_LIST, P.PROFILES_GET))
        assert await outcome_of(changed) == ESCALATION
        assert await outcome_of(house.call("DeleteRole", by, id=role.id)) == ESCALATION
        await house.call("DeleteRoleBinding", id=binding.id)


async def test_bindings_on_the_server_are_made_by_those_who_hold_it_there(house: House) -> None:
    keeper = await house.user("keeper", *KEEPER)
    by = house.almoner.as_("keeper")
    reader = await house.role("Reader", P.PROFILES_GET)
    ann = await house.user("ann")
    assert await outcome_of(house.bind(ann, reader, by, server=True)) == "PERMISSION_MISSING"
    await house.bind(keeper, await house.role("Binder", P.USERS_UPDATE), server=True)
    assert await outcome_of(house.bind(ann, reader, by, server=True)) == ESCALATION
    await house.bind(keeper, reader, server=True)
    assert await outcome_of(house.bind(ann, reader, by, server=True)) == OK


async def test_bindings_for_an_application_are_made_by_those_who_hold_it_there(
    house: House, acme: Organization
) -> None:
    await house.application(acme.id, "reports")
    ann = await house.user("ann", P.USERS_VIEW, organization_id=acme.id)
    bob = await house.user("bob", organization_id=acme.id)
    by = house.almoner.as_("ann")
    viewer = await house.role("Viewer", P.APPLICATIONS_VIEW)
    await house.bind(ann, await house.role("Binder", P.USERS_UPDATE), application_id="reports")
    assert await outcome_of(house.bind(bob, viewer, by, application_id="reports")) == ESCALATION
    await house.bind(ann, viewer, application_id="reports")
    assert await outcome_of(house.bind(bob, viewer, by, application_id="reports")) == OK
    assert await outcome_of(house.bind(bob, viewer, by, organization_id=acme.id)) == "PERMISSION_MISSING"


@pytest.mark.parametrize(
    "how", ["directly", "by role", "in another organization", "on the server", "for an application"]
)
async def test_who_holds_more_is_not_taken_over_nor_deleted(
    house: House, acme: Organization, keeper: Metadata, how: str
) -> None:
    other = await house.organization("Other")
    await house.application(acme.id, "reports")
    ann = await house.user("ann", organization_id=acme.id)
    reader = await house.role("Reader", P.PROFILES_GET)
    revealer = await house.role("Revealer", P.PROFILES_REVEAL)
    match how:
        case "directly":
            await house.update_user(ann.id, permissions=values(P.PROFILES_REVEAL))
        case "by role":
            await house.bind(ann, revealer, organization_id=acme.id)
        case "in another organization":
            await house.bind(ann, reader, organization_id=other.id)
        case "on the server":
            await house.bind(ann, reader, server=True)
        case _:
            await house.bind(ann, revealer, application_id="reports")
    for members in (
        {"password": "x"},
        {"disabled": True},
        {"locked": True},
        {"username": "x"},
        {"password_expire_time": {"seconds": 4102444800}},
    ):
        assert await outcome_of(house.update_user(ann.id, by=keeper, **members)) == ESCALATION
    assert await outcome_of(house.api_token(keeper, user_id=ann.id)) == ESCALATION
    assert await outcome_of(house.call("DeleteUser", keeper, id=ann.id)) == ESCALATION
    assert await outcome_of(house.update_user(ann.id, by=keeper, display_name="Ann")) == OK


async def test_who_holds_no_more_is_kept_as_the_keeper_likes(
    house: House, acme: Organization, keeper: Metadata
) -> None:
    await house.application(acme.id, "reports")
    ann = await house.user("ann", P.PROFILES_GET, organization_id=acme.id, role_ids=[4])
    await house.bind(ann, await house.role("Reader", P.PROFILES_GET), application_id="reports")
    assert await outcome_of(house.update_user(ann.id, by=keeper, password="x", locked=True)) == OK
    assert await outcome_of(house.api_token(keeper, user_id=ann.id)) == OK
    assert await outcome_of(house.call("DeleteUser", keeper, id=ann.id)) == OK


async def test_acting_on_behalf_of_another_is_no_way_to_take_them_over(house: House, acme: Organization) -> None:
    await house.user("clerk", P.ON_BEHALF_OF, P.CHANGE_PASSWORD, P.OWN_API_TOKENS, organization_id=acme.id)
    ann = await house.user("ann", P.ADMINISTRATOR, organization_id=acme.id)
    bob = await house.user("bob", P.CHANGE_PASSWORD, organization_id=acme.id)
    clerk = house.almoner.as_("clerk")
    as_ann, as_bob = for_user(clerk, "ann"), for_user(clerk, "bob")
    assert await outcome_of(house.api_token(as_ann)) == ESCALATION
    assert await outcome_of(house.update_user(ann.id, by=as_ann, password="x")) == ESCALATION
    assert await outcome_of(house.api_token(as_bob)) == OK
    assert await outcome_of(house.update_user(bob.id, by=as_bob, password="x")) == OK
    (event,) = await house.events("user.update")
    assert (event.actor, event.subject) == ("clerk", "bob")


async def test_who_acts_on_behalf_of_another_gives_what_they_hold_themselves(house: House, acme: Organization) -> None:
    await house.user("clerk", P.ON_BEHALF_OF, P.USERS_CREATE, P.PROFILES_GET, organization_id=acme.id)
    await house.user("ann", P.ADMINISTRATOR, organization_id=acme.id)
    by = for_user(house.almoner.as_("clerk"), "ann")
    greater = User(username="eve", permissions=values(P.PROFILES_REVEAL))
    assert await outcome_of(house.call("CreateUser", by, user=greater)) == ESCALATION
    lesser = User(username="bob", permissions=values(P.PROFILES_GET))
    assert await outcome_of(house.call("CreateUser", by, user=lesser)) == OK
    chief = User(username="cid", permissions=values(P.ADMINISTRATOR))
    assert await outcome_of(house.call("CreateUser", for_user(house.almoner.as_admin, "ann"), user=chief)) == OK


async def test_an_administrator_of_an_organization_gives_everything_there_and_nothing_elsewhere(
    house: House, acme: Organization
) -> None:
    await house.user("ann", P.ADMINISTRATOR, organization_id=acme.id)
    by = house.almoner.as_("ann")
    wanted = User(username="bob", permissions=values(P.ADMINISTRATOR), role_ids=[1])
    bob = (await house.call("CreateUser", by, user=wanted)).user
    assert await outcome_of(house.bind(bob, 1, by, server=True)) == "PERMISSION_MISSING"
    assert await outcome_of(house.update_role(2, by=by, user_ids=[bob.id])) == "PERMISSION_MISSING"
    stranger = User(username="eve", organization_id=(await house.call("GetOrganization", number=1)).organization.id)
    assert await outcome_of(house.call("CreateUser", by, user=stranger)) == "ORGANIZATION_NOT_FOUND"
    assert await outcome_of(house.update_user(1, by=by, password="x")) == "USER_NOT_FOUND"
