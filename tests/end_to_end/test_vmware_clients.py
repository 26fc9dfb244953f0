# SPDX-License-Identifier: Apache-2.0
"""Apps that have roles in an organization, in the dialects of VMware's two products (contract sections 1 to 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from almoner.v1 import directory_pb2, directory_service_pb2
from tests.vmware import BASES, CPN, OWNER, Org, error, named

if TYPE_CHECKING:
    from tests.rest import Rest

PRODUCTS: Final = ("cpn", "csp")


@pytest.fixture(scope="module")
async def org(rest: Rest) -> Org:
    return await Org.make(rest)


@pytest.fixture(scope="module")
async def branch(rest: Rest, org: Org) -> Org:
    """Another organization, whose owner is that of the first."""
    branch = await Org.make(rest)
    place = directory_pb2.RoleBinding(user_id=org.owner.id, role_id=OWNER, organization_id=branch.id)
    request = directory_service_pb2.CreateRoleBindingRequest(role_binding=place)
    await rest.almoner.directory.CreateRoleBinding(request, metadata=rest.almoner.as_admin_token)
    return Org(rest, branch.tenant, org.owner)


async def roles_of(org: Org, app: str) -> list[str] | None:
    """Returns the roles that an app has in an organization; None: it is no client there."""
    answer = await org.send("GET", f"clients/{app}")
    if answer.status == 404:
        return None
    return [role["name"] for role in answer.json()["organizationRoles"]]


async def patch_roles(org: Org, app: str, body: Any, *, product: str = "cpn", query: str = "", **options: Any) -> Any:
    path = f"{BASES[product]}/clients/{app}/orgs/{org.id}/roles{query}"
    return await org.rest.send("PATCH", path, json=body, **{"by": org.owner, **options})


@pytest.mark.parametrize("product", PRODUCTS)
async def test_the_sample_of_new_clients(org: Org, product: str) -> None:
    app = await org.app(displayName="App", description="What it is for")
    body = {
        "ids": [app],
        "orgRoleBindingOrgs": [],
        "organizationRoles": named("developer"),
        "serviceRoles": [{"serviceDefinitionId": "string", "serviceRoles": named("string")}],
    }

    answer = await org.send("POST", "clients", body, product=product)

    assert (answer.status, answer.json()) == (200, {"failures": []})
    assert (await org.send("GET", f"clients/{app}")).json() == {
        "description": "What it is for",
        "displayName": "App",
        "id": app,
        "organizationRoles": named("developer"),
        "serviceRoles": [{"serviceDefinitionId": "string", "serviceRoles": named("string")}],
        "sourceOrg": {"displayName": org.tenant.name, "orgId": org.id, "shortId": org.id[:8]},
    }


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_client_is_added_once(org: Org, product: str) -> None:
    app, other = await org.client("org_member"), await org.app()

    answer = await org.send("POST", "clients", {"ids": [other, app]}, product=product)

    assert error(answer, 400)["message"] == "One or more clients already part of the organization"
    assert await roles_of(org, other) is None


@pytest.mark.parametrize("product", PRODUCTS)
async def test_clients_that_are_not_there_are_named(org: Org, product: str) -> None:
    app = await org.app()

    answer = await org.send("POST", "clients", {"ids": [app, "nowhere", "no*"]}, product=product)

    assert error(answer, 404)["message"] == "Clients [nowhere, no*] not found"
    assert await roles_of(org, app) is None


async def test_cpn_adds_apps_of_the_organization_alone_and_csp_any(org: Org, branch: Org) -> None:
    app = await org.app()
    body = {"ids": [app], "organizationRoles": named("org_member")}

    error(await branch.send("POST", "clients", body), 404)
    assert (await branch.send("POST", "clients", body, product="csp")).status == 200

    client = (await branch.send("GET", f"clients/{app}")).json()
    assert client["organizationRoles"] == named("org_member")
    assert client["sourceOrg"] == {"displayName": org.tenant.name, "orgId": org.id, "shortId": org.id[:8]}


async def test_an_app_that_the_caller_does_not_see_is_added_nowhere(org: Org, rest: Rest) -> None:
    foreign = await (await Org.make(rest)).app()

    for product in PRODUCTS:
        error(await org.send("POST", "clients", {"ids": [foreign]}, product=product), 404)


async def test_roles_are_given_in_further_organizations(org: Org, branch: Org) -> None:
    app = await org.app()
    body = {
        "ids": [app],
        "orgRoleBindingOrgs": [branch.id, org.id],
        "organizationRoles": named("developer"),
        "serviceRoles": [{"serviceDefinitionId": "vmc", "serviceRoles": named("reader")}],
    }

    assert (await org.send("POST", "clients", body)).json() == {"failures": []}

    assert await roles_of(org, app) == ["developer"]
    assert await roles_of(branch, app) == ["developer"]
    assert (await branch.send("GET", f"clients/{app}")).json()["serviceRoles"] == []


async def test_a_further_organization_that_is_not_there_stops_all(org: Org, rest: Rest) -> None:
    app, foreign = await org.app(), await Org.make(rest)

    answer = await org.send("POST", "clients", {"ids": [app], "orgRoleBindingOrgs": [foreign.id]})

    error(answer, 404)
    assert await roles_of(org, app) is None


@pytest.mark.parametrize("product", PRODUCTS)
async def test_the_sample_of_changed_roles(org: Org, product: str) -> None:
    app = await org.client("developer", services={"vmc": ("reader",), "string": ("old",)})
    body = {
        "orgRoleBindingOrgs": {"orgsToAdd": [], "orgsToRemove": []},
        "organizationRoles": {"rolesToAdd": named("org_member"), "rolesToRemove": named("developer")},
        "serviceRoles": [
            {"rolesToAdd": named("string"), "rolesToRemove": named("old"), "serviceDefinitionId": "string"}
        ],
    }

    answer = await patch_roles(org, app, body, product=product)

    assert (answer.status, answer.content) == (200, b"")
    client = (await org.send("GET", f"clients/{app}")).json()
    assert client["organizationRoles"] == named("org_member")
    assert client["serviceRoles"] == [
        {"serviceDefinitionId": "vmc", "serviceRoles": named("reader")},
        {"serviceDefinitionId": "string", "serviceRoles": named("string")},
    ]


async def test_a_change_of_nothing_changes_nothing(org: Org) -> None:
    app = await org.client("developer", services={"vmc": ("reader",)})
    before = await org.send("GET", f"clients/{app}")

    bodies: tuple[Any, ...] = ({}, {"organizationRoles": None, "serviceRoles": None}, {"serviceRoles": []})
    for body in bodies:
        assert (await patch_roles(org, app, body)).status == 200

    after = await org.send("GET", f"clients/{app}")
    assert (after.json(), after.etag) == (before.json(), before.etag)


async def test_further_organizations_are_added_and_removed(org: Org, branch: Org) -> None:
    app = await org.client("developer")
    await patch_roles(org, app, {"orgRoleBindingOrgs": {"orgsToAdd": [branch.id]}})
    assert await roles_of(branch, app) == ["developer"]

    add = {
        "orgRoleBindingOrgs": {"orgsToAdd": [branch.id]},
        "organizationRoles": {"rolesToAdd": named("org_member")},
    }
    assert (await patch_roles(org, app, add)).status == 200
    assert await roles_of(branch, app) == ["developer", "org_member"]

    remove = {"orgRoleBindingOrgs": {"orgsToRemove": [branch.id]}}
    for _ in range(2):
        assert (await patch_roles(org, app, remove)).status == 200
        assert await roles_of(branch, app) is None
    assert await roles_of(org, app) == ["developer", "org_member"]


async def test_other_roles_keep_a_client_in_a_further_organization(org: Org, branch: Org) -> None:
    app = await org.client("developer")
    in_branch = {"ids": [app], "serviceRoles": [{"serviceDefinitionId": "vmc", "serviceRoles": named("reader")}]}
    await branch.send("POST", "clients", in_branch, product="csp")
    await patch_roles(org, app, {"orgRoleBindingOrgs": {"orgsToAdd": [branch.id]}})

    await patch_roles(org, app, {"orgRoleBindingOrgs": {"orgsToRemove": [branch.id]}})

    client = (await branch.send("GET", f"clients/{app}")).json()
    assert client["organizationRoles"] == []
    assert client["serviceRoles"] == [{"serviceDefinitionId": "vmc", "serviceRoles": named("reader")}]


async def test_roles_of_an_app_that_is_no_client_cannot_be_changed(org: Org) -> None:
    app = await org.app()

    error(await patch_roles(org, app, {"organizationRoles": {"rolesToAdd": named("developer")}}), 404)


async def test_changes_of_roles_may_be_conditional(org: Org) -> None:
    app = await org.client("developer")
    stale = (await org.send("GET", f"clients/{app}")).etag
    body = {"organizationRoles": {"rolesToAdd": named("org_member")}}
    condition = [("If-Match", stale)]

    changed = await patch_roles(org, app, body, headers=condition)
    assert changed.status == 200
    assert changed.etag == (await org.send("GET", f"clients/{app}")).etag

    other = {"organizationRoles": {"rolesToAdd": named("org_admin")}}
    error(await patch_roles(org, app, other, headers=condition), 412)
    assert await roles_of(org, app) == ["developer", "org_member"]


async def test_clients_are_listed_and_removed(rest: Rest) -> None:
    org = await Org.make(rest)
    apps = [await org.client("org_member") for _ in range(3)]
    path = org.path("clients", "csp")

    page = (await org.send("GET", "clients?pageStart=2&pageLimit=1", product="csp")).json()
    assert [client["id"] for client in page["results"]] == apps[1:2]
    assert page["totalResults"] == 3
    assert page["nextLink"] == f"{path}?pageStart=3&pageLimit=1"
    assert page["prevLink"] == f"{path}?pageStart=1&pageLimit=1"
    assert page["results"][0] == (await org.send("GET", f"clients/{apps[1]}")).json()

    removed = await org.send("DELETE", "clients", {"ids": [apps[0], "nowhere", apps[2]]}, product="csp")
    assert removed.json() == {"failed": ["nowhere"], "succeeded": [apps[0], apps[2]]}
    whole = (await org.send("GET", "clients", product="csp")).json()
    assert [client["id"] for client in whole["results"]] == apps[1:2]
    assert list(whole) == ["results", "totalResults"]
    assert (await org.send("GET", f"oauth-apps/{apps[0]}")).status == 200


# --- Contexts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "role", "status"),
    [
        ("", "developer", 200),
        ("", "msp:provider_admin", 200),
        ("?context=TENANT", "developer", 200),
        ("?context=TENANT", "msp:provider_admin", 400),
        ("?context=PROVIDER", "msp:provider_support_user", 200),
        ("?context=PROVIDER", "org_member", 400),
        ("?context=OPERATOR", "msp:provider_admin", 400),
        ("?context=nonsense", "developer", 400),
        ("", "no role", 400),
    ],
)
async def test_a_context_has_a_family_of_roles(org: Org, query: str, role: str, status: int) -> None:
    app = await org.app()
    added = await org.send("POST", f"clients{query}", {"ids": [app], "organizationRoles": named(role)})
    assert added.status == status, added
    assert await roles_of(org, app) == ([role] if status == 200 else None)

    app = await org.client("org_member")
    changed = await patch_roles(org, app, {"organizationRoles": {"rolesToAdd": named(role)}}, query=query)
    assert changed.status == status, changed


# --- What there is in an organization ---------------------------------------------------------------------------------


async def test_the_roles_of_an_organization(org: Org) -> None:
    async def listed(query: str) -> Any:
        answer = await org.rest.get(f"{CPN}/v1/orgs/{org.id}/org-roles{query}", by=org.owner)
        assert answer.status == 200
        return answer.json()["orgRoles"]

    partners = ["msp:provider_admin", "msp:provider_support_user"]
    tenants = ["org_owner", "org_admin", "developer", "org_member"]
    for query, names in (
        ("", tenants + partners),
        ("?context=TENANT", tenants),
        ("?context=PROVIDER", partners),
        ("?context=OPERATOR", partners),
    ):
        assert [role["name"] for role in await listed(query)] == names
    assert (await listed("?context=TENANT"))[2] == {
        "displayName": "Developer",
        "id": "developer",
        "memberType": "DIRECT",
        "name": "developer",
        "orgId": org.id,
    }
    error(await org.rest.get(f"{CPN}/v1/orgs/{org.id}/org-roles?context=x", by=org.owner), 400)


async def test_the_scopes_of_an_organization(org: Org) -> None:
    answer = await org.send("GET", "oauth-apps/scopes")

    assert answer.status == 200
    descriptors = {descriptor["name"]: descriptor for descriptor in answer.json()}
    assert set(descriptors) == {
        "org_owner",
        "org_admin",
        "developer",
        "org_member",
        "msp:provider_admin",
        "msp:provider_support_user",
    }
    assert descriptors["developer"] == {
        "enabled": True,
        "incompatibleWith": ["msp:provider_admin", "msp:provider_support_user"],
        "name": "developer",
        "serviceScopeType": "ALL_SERVICES",
    }
