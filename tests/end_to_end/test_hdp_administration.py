# SPDX-License-Identifier: Apache-2.0
"""Setting people up over REST: tenants, roles and users of HDP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.rest import APPLICATIONS, PROFILES
from tests.running import basic

if TYPE_CHECKING:
    from tests.rest import Rest, Tenant

TENANTS, ROLES, USERS = "/api/admin/tenants", "/api/admin/roles", "/api/admin/users"
USER_ROLE = 2
TENANT_ADMINISTRATOR = 3


def user_body(tenant: Tenant, **members: Any) -> dict[str, Any]:
    return {
        "userName": f"user of {tenant.number}",
        "tenantId": tenant.number,
        "statusInfo": {"status": 1, "accountLocked": False},
        "passwordInfo": {"password": "Passw0rd", "passwordStatus": 1, "passwordExpiration": None},
        "permissions": {"roles": [USER_ROLE]},
        **members,
    }


async def test_a_user_is_made_logs_in_is_changed_and_deleted(rest_over: Rest) -> None:
    tenant = await rest_over.tenant()
    created = await rest_over.post(USERS, user_body(tenant))
    path, username = created.headers["Location"], created.json()["userName"]
    assert created.status == 201
    assert "password" not in created.json()["passwordInfo"]
    assert (await rest_over.get(path)).json() == created.json()
    assert (await rest_over.get(PROFILES, by=basic(username, "Passw0rd"))).status == 200

    renamed = await rest_over.put(path, {"userName": f"{username}, renamed"})
    assert renamed.json() == {**created.json(), "userName": f"{username}, renamed"}
    assert (await rest_over.get(PROFILES, by=basic(username, "Passw0rd"))).status == 401
    assert (await rest_over.get(PROFILES, by=basic(f"{username}, renamed", "Passw0rd"))).status == 200

    assert (await rest_over.delete(path)).status == 204
    assert (await rest_over.get(path)).status == 404
    assert (await rest_over.get(PROFILES, by=basic(f"{username}, renamed", "Passw0rd"))).status == 401


async def test_a_role_changes_what_its_users_may_at_once(rest_over: Rest) -> None:
    tenant = await rest_over.tenant()
    user = await rest_over.member(tenant)
    application = await rest_over.application(tenant)
    created = await rest_over.post(
        ROLES, {"name": "Reader", "tenantId": tenant.number, "permissions": [2, 11], "users": [user.id]}
    )
    path = created.headers["Location"]
    assert created.json() == {
        "id": int(path.rpartition("/")[2]),
        "name": "Reader",
        "tenantId": tenant.number,
        "description": "",
        "permissions": [2, 11],
        "users": [user.id],
    }
    assert (await rest_over.get(PROFILES, by=user)).status == 200

    await rest_over.put(path, {"name": "Writer", "permissions": [1, 2, 11]})
    number = await rest_over.profile(application, by=user)
    assert (await rest_over.get(f"{PROFILES}/{number}", by=user)).status == 200

    await rest_over.put(path, {"name": "Writer", "users": []})
    assert (await rest_over.get(PROFILES, by=user)).status == 403
    assert (await rest_over.delete(path)).status == 204
    assert (await rest_over.get(path)).status == 404


async def test_a_tenant_is_made_with_copies_of_roles_changed_and_deleted(rest_over: Rest) -> None:
    created = await rest_over.post(TENANTS, {"name": "Acme", "parentTenant": 1, "importedRoles": [USER_ROLE]})
    tenant, path = created.json(), created.headers["Location"]
    (copied,) = tenant["roles"]
    role = (await rest_over.get(f"{ROLES}/{copied}")).json()
    assert (role["name"], role["tenantId"], role["permissions"]) == ("User", tenant["id"], list(range(1, 12)))

    changed = await rest_over.put(path, {"name": "Acme & Co", "description": "text"})
    assert changed.json() == {**tenant, "name": "Acme & Co", "description": "text"}

    application = await rest_over.post(
        APPLICATIONS,
        {"name": "A", "dataStore": 54, "tenantId": tenant["id"], "clientId": "c", "clientSecret": "s"},
    )
    assert (await rest_over.delete(path)).status == 409
    await rest_over.delete(application.headers["Location"])
    assert (await rest_over.delete(path)).status == 204
    assert (await rest_over.get(path)).status == 404


async def test_members_of_a_disabled_tenant_are_refused(rest_over: Rest) -> None:
    tenant = await rest_over.tenant()
    user = await rest_over.member(tenant, roles=(USER_ROLE,))

    await rest_over.put(f"{TENANTS}/{tenant.number}", {"name": tenant.name, "status": 0})
    assert (await rest_over.get(PROFILES, by=user)).status == 401

    await rest_over.put(f"{TENANTS}/{tenant.number}", {"name": tenant.name, "status": 1})
    assert (await rest_over.get(PROFILES, by=user)).status == 200


async def test_a_tenant_administrator_sets_up_the_people_of_the_tenant_only(rest_over: Rest) -> None:
    here, there = await rest_over.tenant(), await rest_over.tenant()
    chief = await rest_over.member(here, roles=(TENANT_ADMINISTRATOR,))
    stranger = await rest_over.member(there, roles=(USER_ROLE,))

    assert (await rest_over.post(USERS, user_body(here), by=chief)).status == 201
    assert (await rest_over.post(USERS, user_body(there), by=chief)).status == 404
    assert (await rest_over.get(f"{USERS}/{stranger.id}", by=chief)).status == 404
    listed = (await rest_over.get(USERS, by=chief)).json()["users"]
    assert {user["tenantId"] for user in listed} == {here.number}


async def test_nobody_gives_what_they_do_not_hold(rest_over: Rest) -> None:
    tenant = await rest_over.tenant()
    chief = await rest_over.member(tenant, roles=(TENANT_ADMINISTRATOR,))

    user = await rest_over.post(USERS, user_body(tenant, permissions={"roles": [1]}), by=chief)
    role = await rest_over.post(ROLES, {"name": "All", "permissions": [12]}, by=chief)

    assert (user.status, role.status) == (403, 403)
    listed = (await rest_over.get(USERS, by=chief)).json()["users"]
    assert [each["id"] for each in listed] == [chief.id]


async def test_the_default_roles_and_the_system_tenant_stay(rest_over: Rest) -> None:
    for path in (f"{ROLES}/1", f"{ROLES}/2", f"{ROLES}/3", f"{TENANTS}/1"):
        assert (await rest_over.delete(path)).status == 409
        assert (await rest_over.get(path)).status == 200


async def test_a_user_who_owns_profiles_is_not_deleted(rest_over: Rest) -> None:
    tenant = await rest_over.tenant()
    user = await rest_over.member(tenant, roles=(USER_ROLE,))
    number = await rest_over.profile(await rest_over.application(tenant), by=user)

    assert (await rest_over.delete(f"{USERS}/{user.id}")).status == 409

    await rest_over.delete(f"{PROFILES}/{number}", by=user)
    assert (await rest_over.delete(f"{USERS}/{user.id}")).status == 204
