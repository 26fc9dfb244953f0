# SPDX-License-Identifier: Apache-2.0
"""The server keeps somebody who can log in and may do everything everywhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode

from tests.refusals import refusal_of
from tests.service.directory.house import OK, Organization, P, outcome_of, values

if TYPE_CHECKING:
    from tests.service.directory.house import House

ADMIN = 1


async def test_the_last_administrator_is_not_deleted_disabled_nor_locked(house: House) -> None:
    refusal = await refusal_of(house.call("DeleteUser", id=ADMIN))
    assert refusal.code is StatusCode.FAILED_PRECONDITION
    assert refusal.reason == "BUILT_IN"
    assert await outcome_of(house.update_user(ADMIN, disabled=True)) == "BUILT_IN"
    assert await outcome_of(house.update_user(ADMIN, locked=True)) == "BUILT_IN"
    admin = await house.get_user(ADMIN)
    assert not (admin.disabled)
    assert not (admin.locked)
    assert admin.etag == '"1"'
    assert await outcome_of(house.update_user(ADMIN, display_name="Chief", password="new")) == OK


async def test_the_last_administrators_role_is_not_taken_away(house: House) -> None:
    (binding,) = (await house.call("ListRoleBindings", filter="role_id = 1")).role_bindings
    assert await outcome_of(house.call("DeleteRoleBinding", id=binding.id)) == "BUILT_IN"


SECONDS: dict[str, dict[str, Any]] = {
    "directly": {"permissions": values(P.ADMINISTRATOR)},
    "by role": {"role_ids": [1]},
}


@pytest.mark.parametrize("how", SECONDS)
async def test_a_second_one_may_take_the_place_of_the_first(house: House, how: str) -> None:
    second = (
        await house.user("second", **SECONDS[how]) if how == "by role" else await house.user("second", P.ADMINISTRATOR)
    )
    by = house.almoner.as_("second")
    await house.call("DeleteUser", by, id=ADMIN)
    assert await outcome_of(house.call("DeleteUser", by, id=second.id)) == "BUILT_IN"
    for path in SECONDS[how]:
        assert await outcome_of(house.update_user(second.id, path, by=by)) == "BUILT_IN"
    assert await outcome_of(house.update_user(second.id, by=by, locked=True)) == "BUILT_IN"


async def test_of_two_who_delete_each_other_at_once_one_stays(house: House) -> None:
    second = await house.user("second", P.ADMINISTRATOR)
    outcomes = await asyncio.gather(
        outcome_of(house.call("DeleteUser", id=second.id)),
        outcome_of(house.call("DeleteUser", house.almoner.as_("second"), id=ADMIN)),
    )
    assert sorted(outcomes) in (["BUILT_IN", OK], ["CREDENTIALS_INVALID", OK])


@pytest.mark.parametrize("state", ["disabled", "locked"])
async def test_one_who_cannot_log_in_does_not_count(house: House, state: str) -> None:
    await house.user("second", P.ADMINISTRATOR, **{state: True})
    assert await outcome_of(house.call("DeleteUser", id=ADMIN)) == "BUILT_IN"


async def test_one_of_another_organization_alone_does_not_count(house: House) -> None:
    acme = await house.organization()
    await house.user("second", P.ADMINISTRATOR, organization_id=acme.id, role_ids=[1])
    assert await outcome_of(house.call("DeleteUser", id=ADMIN)) == "BUILT_IN"


async def test_one_by_a_role_of_organization_1_counts_until_the_role_ends_or_changes(house: House) -> None:
    role = await house.role("Chief", P.ADMINISTRATOR)
    second = await house.user("second", role_ids=[role.id])
    by = house.almoner.as_("second")
    await house.call("DeleteUser", by, id=ADMIN)
    assert await outcome_of(house.update_role(role.id, by=by, permissions=values(P.USERS_VIEW))) == "BUILT_IN"
    assert await outcome_of(house.update_role(role.id, "user_ids", by=by)) == "BUILT_IN"
    assert await outcome_of(house.call("DeleteRole", by, id=role.id)) == "BUILT_IN"
    assert await outcome_of(house.update_role(role.id, by=by, name="Boss")) == OK
    (binding,) = (await house.call("ListRoleBindings", by, filter=f"user_id = {second.id}")).role_bindings
    assert await outcome_of(house.call("DeleteRoleBinding", by, id=binding.id)) == "BUILT_IN"


async def test_the_organization_of_the_last_one_is_not_disabled(house: House) -> None:
    acme = await house.organization()
    second = await house.user("second", organization_id=acme.id)
    await house.bind(second, 1, server=True)
    by = house.almoner.as_("second")
    await house.call("DeleteUser", by, id=ADMIN)
    disabling = house.call(
        "UpdateOrganization",
        by,
        organization=Organization(id=acme.id, disabled=True),
        update_mask=FieldMask(paths=["disabled"]),
    )
    assert await outcome_of(disabling) == "BUILT_IN"
    assert await house.can_log_in(by)
