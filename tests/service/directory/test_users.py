# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from tests.refusals import refusal_of
from tests.running import as_user
from tests.service.directory.house import OK, P, User, for_user, outcome_of, values

if TYPE_CHECKING:
    from typing import Any

    from tests.service.directory.house import House


def in_seconds(seconds: int) -> Timestamp:
    return Timestamp(seconds=int(time.time()) + seconds)


async def test_a_user_is_made_with_roles_and_permissions_in_one_call(house: House) -> None:
    acme = await house.organization()
    reply = await house.call(
        "CreateUser",
        user=User(
            username="ann",
            organization_id=acme.id.upper(),
            display_name="Ann",
            email="ann@example.com",
            password="s3cret",
            password_expire_time=Timestamp(seconds=4102444800),
            locked=True,
            permissions=values(P.USERS_VIEW, P.PROFILES_GET, P.USERS_VIEW),
            role_ids=[4, 2, 4],
            id=77,
            etag="ignored",
        ),
    )
    ann = reply.user
    assert ann.id != 77
    assert (ann.organization_id, ann.organization_number) == (acme.id, acme.number)
    assert (ann.username, ann.display_name, ann.email) == ("ann", "Ann", "ann@example.com")
    assert ann.password_set
    assert not ann.password
    assert ann.password_expire_time.seconds == 4102444800
    assert ann.locked
    assert not ann.disabled
    assert list(ann.permissions) == values(P.PROFILES_GET, P.USERS_VIEW)
    assert list(ann.role_ids) == [2, 4]
    assert ann.etag == '"1"'
    assert ann == await house.get_user(ann.id)


async def test_a_user_belongs_to_the_callers_organization_unless_another_is_named(house: House) -> None:
    acme = await house.organization()
    await house.user("ann", P.USERS_CREATE, organization_id=acme.id)
    reply = await house.call("CreateUser", house.almoner.as_("ann"), user=User(username="bob"))
    assert reply.user.organization_id == acme.id


async def test_a_user_without_a_password_logs_in_by_no_password(house: House) -> None:
    await house.call("CreateUser", user=User(username="ann"))
    assert not await house.can_log_in(as_user("ann", ""))


async def test_a_user_name_is_required_and_unique_on_the_server(house: House) -> None:
    acme = await house.organization()
    refusal = await refusal_of(house.call("CreateUser", user=User()))
    assert refusal.fields == ["user.username"]
    await house.user("ann", organization_id=acme.id)
    refusal = await refusal_of(house.call("CreateUser", user=User(username="ann")))
    assert refusal.code is StatusCode.ALREADY_EXISTS
    assert refusal.reason == "ALREADY_EXISTS"
    assert refusal.fields == ["user.username"]
    bob = await house.user("bob")
    assert (await refusal_of(house.update_user(bob.id, username="ann"))).reason == "ALREADY_EXISTS"
    assert await outcome_of(house.update_user(bob.id, username="bob")) == OK
    assert await outcome_of(house.call("CreateUser", user=User(username="Ann"))) == OK


async def test_of_two_who_ask_for_a_name_at_once_one_gets_it(house: House) -> None:
    calls = (outcome_of(house.call("CreateUser", user=User(username="ann"))) for _ in range(4))
    assert sorted(await asyncio.gather(*calls)) == ["ALREADY_EXISTS"] * 3 + [OK]


async def test_a_repeated_request_makes_one_user(house: House) -> None:
    wanted: dict[str, Any] = {"user": User(username="ann", password="s3cret"), "request_id": str(uuid.uuid4())}
    first = await house.call("CreateUser", **wanted)
    assert await house.call("CreateUser", **wanted) == first
    wanted["user"] = User(username="ann", password="another")
    assert (await refusal_of(house.call("CreateUser", **wanted))).reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize("seconds", [0, -1, 253402300800], ids=["1970", "before 1970", "after 9999"])
async def test_an_expiry_is_a_time_after_1970(house: House, seconds: int) -> None:
    user = User(username="ann", password_expire_time=Timestamp(seconds=seconds))
    refusal = await refusal_of(house.call("CreateUser", user=user))
    assert refusal.reason == "INVALID_FIELD"
    assert refusal.fields == ["user.password_expire_time"]


@pytest.mark.parametrize("role_id", [99, -1], ids=["none", "negative"])
async def test_roles_must_exist(house: House, role_id: int) -> None:
    refusal = await refusal_of(house.call("CreateUser", user=User(username="ann", role_ids=[2, role_id])))
    assert refusal.code is StatusCode.NOT_FOUND
    assert refusal.reason == "ROLE_NOT_FOUND"
    assert refusal.fields == ["user.role_ids[1]"]
    assert refusal.metadata == {"id": str(role_id)}


