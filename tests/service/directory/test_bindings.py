# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from tests.refusals import refusal_of
from tests.service.directory.house import OK, P, RoleBinding, outcome_of

if TYPE_CHECKING:
    from tests.service.directory.house import House

NOBODYS = "00000000-0000-4000-8000-000000000000"


async def test_a_role_is_bound_on_the_server_in_an_organization_and_for_an_application(house: House) -> None:
    acme = await house.organization()
    await house.application(acme.id, "reports")
    ann = await house.user("ann", organization_id=acme.id)
    for place in ({"server": True}, {"organization_id": acme.id}, {"application_id": "reports"}):
        binding = await house.bind(ann, 2, **place)
        expected = RoleBinding(id=binding.id, user_id=ann.id, role_id=2, etag='"1"', **place)
        expected.create_time.CopyFrom(binding.create_time)
        assert binding == expected
        assert (await house.call("GetRoleBinding", id=binding.id)).role_binding == binding


async def test_permissions_are_held_where_they_are_bound(house: House) -> None:
    acme, other, third = [await house.organization(name) for name in ("Acme", "Other", "Third")]
    ann = await house.user("ann", organization_id=acme.id)
    viewer = await house.role("Viewer", P.USERS_VIEW)
    by = house.almoner.as_("ann")

    async def seen() -> list[str]:
        calls = [house.call("ListUsers", by, organization_id=place.id) for place in (acme, other, third)]
        return [await outcome_of(call) for call in calls]

    there = await house.bind(ann, viewer, organization_id=other.id)
    assert await seen() == ["PERMISSION_MISSING", OK, "ORGANIZATION_NOT_FOUND"]
    await house.bind(ann, viewer, server=True)
    await house.call("DeleteRoleBinding", id=there.id)
    assert await seen() == [OK, OK, OK]


async def test_a_binding_at_home_is_one_of_the_users_roles_and_a_new_revision_of_them(house: House) -> None:
    acme = await house.organization()
    ann = await house.user("ann", organization_id=acme.id)
    binding = await house.bind(ann, 2, organization_id=acme.id)
    bound = await house.get_user(ann.id)
    assert (list(bound.role_ids), bound.etag) == ([2], '"2"')
    await house.call("DeleteRoleBinding", id=binding.id)
    unbound = await house.get_user(ann.id)
    assert (list(unbound.role_ids), unbound.etag) == ([], '"3"')


async def test_a_binding_is_made_once(house: House) -> None:
    ann = await house.user("ann")
    binding = await house.bind(ann, 2, server=True)
    refusal = await refusal_of(house.bind(ann, 2, server=True))
    assert refusal.code is StatusCode.ALREADY_EXISTS
    assert refusal.reason == "ALREADY_EXISTS"
    assert refusal.metadata == {"id": str(binding.id)}


async def test_a_repeated_request_makes_one_binding(house: House) -> None:
    ann = await house.user("ann")
    wanted: dict[str, Any] = {
        "role_binding": RoleBinding(user_id=ann.id, role_id=2, server=True),
        "request_id": str(uuid.uuid4()),
    }
    assert await house.call("CreateRoleBinding", **wanted) == await house.call("CreateRoleBinding", **wanted)


