# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from service.directory.bootstrap import BUILT_IN_ROLES
from tests.refusals import refusal_of
from tests.service.directory.house import OK, P, Role, outcome_of, values

if TYPE_CHECKING:
    from tests.service.directory.house import House


async def test_a_role_is_made_with_permissions_and_users_in_one_call(house: House) -> None:
    acme = await house.organization()
    ann, bob = [await house.user(name, organization_id=acme.id) for name in ("ann", "bob")]
    role = await house.role(
        "Reader",
        P.PROFILES_GET,
        P.PROFILES_LIST,
        description="reads",
        organization_id=acme.id,
        user_ids=[bob.id, ann.id, bob.id],
    )
    assert (role.organization_id, role.organization_number) == (acme.id, acme.number)
    assert (role.name, role.description) == ("Reader", "reads")
    assert list(role.permissions) == values(P.PROFILES_LIST, P.PROFILES_GET)
    assert list(role.user_ids) == [ann.id, bob.id]
    assert not role.built_in
    assert role.etag == '"1"'
    assert role == await house.get_role(role.id)
    assert list((await house.get_user(ann.id)).role_ids) == [role.id]


async def test_a_name_is_required(house: House) -> None:
    assert (await refusal_of(house.role(""))).fields == ["role.name"]
    role = await house.role("Reader")
    assert (await refusal_of(house.update_role(role.id, "name"))).fields == ["role.name"]


async def test_a_repeated_request_makes_one_role(house: House) -> None:
    wanted: dict[str, Any] = {"role": Role(name="Reader"), "request_id": str(uuid.uuid4())}
    assert await house.call("CreateRole", **wanted) == await house.call("CreateRole", **wanted)
    assert len(await house.events("role.create")) == 1


async def test_users_must_exist_and_belong_to_the_roles_organization(house: House) -> None:
    acme, other = await house.organization(), await house.organization("Other")
    ann = await house.user("ann", organization_id=acme.id)
    eve = await house.user("eve", organization_id=other.id)
    for stranger in (eve.id, 99):
        refusal = await refusal_of(house.role("Reader", organization_id=acme.id, user_ids=[ann.id, stranger]))
        assert refusal.reason == "USER_NOT_FOUND"
        assert refusal.fields == ["role.user_ids[1]"]
    role = await house.role("Global", user_ids=[eve.id])
    assert list(role.user_ids) == [eve.id]
    (binding,) = (await house.call("ListRoleBindings", organization_id=other.id)).role_bindings
    assert binding.organization_id != other.id


async def test_users_whom_the_caller_may_not_see_do_not_exist(house: House) -> None:
    bob = await house.user("bob")
    await house.user("ann", P.ROLES_CREATE)
    wanted = Role(name="Reader", user_ids=[bob.id])
    assert (
        await refusal_of(house.call("CreateRole", house.almoner.as_("ann"), role=wanted))
    ).reason == "USER_NOT_FOUND"


async def test_the_built_in_roles_are_there_for_whoever_sees_roles_but_not_their_users(house: House) -> None:
    acme = await house.organization()
    await house.user("bob", role_ids=[2])
    own = await house.role("Reader", organization_id=acme.id)
    await house.user("ann", P.ROLES_VIEW, organization_id=acme.id)
    await house.user("eve", organization_id=acme.id)
    by = house.almoner.as_("ann")
    seen = (await house.call("GetRole", by, id=2)).role
    assert seen.name == "User"
    assert seen.built_in
    assert not seen.user_ids
    assert (await house.get_role(2)).user_ids
    assert [role.id for role in (await house.call("ListRoles", by)).roles] == [own.id]
    assert [role.id for role in (await house.call("ListRoles", by, organization_id="-")).roles] == [
        *(role.id for role in BUILT_IN_ROLES),
        own.id,
    ]
    assert await outcome_of(house.call("GetRole", house.almoner.as_("eve"), id=2)) == "PERMISSION_MISSING"


async def test_roles_of_another_organization_do_not_exist(house: House) -> None:
    acme, other = await house.organization(), await house.organization("Other")
    role = await house.role("Reader", organization_id=other.id)
    await house.user("ann", P.ROLES_VIEW, P.ROLES_UPDATE, P.ROLES_DELETE, P.ROLES_CREATE, organization_id=acme.id)
    by = house.almoner.as_("ann")
    assert await outcome_of(house.call("GetRole", by, id=role.id)) == "ROLE_NOT_FOUND"
    assert await outcome_of(house.update_role(role.id, by=by, name="x")) == "ROLE_NOT_FOUND"
    assert await outcome_of(house.call("DeleteRole", by, id=role.id)) == "ROLE_NOT_FOUND"
    assert await outcome_of(house.call("ListRoles", by, organization_id=other.id)) == "ORGANIZATION_NOT_FOUND"
    wanted = Role(name="x", organization_id=other.id)
    assert await outcome_of(house.call("CreateRole", by, role=wanted)) == "ORGANIZATION_NOT_FOUND"
    assert await outcome_of(house.call("GetRole", by, id=99)) == "ROLE_NOT_FOUND"
    assert await outcome_of(house.update_role(2, by=by, name="x")) == "PERMISSION_MISSING"


async def test_roles_are_listed_in_pages_with_filter_and_order_and_without_users(house: House) -> None:
    await house.role("Zoo keeper", user_ids=[1])
    page = await house.call("ListRoles", page_size=2, order_by="name desc")
    assert [role.name for role in page.roles] == ["Zoo keeper", "User"]
    assert not page.roles[0].user_ids
    page = await house.call("ListRoles", page_size=3, order_by="name desc", page_token=page.next_page_token)
    assert [role.name for role in page.roles] == ["Tenant Administrator", "System Administrator", "Organization Owner"]
    (found,) = (await house.call("ListRoles", filter="built_in = false")).roles
    assert found.name == "Zoo keeper"