async def test_roles_of_another_organization_do_not_exist_for_a_user(house: House) -> None:
    acme, other = await house.organization(), await house.organization("Other")
    role = await house.role("Reader", P.PROFILES_GET, organization_id=other.id)
    ann = await house.user("ann", organization_id=acme.id)
    assert (await refusal_of(house.update_user(ann.id, role_ids=[role.id]))).reason == "ROLE_NOT_FOUND"


async def test_a_user_is_found_by_id_and_by_name(house: House) -> None:
    ann = await house.user("ann")
    assert (await house.call("GetUser", username="ann")).user == ann
    refusal = await refusal_of(house.call("GetUser", username="nobody"))
    assert refusal.reason == "USER_NOT_FOUND"
    assert refusal.metadata == {"id": "nobody"}
    assert (await refusal_of(house.call("GetUser", id=99))).metadata == {"id": "99"}


async def test_without_users_view_users_see_only_themselves(house: House) -> None:
    ann, bob = await house.user("ann"), await house.user("bob")
    by = house.almoner.as_("ann")
    assert (await house.call("GetUser", by, id=ann.id)).user == ann
    assert (await house.call("GetUser", by, username="ann")).user == ann
    for key in ({"id": bob.id}, {"id": 99}, {"username": "bob"}):
        assert (await refusal_of(house.call("GetUser", by, **key))).reason == "PERMISSION_MISSING"
    assert (await refusal_of(house.call("ListUsers", by))).reason == "PERMISSION_MISSING"


async def test_with_users_view_users_see_those_of_their_organization(house: House) -> None:
    acme, other = await house.organization(), await house.organization("Other")
    await house.user("ann", P.USERS_VIEW, organization_id=acme.id)
    bob = await house.user("bob", organization_id=acme.id)
    eve = await house.user("eve", organization_id=other.id)
    by = house.almoner.as_("ann")
    assert (await house.call("GetUser", by, id=bob.id)).user == bob
    assert (await refusal_of(house.call("GetUser", by, id=eve.id))).reason == "USER_NOT_FOUND"
    assert await house.usernames(by) == await house.usernames(by, organization_id="-") == ["ann", "bob"]
    refusal = await refusal_of(house.call("ListUsers", by, organization_id=other.id))
    assert refusal.reason == "ORGANIZATION_NOT_FOUND"
    assert await house.usernames(organization_id=other.id) == ["eve"]


async def test_the_list_of_everybody_has_the_caller_where_they_may_view_others_only(house: House) -> None:
    acme, other = await house.organization(), await house.organization("Other")
    ann = await house.user("ann", organization_id=acme.id)
    await house.user("bob", organization_id=acme.id)
    await house.user("eve", organization_id=other.id)
    await house.bind(ann, await house.role("Viewer", P.USERS_VIEW), organization_id=other.id)
    assert await house.usernames(house.almoner.as_("ann"), organization_id="-") == ["ann", "eve"]


