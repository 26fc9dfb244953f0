# SPDX-License-Identifier: Apache-2.0
"""OAuth apps in the dialects of VMware's two products, as documented (contract sections 1 to 4, document 003)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import pytest

from service.clock import system_clock
from tests.vmware import CPN, CSP_REQUIRED, SECRET, Org, error, named

if TYPE_CHECKING:
    from tests.rest import Rest

PRODUCTS: Final = ("cpn", "csp")
SCOPES: Final = {
    "generalScopes": ["string"],
    "organizationScopes": {"roles": named("string")},
    "servicesScopes": [{"allRoles": False, "roles": named("string"), "serviceDefinitionId": "string"}],
}
NO_SCOPES: Final = {"generalScopes": [], "organizationScopes": {"roles": []}, "servicesScopes": []}
CHANGE: Final[dict[str, Any]] = {
    "accessTokenTTL": 1800,
    "allowedScopes": SCOPES,
    "description": "string",
    "displayName": "string",
    "ownerOnlySecretRotation": False,
    "secret": SECRET,
    "secretRotationExpirationInSeconds": 0,
}
"""The sample of document 003, with a secret of the published pattern and a lifetime that is one."""

CPN_TYPES: Final = {
    "accessTokenTTL": int,
    "allowedScopes": dict,
    "createdAt": int,
    "description": str,
    "displayName": str,
    "grantTypes": list,
    "id": str,
    "lastUpdatedAt": int,
    "ownerOnlySecretRotation": bool,
    "secretRotationExpirationInSeconds": int,
}
CSP_TYPES: Final = {
    **CPN_TYPES,
    "additionalAttributeMasks": list,
    "allowOpenRedirectUris": bool,
    "allowedActorsAudienceExchange": list,
    "allowedActorsClientDelegate": list,
    "allowedOrgs": list,
    "createdBy": str,
    "crossOrgAccessClaimsSupported": bool,
    "forcePkce": bool,
    "groupDomainAppendedInIDToken": bool,
    "immutable": bool,
    "isHidden": bool,
    "lastUpdatedBy": type(None),
    "lastUsedAt": type(None),
    "maxAdditionalAttributesInIdToken": int,
    "maxCharactersInAccessToken": int,
    "maxGroupsInIdToken": int,
    "organizationId": str,
    "postLogoutRedirectUris": list,
    "publicClient": bool,
    "redirectUris": list,
    "refreshTokenTTL": type(None),
    "secretAge": type(None),
    "serviceDefinitionId": type(None),
    "useCspIssuerUrl": bool,
}
TYPES: Final = {"cpn": CPN_TYPES, "csp": CSP_TYPES}

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
async def org(rest: Rest) -> Org:
    return await Org.make(rest)


def types_of(body: dict[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in body.items()}


async def test_the_sample_of_document_003_changes_an_app(org: Org) -> None:
    app = await org.app(displayName="before", description="before")
    before = (await org.send("GET", f"oauth-apps/{app}")).json()

    answer = await org.send("PATCH", f"oauth-apps/{app}?context=TENANT", CHANGE)

    assert answer.status == 200
    after = answer.json()
    assert types_of(after) == CPN_TYPES
    assert after["lastUpdatedAt"] >= before["createdAt"]
    assert after == {
        "accessTokenTTL": 1800,
        "allowedScopes": SCOPES,
        "createdAt": before["createdAt"],
        "description": "string",
        "displayName": "string",
        "grantTypes": ["client_credentials"],
        "id": app,
        "lastUpdatedAt": after["lastUpdatedAt"],
        "ownerOnlySecretRotation": False,
        "secretRotationExpirationInSeconds": 0,
    }
    assert (await org.send("GET", f"oauth-apps/{app}")).json() == after


@pytest.mark.parametrize("product", PRODUCTS)
async def test_the_sample_of_a_new_app(org: Org, product: str) -> None:
    app = f"sample-{product}"
    extra = {"grantTypes": ["client_credentials"]} if product == "csp" else {}
    now = system_clock() // 1_000_000

    answer = await org.send("POST", "oauth-apps", {**CHANGE, **extra, "id": app}, product=product)

    assert answer.status == 200
    assert answer.json() == {"clientId": app, "clientSecret": SECRET}
    shown = (await org.send("GET", f"oauth-apps/{app}", product=product)).json()
    assert types_of(shown) == TYPES[product]
    assert shown["allowedScopes"] == SCOPES
    assert shown["createdAt"] == shown["lastUpdatedAt"]
    assert abs(shown["createdAt"] / 1000 - now) < 60


async def test_an_app_of_nothing_gets_everything_made(org: Org) -> None:
    made = (await org.send("POST", "oauth-apps", {})).json()

    shown = (await org.send("GET", f"oauth-apps/{made['clientId']}")).json()
    assert made.keys() == {"clientId", "clientSecret"}
    assert len(made["clientSecret"]) >= 32
    assert await org.lets_in(made["clientId"], made["clientSecret"]) == [True]
    del shown["createdAt"], shown["lastUpdatedAt"]
    assert shown == {
        "accessTokenTTL": 600,
        "allowedScopes": NO_SCOPES,
        "description": "",
        "displayName": made["clientId"],
        "grantTypes": ["client_credentials"],
        "id": made["clientId"],
        "ownerOnlySecretRotation": False,
        "secretRotationExpirationInSeconds": 172_800,
    }


async def test_a_request_of_cpn_may_have_no_body_at_all(org: Org) -> None:
    made = await org.send("POST", "oauth-apps")
    assert made.status == 200
    app = made.json()["clientId"]
    before = (await org.send("GET", f"oauth-apps/{app}")).json()

    answer = await org.send("PATCH", f"oauth-apps/{app}")

    assert answer.status == 200
    assert {**answer.json(), "lastUpdatedAt": 0} == {**before, "lastUpdatedAt": 0}


async def test_the_payload_of_a_real_tool(org: Org) -> None:
    body = {
        "id": "app-prd-gov",
        "accessTokenTTL": 1800,
        "allowedScopes": {
            "allRoles": "False",
            "generalScopes": [],
            "organizationScopes": {"roleNames": ["org_member"]},
            "serviceScopes": [],
        },
        "description": "App",
        "displayName": "App",
        "secret": SECRET,
        "grantTypes": ["client_credentials"],
    }

    answer = await org.send("POST", "oauth-apps", body, product="csp")

    assert answer.json() == {"clientId": "app-prd-gov", "clientSecret": SECRET}


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"accessTokenTTL": 18_000}, {"accessTokenTTL": 18_000}),
        ({"description": ""}, {"description": ""}),
        ({"displayName": "Other"}, {"displayName": "Other"}),
        ({"ownerOnlySecretRotation": True}, {"ownerOnlySecretRotation": True}),
        ({"secretRotationExpirationInSeconds": 7}, {"secretRotationExpirationInSeconds": 7}),
        ({"secretRotationExpirationInSeconds": 0}, {"secretRotationExpirationInSeconds": 0}),
        ({"allowedScopes": {}}, {"allowedScopes": NO_SCOPES}),
        (
            {"allowedScopes": {"generalScopes": ["openid"]}},
            {"allowedScopes": {**NO_SCOPES, "generalScopes": ["openid"]}},
        ),
        ({"accessTokenTTL": None, "secret": None, "displayName": None}, {}),
        ({"unknown": 1, "id": "other", "createdAt": 1}, {}),
        ({}, {}),
    ],
)
async def test_a_change_leaves_alone_what_it_does_not_name(
    org: Org, product: str, change: dict[str, Any], shown: dict[str, Any]
) -> None:
    app = await org.app(**{**CHANGE, "displayName": "App"})
    before = (await org.send("GET", f"oauth-apps/{app}", product=product)).json()

    answer = await org.send("PATCH", f"oauth-apps/{app}", change, product=product)

    assert answer.status == 200, answer
    assert {**answer.json(), "lastUpdatedAt": 0} == {**before, **shown, "lastUpdatedAt": 0}


async def test_grant_types_are_csps_alone(org: Org) -> None:
    app = await org.app()
    change = {"grantTypes": ["authorization_code", "refresh_token"]}

    ignored = await org.send("PATCH", f"oauth-apps/{app}", change)
    assert ignored.json()["grantTypes"] == ["client_credentials"]
    changed = await org.send("PATCH", f"oauth-apps/{app}", change, product="csp")
    assert sorted(changed.json()["grantTypes"]) == ["authorization_code", "refresh_token"]


@pytest.mark.parametrize("product", PRODUCTS)
async def test_an_id_that_is_taken_is_a_conflict(org: Org, product: str) -> None:
    app = await org.app()
    body = {"id": app, **CSP_REQUIRED}

    error(await org.send("POST", "oauth-apps", body, product=product), 409)


# --- Contexts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("context", "role", "status"),
    [
        ("TENANT", "developer", 200),
        ("TENANT", "msp:provider_admin", 400),
        ("TENANT", "any other", 400),
        ("TENANT", "any-other", 200),
        ("PROVIDER", "msp:provider_admin", 200),
        ("PROVIDER", "developer", 400),
        ("OPERATOR", "msp:provider_support_user", 200),
        ("OPERATOR", "org_owner", 400),
        ("CUSTOMER", "developer", 400),
        ("tenant", "developer", 400),
        ("", "developer", 400),
    ],
)
async def test_a_context_has_a_family_of_roles(org: Org, context: str, role: str, status: int) -> None:
    body = {"allowedScopes": {"organizationScopes": {"roles": named(role)}}}

    created = await org.send("POST", f"oauth-apps?context={context}", body)
    assert created.status == status, created
    app = await org.app()
    changed = await org.send("PATCH", f"oauth-apps/{app}?context={context}", body)
    # Operators create apps and do not change them.
    assert changed.status == (400 if context == "OPERATOR" else status)


# --- Lists and deletion -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_list_is_paged(rest: Rest, product: str) -> None:
    org = await Org.make(rest)
    apps = [await org.app(product=product, displayName=f"App {number}") for number in range(5)]
    path = org.path("oauth-apps", product)

    whole = (await org.send("GET", "oauth-apps", product=product)).json()
    assert list(whole) == ["results", "totalResults"]
    assert [app["id"] for app in whole["results"]] == apps
    assert whole["totalResults"] == 5
    assert types_of(whole["results"][0]) == TYPES[product]

    middle = (await org.send("GET", "oauth-apps?pageStart=3&pageLimit=2", product=product)).json()
    assert [app["id"] for app in middle["results"]] == apps[2:4]
    assert middle["totalResults"] == 5
    assert middle["nextLink"] == f"{path}?pageStart=5&pageLimit=2"
    assert middle["prevLink"] == f"{path}?pageStart=1&pageLimit=2"

    last = (await rest.get(middle["nextLink"], by=org.owner)).json()
    assert [app["id"] for app in last["results"]] == apps[4:]
    assert "nextLink" not in last

    beyond = (await org.send("GET", "oauth-apps?pageStart=100&pageLimit=200", product=product)).json()
    assert (beyond["results"], beyond["totalResults"]) == ([], 5)


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize(
    ("term", "found"),
    [("ALPHA", [0, 1]), ("name", [0]), ("one%20n", [0]), ("beta-", [2]), ("*", []), ("%22%20OR", []), ("%5C", [])],
)
async def test_a_list_can_be_searched(rest: Rest, product: str, term: str, found: list[int]) -> None:
    org = await Org.make(rest)
    number = next(_NUMBERS)
    apps = [
        await org.app(displayName="Alpha One name"),
        await org.app(id=f"alpha-{number}", displayName="x"),
        await org.app(id=f"beta-{number}", displayName="y"),
    ]

    listed = (await org.send("GET", f"oauth-apps?searchTerm={term}", product=product)).json()

    assert [app["id"] for app in listed["results"]] == [apps[index] for index in found]
    assert listed["totalResults"] == len(found)


@pytest.mark.parametrize("product", PRODUCTS)
async def test_several_apps_are_deleted_at_once(org: Org, product: str) -> None:
    first, second = await org.app(), await org.app()
    ids = [first, "nowhere", second, first, "no *", 'quo"te']

    answer = await org.send("DELETE", "oauth-apps", {"clientIdsToDelete": ids}, product=product)

    assert answer.status == 200
    assert answer.json() == {"failed": ["nowhere", "no *", 'quo"te'], "succeeded": [first, second]}
    error(await org.send("GET", f"oauth-apps/{first}", product=product), 404)


async def test_apps_of_another_kind_or_organization_are_not_deleted(org: Org, rest: Rest) -> None:
    other = await Org.make(rest)
    foreign = await other.app()
    number = await rest.application(org.tenant)
    listed = (await org.send("GET", "oauth-apps")).json()["results"]

    answer = await org.send("DELETE", "oauth-apps", {"clientIdsToDelete": [foreign, str(number)]})

    assert answer.json() == {"failed": [foreign, str(number)], "succeeded": []}
    assert (await org.send("GET", "oauth-apps")).json()["results"] == listed
    assert (await other.send("GET", f"oauth-apps/{foreign}")).status == 200


# --- What does not exist ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("product", PRODUCTS)
async def test_what_is_of_another_organization_does_not_exist(org: Org, rest: Rest, product: str) -> None:
    other = await Org.make(rest)
    foreign = await other.app()
    rotation = {"newClientSecret": SECRET, "secretExpirationTimeInSeconds": 1}
    of_apps: list[tuple[str, str, Any]] = [
        ("GET", "oauth-apps/{app}", None),
        ("PATCH", "oauth-apps/{app}", {}),
        ("PUT", "oauth-apps/{app}/secret", {}),
        ("POST", "oauth-apps/{app}/secret", rotation),
    ]
    of_organizations: list[tuple[str, str, Any]] = [
        ("GET", "oauth-apps", None),
        ("POST", "oauth-apps", CSP_REQUIRED),
        ("DELETE", "oauth-apps", {"clientIdsToDelete": [foreign]}),
        ("POST", "clients", {"ids": [foreign]}),
    ]
    for place, app in ((org, foreign), (other, foreign), (org, "nowhere")):
        for method, below, json in of_apps:
            answer = await place.send(method, below.format(app=app), json, product=product, by=org.owner)
            error(answer, 404)
    for method, below, json in of_organizations:
        error(await other.send(method, below, json, product=product, by=org.owner), 404)
    assert (await other.send("GET", f"oauth-apps/{foreign}")).status == 200


@pytest.mark.parametrize(
    "org_id", ["1", "-", "nowhere", "5be5a591-c842-4520-9142-b455f4ad228", "5be5a591c84245209142b455f4ad2286"]
)
async def test_an_organization_is_a_guid(org: Org, rest: Rest, org_id: str) -> None:
    for path in (f"v2/orgs/{org_id}/oauth-apps", f"v2/orgs/{org_id}/oauth-apps/a", f"v1/orgs/{org_id}/org-roles"):
        error(await rest.get(f"{CPN}/{path}", by=org.owner), 404)


async def test_a_guid_may_be_written_in_capitals(org: Org, rest: Rest) -> None:
    app = await org.app()

    answer = await rest.get(f"{CPN}/v2/orgs/{org.id.upper()}/oauth-apps/{app}", by=org.owner)

    assert answer.json()["id"] == app


async def test_registrations_at_providers_are_no_apps(org: Org, rest: Rest) -> None:
    number = await rest.application(org.tenant)
    listed = (await org.send("GET", "oauth-apps")).json()["results"]

    assert str(number) not in {app["id"] for app in listed}
    error(await org.send("GET", f"oauth-apps/{number}"), 404)


# --- Conditional changes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_change_may_be_conditional(org: Org, product: str) -> None:
    app = await org.app()
    stale = (await org.send("GET", f"oauth-apps/{app}", product=product)).etag
    condition = {"headers": [("If-Match", stale)]}

    changed = await org.send("PATCH", f"oauth-apps/{app}", {"description": "x"}, product=product, **condition)
    assert changed.status == 200
    assert changed.etag != stale

    for method, below, body in (
        ("PATCH", f"oauth-apps/{app}", {"description": "y"}),
        ("PUT", f"oauth-apps/{app}/secret", {}),
        (
            "POST",
            f"oauth-apps/{app}/secret",
            {"newClientSecret": "Another1", "secretExpirationTimeInSeconds": 60},
        ),
    ):
        error(await org.send(method, below, body, product=product, **condition), 412)
    assert (await org.send("GET", f"oauth-apps/{app}", product=product)).json() == changed.json()
    assert await org.lets_in(app, SECRET, "Another1") == [True, False]