@pytest.mark.parametrize(
    ("members", "reason", "field"),
    [
        ({"user_id": 99, "role_id": 2, "server": True}, "USER_NOT_FOUND", "role_binding.user_id"),
        ({"user_id": 1, "role_id": 99, "server": True}, "ROLE_NOT_FOUND", "role_binding.role_id"),
        ({"user_id": 1, "role_id": 2, "organization_id": NOBODYS}, "ORGANIZATION_NOT_FOUND", ""),
        (
            {"user_id": 1, "role_id": 2, "application_id": "x"},
            "APPLICATION_NOT_FOUND",
            "role_binding.application_id",
        ),
        ({"user_id": 1, "role_id": 2}, "INVALID_FIELD", "role_binding.place"),
        ({"user_id": 1, "role_id": 2, "server": False}, "INVALID_FIELD", "role_binding.server"),
        ({"user_id": 0, "role_id": 2, "server": True}, "INVALID_FIELD", "role_binding.user_id"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_bound_must_exist(house: House, members: dict[str, Any], reason: str, field: str) -> None:
    refusal = await refusal_of(house.call("CreateRoleBinding", role_binding=RoleBinding(**members)))
    assert refusal.reason == reason
    assert refusal.fields == ([field] if field else [])


async def test_a_role_of_an_organization_is_bound_to_its_users_in_its_places_only(house: House) -> None:
    acme, other = await house.organization(), await house.organization("Other")
    role = await house.role("Reader", P.PROFILES_GET, organization_id=acme.id)
    ann = await house.user("ann", organization_id=acme.id)
    eve = await house.user("eve", organization_id=other.id)
    await house.application(acme.id, "reports")
    await house.application(other.id, "others")
    assert await outcome_of(house.bind(ann, role, organization_id=acme.id)) == OK
    assert await outcome_of(house.bind(ann, role, application_id="reports")) == OK
    for place in ({"server": True}, {"organization_id": other.id}, {"application_id": "others"}):
        assert await outcome_of(house.bind(ann, role, **place)) == "ROLE_NOT_FOUND"
    assert await outcome_of(house.bind(eve, role, organization_id=acme.id)) == "ROLE_NOT_FOUND"


async def test_a_binding_is_seen_through_its_user_and_through_its_place(house: House) -> None:
    acme, other = await house.organization(), await house.organization("Other")
    ann = await house.user("ann", organization_id=acme.id)
    there = await house.bind(ann, 2, organization_id=other.id)
    everywhere = await house.bind(ann, 2, server=True)
    await house.user("of_acme", P.USERS_VIEW, P.USERS_UPDATE, organization_id=acme.id)
    await house.user("of_other", P.USERS_VIEW, P.USERS_UPDATE, organization_id=other.id, role_ids=[2])
    home, place = house.almoner.as_("of_acme"), house.almoner.as_("of_other")
    assert await outcome_of(house.call("GetRoleBinding", home, id=there.id)) == OK
    assert await outcome_of(house.call("GetRoleBinding", place, id=there.id)) == OK
    assert await outcome_of(house.call("GetRoleBinding", home, id=everywhere.id)) == OK
    assert await outcome_of(house.call("GetRoleBinding", place, id=everywhere.id)) == "ROLE_BINDING_NOT_FOUND"
    assert [b.id for b in (await house.call("ListRoleBindings", home)).role_bindings] == [there.id, everywhere.id]
    # What may be done is decided by the place.
    assert await outcome_of(house.call("DeleteRoleBinding", home, id=there.id)) == "PERMISSION_MISSING"
    assert await outcome_of(house.call("DeleteRoleBinding", home, id=everywhere.id)) == "PERMISSION_MISSING"
    assert await outcome_of(house.call("DeleteRoleBinding", place, id=everywhere.id)) == "ROLE_BINDING_NOT_FOUND"
    assert await outcome_of(house.call("DeleteRoleBinding", place, id=there.id)) == OK
    assert await outcome_of(house.call("GetRoleBinding", id=there.id)) == "ROLE_BINDING_NOT_FOUND"


async def test_users_of_other_organizations_do_not_exist_for_those_who_bind(house: House) -> None:
    acme, other = await house.organization(), await house.organization("Other")
    eve = await house.user("eve", organization_id=other.id)
    await house.user("ann", P.ADMINISTRATOR, organization_id=acme.id)
    by = house.almoner.as_("ann")
    assert await outcome_of(house.bind(eve, 2, by, organization_id=acme.id)) == "USER_NOT_FOUND"
    assert await outcome_of(house.bind(eve, 2, by, organization_id=other.id)) == "ORGANIZATION_NOT_FOUND"
    assert await outcome_of(house.bind(eve, 2, by, server=True)) == "PERMISSION_MISSING"


async def test_bindings_are_listed_by_the_organization_of_their_users_with_filter_and_order(house: House) -> None:
    acme = await house.organization()
    ann = await house.user("ann", organization_id=acme.id, role_ids=[2, 4])
    listed = (await house.call("ListRoleBindings", organization_id=acme.id, order_by="id desc")).role_bindings
    assert [binding.role_id for binding in listed] == [4, 2]
    found = (
        await house.call("ListRoleBindings", organization_id="-", filter=f"user_id={ann.id} role_id=4")
    ).role_bindings
    assert [binding.id for binding in found] == [listed[0].id]
    page = await house.call("ListRoleBindings", organization_id="-", page_size=1)
    assert page.role_bindings[0].server
    page = await house.call("ListRoleBindings", organization_id="-", page_size=2, page_token=page.next_page_token)
    assert [binding.role_id for binding in page.role_bindings] == [2, 4]
    assert not page.next_page_token


async def test_a_binding_has_one_etag_for_ever(house: House) -> None:
    binding = await house.bind(await house.user("ann"), 2, server=True)
    assert await outcome_of(house.call("DeleteRoleBinding", id=binding.id, etag='"2"')) == "ETAG_MISMATCH"
    assert await outcome_of(house.call("DeleteRoleBinding", id=binding.id, etag=binding.etag)) == OK


async def test_the_trail_tells_what_was_bound_where(house: House) -> None:
    acme = await house.organization()
    ann = await house.user("ann")
    binding = await house.bind(ann, 2, organization_id=acme.id)
    await house.call("DeleteRoleBinding", id=binding.id)
    (made,) = await house.events("role_binding.create")
    (ended,) = await house.events("role_binding.delete")
    assert made.resource == ended.resource == f"role_bindings/{binding.id}"
    assert made.organization == ended.organization == 1
    assert made.changes == {"user_id": [None, ann.id], "role_id": [None, 2], "place": [None, acme.id]}
    assert ended.changes == {"user_id": [ann.id, None], "role_id": [2, None], "place": [acme.id, None]}