async def test_users_are_listed_in_pages_with_filter_order_and_roles(house: House) -> None:
    for number, name in enumerate(("ann", "bob", "cid", "dan"), start=1):
        await house.user(name, role_ids=[number], disabled=name == "cid", email=f"{name}@example.com")
    first = await house.call("ListUsers", page_size=2, order_by="username desc")
    second = await house.call(
        "ListUsers", page_size=2, order_by="username desc", page_token=first.next_page_token, skip=1
    )
    assert [user.username for user in first.users] == ["dan", "cid"]
    assert [list(user.role_ids) for user in first.users] == [[4], [3]]
    assert [user.username for user in second.users] == ["ann", "admin"]
    assert not second.next_page_token
    assert await house.usernames(filter="disabled = true") == ["cid"]
    assert await house.usernames(filter='email = "*@example.com" AND NOT username = "dan"', skip=1) == ["bob", "cid"]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"filter": "password_digest:*"}, "INVALID_FILTER"),
        ({"order_by": "email"}, "INVALID_ORDER_BY"),
        ({"page_token": "x"}, "INVALID_PAGE_TOKEN"),
        ({"page_size": -1}, "INVALID_FIELD"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_query_that_is_none_is_refused(house: House, members: dict[str, Any], reason: str) -> None:
    assert (await refusal_of(house.call("ListUsers", **members))).reason == reason


NEW: dict[str, Any] = {
    "username": "new",
    "display_name": "new",
    "email": "new@example.com",
    "password_expire_time": Timestamp(seconds=4102444800),
    "disabled": True,
    "locked": True,
    "permissions": values(P.PROFILES_GET),
    "role_ids": [4],
}


@pytest.mark.parametrize("path", NEW)
async def test_an_update_changes_the_named_member_alone(house: House, path: str) -> None:
    before = await house.user("ann", P.USERS_VIEW, display_name="Ann", email="ann@example.com", role_ids=[2])
    after = await house.update_user(before.id, path, **NEW)
    expected = User()
    expected.CopyFrom(before)
    expected.ClearField(path)  # type: ignore[arg-type]
    expected.MergeFrom(User(**{path: NEW[path]}))
    expected.etag = '"2"'
    expected.update_time.CopyFrom(after.update_time)
    assert after == expected == await house.get_user(before.id)


async def test_without_a_mask_every_populated_member_is_changed(house: House) -> None:
    ann = await house.user("ann", display_name="Ann", role_ids=[2], disabled=True)
    changed = await house.update_user(ann.id, email="ann@example.com", organization_id=ann.organization_id)
    assert (changed.display_name, changed.email, list(changed.role_ids)) == ("Ann", "ann@example.com", [2])
    assert changed.disabled
    assert changed.password_set


async def test_a_star_changes_everything(house: House) -> None:
    ann = await house.user("ann", P.USERS_VIEW, display_name="Ann", role_ids=[2])
    changed = await house.update_user(ann.id, "*", username="anna")
    assert (changed.username, changed.display_name) == ("anna", "")
    assert not changed.permissions
    assert not changed.role_ids
    assert not changed.password_set


@pytest.mark.parametrize("path", ["id", "organization_id", "password_set", "password_expires", "etag", "nothing"])
async def test_what_cannot_be_changed_cannot_be_named(house: House, path: str) -> None:
    refusal = await refusal_of(house.update_user(1, path))
    assert refusal.reason == "INVALID_UPDATE_MASK"
    assert refusal.metadata == {"path": path}


async def test_a_stale_etag_changes_nothing(house: House) -> None:
    ann = await house.user("ann")
    await house.update_user(ann.id, display_name="Ann", etag=ann.etag)
    assert (await refusal_of(house.update_user(ann.id, email="x", etag=ann.etag))).reason == "ETAG_MISMATCH"
    assert (await refusal_of(house.call("DeleteUser", id=ann.id, etag=ann.etag))).reason == "ETAG_MISMATCH"
    assert not (await house.get_user(ann.id)).email
    assert await outcome_of(house.update_user(ann.id, email="x", etag='"7", "2"')) == OK


async def test_a_new_password_ends_the_old_one_at_once(house: House) -> None:
    ann = await house.user("ann", password="old")
    assert await house.can_log_in(as_user("ann", "old"))
    await house.update_user(ann.id, "password", password="new")
    assert not await house.can_log_in(as_user("ann", "old"))
    assert await house.can_log_in(as_user("ann", "new"))


async def test_a_password_is_kept_unless_named_and_cleared_by_an_empty_one(house: House) -> None:
    ann = await house.user("ann", password="s3cret")
    await house.update_user(ann.id, "display_name", password="another")
    assert await house.can_log_in(as_user("ann", "s3cret"))
    assert not (await house.update_user(ann.id, "password")).password_set
    assert not await house.can_log_in(as_user("ann", "s3cret"))
    assert not await house.can_log_in(as_user("ann", ""))


@pytest.mark.parametrize("state", ["disabled", "locked"])
async def test_disabled_and_locked_users_are_refused_however_they_log_in(house: House, state: str) -> None:
    ann = await house.user("ann")
    token = (("authorization", f"Bearer {(await house.api_token(user_id=ann.id)).token}"),)
    for credential in (house.almoner.as_("ann"), token):
        assert await house.can_log_in(credential)
        members: dict[str, Any] = {state: True}
        await house.update_user(ann.id, state, **members)
        assert not await house.can_log_in(credential)
        await house.update_user(ann.id, state)
        assert await house.can_log_in(credential)


async def test_a_password_that_has_expired_is_refused(house: House) -> None:
    ann = await house.user("ann", password_expire_time=in_seconds(1000))
    assert await house.can_log_in(house.almoner.as_("ann"))
    await house.update_user(ann.id, password_expire_time=in_seconds(-1000))
    assert not await house.can_log_in(house.almoner.as_("ann"))
    await house.update_user(ann.id, "password_expire_time")
    assert await house.can_log_in(house.almoner.as_("ann"))


async def test_users_change_their_own_password_and_nothing_else(house: House) -> None:
    ann, bob = await house.user("ann", P.CHANGE_PASSWORD), await house.user("bob")
    by = house.almoner.as_("ann")
    assert await outcome_of(house.update_user(bob.id, "password", by=by, password="x")) == "PERMISSION_MISSING"
    for members in ({"display_name": "x"}, {"password": "x", "email": "x"}, {"permissions": values(P.USERS_VIEW)}):
        assert await outcome_of(house.update_user(ann.id, by=by, **members)) == "PERMISSION_MISSING"
    assert await outcome_of(house.update_user(ann.id, by=by, password="new")) == OK
    assert await house.can_log_in(as_user("ann", "new"))


async def test_without_change_password_users_do_not_change_it(house: House) -> None:
    bob = await house.user("bob")
    refusal = await refusal_of(house.update_user(bob.id, by=house.almoner.as_("bob"), password="x"))
    assert refusal.metadata == {"permission": "CHANGE_PASSWORD"}


async def test_a_list_of_roles_replaces_the_one_before(house: House) -> None:
    ann = await house.user("ann", role_ids=[2, 3])
    assert list((await house.update_user(ann.id, role_ids=[4, 3])).role_ids) == [3, 4]
    assert not (await house.update_user(ann.id, "role_ids")).role_ids


async def test_bindings_elsewhere_are_none_of_the_users_roles_and_stay(house: House) -> None:
    acme, other = await house.organization(), await house.organization("Other")
    ann = await house.user("ann", organization_id=acme.id)
    binding = await house.bind(ann, 2, organization_id=other.id)
    assert not (await house.get_user(ann.id)).role_ids
    await house.update_user(ann.id, "role_ids", role_ids=[4])
    assert await outcome_of(house.call("GetRoleBinding", id=binding.id)) == OK


async def test_a_deleted_user_is_gone_with_bindings_and_tokens(house: House) -> None:
    ann = await house.user("ann", role_ids=[2])
    token = (await house.api_token(user_id=ann.id)).token
    await house.call("DeleteUser", username="ann")
    assert await outcome_of(house.call("GetUser", id=ann.id)) == "USER_NOT_FOUND"
    assert not await house.can_log_in(house.almoner.as_("ann"))
    assert not await house.can_log_in((("authorization", f"Bearer {token}"),))
    assert not list((await house.call("ListRoleBindings", filter=f"user_id = {ann.id}")).role_bindings)
    assert (await house.user("ann")).id > ann.id


async def test_a_user_with_profiles_is_deleted_with_them_or_not_at_all(house: House) -> None:
    ann = await house.user("ann", role_ids=[2])
    profile = await house.profile(house.almoner.as_("ann"))
    refusal = await refusal_of(house.call("DeleteUser", id=ann.id))
    assert refusal.code is StatusCode.FAILED_PRECONDITION
    assert refusal.reason == "USER_IN_USE"
    assert await house.profile_ids() == [profile]
    await house.call("DeleteUser", id=ann.id, cascade=True)
    assert await house.profile_ids() == []
    (event,) = await house.events("user.delete")
    assert event.changes == {"username": ["ann", None], "profiles_deleted": 1}


async def test_what_a_deleted_user_created_for_others_stays(house: House) -> None:
    bob = await house.user("bob", P.ON_BEHALF_OF, role_ids=[2])
    await house.user("ann", role_ids=[2])
    profile = await house.profile(for_user(house.almoner.as_("bob"), "ann"))
    await house.call("DeleteUser", id=bob.id)
    assert await house.profile_ids() == [profile]


async def test_the_trail_tells_what_became_of_a_user_and_no_password(house: House) -> None:
    ann = await house.user("ann", P.USERS_VIEW, password="first s3cret", role_ids=[2])
    await house.update_user(ann.id, "password", "role_ids", "display_name", password="second s3cret", display_name="A")
    await house.update_user(ann.id, "password")
    await house.call("DeleteUser", id=ann.id)
    (made,) = await house.events("user.create")
    assert made.resource == f"users/{ann.id}"
    assert made.actor == "admin"
    assert made.changes == {
        "username": [None, "ann"],
        "permissions": [None, "USERS_VIEW"],
        "role_ids": [None, [2]],
        "password": "set",
    }
    replaced, cleared = await house.events("user.update")
    assert replaced.changes == {"display_name": ["", "A"], "role_ids": [[2], []], "password": "replaced"}
    assert cleared.changes == {"password": "cleared"}
    assert len(await house.events("user.delete")) == 1