NEW: dict[str, Any] = {
    "name": "new",
    "description": "new",
    "permissions": values(P.PROFILES_LIST),
    "user_ids": [1],
}


@pytest.mark.parametrize("path", NEW)
async def test_an_update_changes_the_named_member_alone(house: House, path: str) -> None:
    ann = await house.user("ann")
    before = await house.role("old", P.PROFILES_GET, description="old", user_ids=[ann.id])
    after = await house.update_role(before.id, path, **NEW)
    expected = Role()
    expected.CopyFrom(before)
    expected.ClearField(path)  # type: ignore[arg-type]
    expected.MergeFrom(Role(**{path: NEW[path]}))
    expected.etag = '"2"'
    expected.update_time.CopyFrom(after.update_time)
    assert after == expected == await house.get_role(before.id)


async def test_a_changed_role_changes_what_its_users_may_do_at_once(house: House) -> None:
    role = await house.role("Viewer")
    await house.user("ann", role_ids=[role.id])
    by = house.almoner.as_("ann")
    assert await outcome_of(house.call("ListUsers", by)) == "PERMISSION_MISSING"
    await house.update_role(role.id, permissions=values(P.USERS_VIEW))
    assert await outcome_of(house.call("ListUsers", by)) == OK
    await house.update_role(role.id, "permissions")
    assert await outcome_of(house.call("ListUsers", by)) == "PERMISSION_MISSING"


async def test_users_who_get_or_lose_a_role_have_a_new_revision(house: House) -> None:
    ann, bob, cid = [await house.user(name) for name in ("ann", "bob", "cid")]
    role = await house.role("Reader", user_ids=[ann.id, bob.id])
    await house.update_role(role.id, user_ids=[bob.id, cid.id])
    etags = [(await house.get_user(user.id)).etag for user in (ann, bob, cid)]
    assert etags == ['"3"', '"2"', '"2"']
    refusal = await refusal_of(house.update_user(ann.id, role_ids=[role.id], etag=ann.etag))
    assert refusal.reason == "ETAG_MISMATCH"


async def test_a_stale_etag_changes_nothing(house: House) -> None:
    role = await house.role("Reader")
    await house.update_role(role.id, description="new", etag=role.etag)
    assert (await refusal_of(house.update_role(role.id, name="x", etag=role.etag))).reason == "ETAG_MISMATCH"
    assert (await refusal_of(house.call("DeleteRole", id=role.id, etag=role.etag))).reason == "ETAG_MISMATCH"


@pytest.mark.parametrize("path", ["id", "organization_id", "built_in", "nothing"])
async def test_what_cannot_be_changed_cannot_be_named(house: House, path: str) -> None:
    assert (await refusal_of(house.update_role(2, path))).reason == "INVALID_UPDATE_MASK"


@pytest.mark.parametrize("role_id", range(1, 10))
async def test_built_in_roles_stay_as_they_are(house: House, role_id: int) -> None:
    role = await house.get_role(role_id)
    for members in ({"name": "x"}, {"description": "x"}, {"permissions": values(P.USERS_VIEW)}):
        refusal = await refusal_of(house.update_role(role_id, **members))
        assert refusal.code is StatusCode.FAILED_PRECONDITION
        assert refusal.reason == "BUILT_IN"
    assert await outcome_of(house.call("DeleteRole", id=role_id)) == "BUILT_IN"
    assert await house.get_role(role_id) == role


async def test_users_of_a_built_in_role_change_in_a_whole_replacement_too(house: House) -> None:
    ann = await house.user("ann")
    role = await house.get_role(2)
    members: dict[str, Any] = {
        "name": role.name,
        "description": role.description,
        "permissions": list(role.permissions),
    }
    assert list((await house.update_role(2, "*", user_ids=[ann.id], **members)).user_ids) == [ann.id]
    assert not (await house.update_role(2, "user_ids")).user_ids


async def test_a_deleted_role_is_taken_from_everybody(house: House) -> None:
    acme = await house.organization()
    role = await house.role("Viewer", P.USERS_VIEW)
    ann = await house.user("ann", role_ids=[role.id])
    bob = await house.user("bob", organization_id=acme.id)
    await house.bind(bob, role, organization_id=acme.id)
    await house.call("DeleteRole", id=role.id)
    assert await outcome_of(house.call("GetRole", id=role.id)) == "ROLE_NOT_FOUND"
    for user in (ann, bob):
        assert not (await house.get_user(user.id)).role_ids
        assert await outcome_of(house.call("ListUsers", house.almoner.as_(user.username))) == "PERMISSION_MISSING"


async def test_the_trail_tells_what_became_of_a_role(house: House) -> None:
    ann = await house.user("ann")
    role = await house.role("Reader", P.PROFILES_GET, user_ids=[ann.id])
    await house.update_role(role.id, "permissions", "user_ids", permissions=values(P.PROFILES_LIST))
    await house.call("DeleteRole", id=role.id)
    (made,) = await house.events("role.create")
    assert made.changes == {
        "name": [None, "Reader"],
        "permissions": [None, "PROFILES_GET"],
        "user_ids": [None, [ann.id]],
    }
    (changed,) = await house.events("role.update")
    assert changed.changes == {"permissions": ["PROFILES_GET", "PROFILES_LIST"], "user_ids": [[ann.id], []]}
    (deleted,) = await house.events("role.delete")
    assert deleted.changes == {"name": ["Reader", None], "users": 0}
    assert {event.resource for event in (made, changed, deleted)} == {f"roles/{role.id}"}
