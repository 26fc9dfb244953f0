# SPDX-License-Identifier: Apache-2.0
"""Which permission each method takes, in the caller's own organization and elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from service.access.permissions import ALL, Permission
from tests.service.directory.house import OK, P, outcome_of

if TYPE_CHECKING:
    from tests.service.directory.house import House

NEVER = frozenset({P.ADMINISTRATOR})
DENIED = "PERMISSION_MISSING"


class Case(NamedTuple):
    """A method, what it takes, what hides what it is asked for from who holds it elsewhere, and what is as good."""

    method: str
    needed: Permission
    hidden: str
    instead: Permission | None = None


CASES = (
    Case("CreateUser", P.USERS_CREATE, "ORGANIZATION_NOT_FOUND"),
    Case("GetUser", P.USERS_VIEW, "USER_NOT_FOUND"),
    Case("ListUsers", P.USERS_VIEW, "ORGANIZATION_NOT_FOUND"),
    Case("UpdateUser", P.USERS_UPDATE, "USER_NOT_FOUND"),
    Case("DeleteUser", P.USERS_DELETE, "USER_NOT_FOUND"),
    Case("CreateRole", P.ROLES_CREATE, "ORGANIZATION_NOT_FOUND"),
    Case("GetRole", P.ROLES_VIEW, "ROLE_NOT_FOUND"),
    Case("ListRoles", P.ROLES_VIEW, "ORGANIZATION_NOT_FOUND"),
    Case("UpdateRole", P.ROLES_UPDATE, "ROLE_NOT_FOUND"),
    Case("DeleteRole", P.ROLES_DELETE, "ROLE_NOT_FOUND"),
    Case("CreateRoleBinding", P.USERS_UPDATE, "ORGANIZATION_NOT_FOUND", P.ROLES_BIND),
    Case("GetRoleBinding", P.USERS_VIEW, "ROLE_BINDING_NOT_FOUND", P.ROLES_BIND),
    Case("ListRoleBindings", P.USERS_VIEW, "ORGANIZATION_NOT_FOUND", P.ROLES_BIND),
    Case("DeleteRoleBinding", P.USERS_UPDATE, "ROLE_BINDING_NOT_FOUND", P.ROLES_BIND),
    Case("UpdateOrganization", P.ORGANIZATIONS_MANAGE, "ORGANIZATION_NOT_FOUND"),
)


async def requests_in_acme(house: House) -> tuple[str, dict[str, dict[str, Any]]]:
    """Makes an organization with something of each kind; returns its id, and a request to each method about it."""
    acme = await house.organization()
    bob = await house.user("bob", organization_id=acme.id)
    role = await house.role("Reader", organization_id=acme.id)
    spare = await house.role("Spare", organization_id=acme.id)
    binding = await house.bind(bob, role, organization_id=acme.id)
    return acme.id, {
        "CreateUser": {"user": {"username": "new", "organization_id": acme.id}},
        "GetUser": {"id": bob.id},
        "ListUsers": {"organization_id": acme.id},
        "UpdateUser": {"user": {"id": bob.id, "display_name": "Bob"}},
        "DeleteUser": {"id": bob.id},
        "CreateRole": {"role": {"name": "New", "organization_id": acme.id}},
        "GetRole": {"id": role.id},
        "ListRoles": {"organization_id": acme.id},
        "UpdateRole": {"role": {"id": role.id, "name": "New"}},
        "DeleteRole": {"id": role.id},
        "CreateRoleBinding": {"role_binding": {"user_id": bob.id, "role_id": spare.id, "organization_id": acme.id}},
        "GetRoleBinding": {"id": binding.id},
        "ListRoleBindings": {"organization_id": acme.id},
        "DeleteRoleBinding": {"id": binding.id},
        "UpdateOrganization": {"organization": {"id": acme.id, "description": "new"}},
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.method)
async def test_a_method_takes_its_permission_in_the_organization(house: House, case: Case) -> None:
    acme, requests = await requests_in_acme(house)
    other = await house.organization("Other")
    await house.user("without", *(ALL - NEVER - {case.needed, case.instead}), organization_id=acme)
    await house.user("elsewhere", *ALL, organization_id=other.id)
    await house.user("with", case.needed, organization_id=acme)
    request = requests[case.method]
    assert await outcome_of(house.call(case.method, house.almoner.as_("without"), **request)) == DENIED
    assert await outcome_of(house.call(case.method, house.almoner.as_("elsewhere"), **request)) == case.hidden
    assert await outcome_of(house.call(case.method, house.almoner.as_("with"), **request)) == OK


@pytest.mark.parametrize("case", [case for case in CASES if case.instead], ids=lambda case: case.method)
async def test_a_method_takes_another_permission_instead(house: House, case: Case) -> None:
    acme, requests = await requests_in_acme(house)
    held = () if case.instead is None else (case.instead,)
    await house.user("with", *held, organization_id=acme)
    assert await outcome_of(house.call(case.method, house.almoner.as_("with"), **requests[case.method])) == OK


async def test_an_administrator_of_the_organization_may_do_all_of_it(house: House) -> None:
    acme, requests = await requests_in_acme(house)
    await house.user("ann", P.ADMINISTRATOR, organization_id=acme)
    deletions_last = sorted(CASES, key=lambda case: case.method.startswith("Delete"))
    order = {"DeleteRoleBinding": 1, "DeleteRole": 2, "DeleteUser": 3}
    for case in sorted(deletions_last, key=lambda case: order.get(case.method, 0)):
        by = house.almoner.as_("ann")
        assert await outcome_of(house.call(case.method, by, **requests[case.method])) == OK, case.method


async def test_who_holds_nothing_learns_nothing_of_what_exists(house: House) -> None:
    acme, requests = await requests_in_acme(house)
    await house.user("ann", organization_id=acme)
    for case in CASES:
        by = house.almoner.as_("ann")
        assert await outcome_of(house.call(case.method, by, **requests[case.method])) == DENIED, case.method
