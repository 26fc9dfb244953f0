# SPDX-License-Identifier: Apache-2.0
"""Requests of VMware's dialects that are not good, in every way: refused as documented, nothing changed."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

import pytest

from gateway.constraints import INT32_MAX
from tests.vmware import BASES, CPN, CSP, SECRET, Org, basic, error, named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bad_input.conftest import World
    from tests.rest import Answer

CLIENT: Final = "bad-input-client"
APP: Final = "bad-input-app"
MISSING: Final = object()

SCOPES: Final = {
    "generalScopes": ["openid"],
    "organizationScopes": {"roles": named("developer")},
    "servicesScopes": [{"allRoles": False, "roles": named("reader"), "serviceDefinitionId": "vmc"}],
}
SETTINGS: Final = {
    "accessTokenTTL": 600,
    "allowedScopes": SCOPES,
    "description": "d",
    "displayName": "App",
    "ownerOnlySecretRotation": False,
    "secret": SECRET,
    "secretRotationExpirationInSeconds": 60,
}
ASSIGNMENT: Final = {
    "ids": [APP],
    "orgRoleBindingOrgs": [],
    "organizationRoles": named("developer"),
    "serviceRoles": [{"serviceDefinitionId": "vmc", "serviceRoles": named("reader")}],
}
ROLES: Final = {
    "orgRoleBindingOrgs": {"orgsToAdd": [], "orgsToRemove": []},
    "organizationRoles": {"rolesToAdd": named("org_member"), "rolesToRemove": named("developer")},
    "serviceRoles": [{"rolesToAdd": named("a"), "rolesToRemove": named("b"), "serviceDefinitionId": "vmc"}],
}
GOOD: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "cpn create": ("POST", "/orgs/{org}/oauth-apps", {**SETTINGS, "id": "new"}),
    "csp create": (
        "POST",
        "/orgs/{org}/oauth-apps",
        {**SETTINGS, "id": "new", "grantTypes": ["client_credentials"]},
    ),
    "cpn change": ("PATCH", "/orgs/{org}/oauth-apps/{client}", SETTINGS),
    "csp change": (
        "PATCH",
        "/orgs/{org}/oauth-apps/{client}",
        {**SETTINGS, "grantTypes": ["client_credentials"]},
    ),
    "cpn delete": ("DELETE", "/orgs/{org}/oauth-apps", {"clientIdsToDelete": [CLIENT]}),
    "csp delete": ("DELETE", "/orgs/{org}/oauth-apps", {"clientIdsToDelete": [CLIENT]}),
    "cpn rotate": (
        "POST",
        "/orgs/{org}/oauth-apps/{client}/secret",
        {"newClientSecret": SECRET, "secretExpirationTimeInSeconds": 60},
    ),
    "csp rotate": (
        "POST",
        "/orgs/{org}/oauth-apps/{client}/secret",
        {"newClientSecret": SECRET, "secretRotationExpirationInSeconds": 60},
    ),
    "cpn rotate own": (
        "POST",
        "/clients/{client}/secret",
        {"newClientSecret": SECRET, "secretExpirationTimeInSeconds": 60},
    ),
    "cpn assign": ("POST", "/orgs/{org}/clients", ASSIGNMENT),
    "csp assign": ("POST", "/orgs/{org}/clients", ASSIGNMENT),
    "cpn roles": ("PATCH", "/clients/{client}/orgs/{org}/roles", ROLES),
    "csp roles": ("PATCH", "/clients/{client}/orgs/{org}/roles", ROLES),
    "csp remove": ("DELETE", "/orgs/{org}/clients", {"ids": [CLIENT]}),
}
"""A good request of every route that has a body with members."""

NO_TEXT: Final = [17, 1.5, True, [], {}]
NO_FLAG: Final = [0, 1, "true", "", [], {}]
NO_NUMBER: Final = ["60", "", 60.5, True, [], {}]
NO_OBJECT: Final = ["a", 1, True, []]
NO_LIST: Final = ["a", 1, {}, True]
REQUIRED: Final = [MISSING, None]

NO_TTL: Final = [*NO_NUMBER, -1, 0, 59, 18_001, INT32_MAX + 1, 2**63, 10**40]
NO_SECONDS: Final = [*NO_NUMBER, -1, INT32_MAX + 1, 2**63, 10**40]
NO_LIFETIME: Final = [*NO_SECONDS, 0]
NO_SECRET: Final = [
    *NO_TEXT,
    "",
    "Abcdef1",
    "abcdefg1",
    "ABCDEFG1",
    "ABCDEFG1!",
    "Abcdefgh",
    "Abcdefg1\n",
    "Abcd\nefg1",
    "\nAbcdefg1",
    "\uff21bcdefg1",
    "Abcdefg\uff11",
    "Aa1" + "x" * 1_022,
]
NO_ID: Final = [*NO_TEXT, "", "a b", "a.b", "a/b", "a~b", "a:b", "ü", "a\n", "a\x00", "a" * 129, "scopes"]
NO_NAME: Final = [*NO_TEXT, "", "a\nb", "a\x00b", "n" * 256]
NO_CSP_NAME: Final = [*NO_NAME, "a/b", "<a>", "a+b", "100%", "a\\b", '"a"']
NO_DESCRIPTION: Final = [*NO_TEXT, "a\x00b", "d" * 4_097]
NO_GRANT_TYPES: Final = [
    *NO_LIST,
    [],
    [1],
    [None],
    [""],
    ["password"],
    ["audience_exchange"],
    ["CLIENT_CREDENTIALS"],
    ["client_credentials"] * 4,
]
NO_GENERAL: Final = [
    *NO_LIST,
    [1],
    [None],
    [""],
    ["a b"],
    ['a"b'],
    ["a\\b"],
    ["ü"],
    ["a\n"],
    ["org:org_owner"],
    ["service:vmc:*"],
    ["org:"],
    ["a" * 513],
    ["a"] * 257,
]
NO_ROLES: Final = [
    *NO_LIST,
    ["developer"],
    [1],
    [None],
    [{}],
    [{"name": None}],
    [{"name": 1}],
    [{"name": ""}],
    [{"name": "a b"}],
    [{"name": "a\n"}],
    [{"name": "ü"}],
    [{"name": "a" * 101}],
    named("a") * 257,
]
NO_KNOWN_ROLES: Final = [*NO_ROLES, named("string"), named("Developer"), named("provider_admin"), named("*")]
NO_SERVICE_ROLES: Final = [*NO_ROLES, named("*"), named("a", "*")]
NO_SERVICES: Final = [
    *NO_LIST,
    ["vmc"],
    [{}],
    [{"serviceDefinitionId": None}],
    [{"serviceDefinitionId": 1}],
    [{"serviceDefinitionId": ""}],
    [{"serviceDefinitionId": "a b"}],
    [{"serviceDefinitionId": "ü"}],
    [{"serviceDefinitionId": "a" * 129}],
]
NO_SERVICES_SCOPES: Final = [
    *NO_SERVICES,
    [{"serviceDefinitionId": "vmc", "allRoles": "True"}],
    [{"serviceDefinitionId": "vmc", "allRoles": 1}],
    [{"serviceDefinitionId": "vmc", "allRoles": True, "roles": named("reader")}],
    [{"serviceDefinitionId": "a"}, {"serviceDefinitionId": "b", "allRoles": True, "roles": named("reader")}],
    *([{"serviceDefinitionId": "vmc", "roles": roles}] for roles in NO_SERVICE_ROLES),
    [{"serviceDefinitionId": f"s{number}", "roles": named(*map(str, range(200)))} for number in range(2)],
]
NO_IDS: Final = [*REQUIRED, *NO_LIST, [], [1], [None], [""], ["a\n"], ["a" * 129], [f"a{n}" for n in range(16)]]
NO_ORGANIZATIONS: Final = [*NO_LIST, [1], [None], [""], ["1"], ["-"], ["5be5a591c84245209142b455f4ad2286"]]

SETTINGS_ROWS: Final[list[tuple[str, list[Any]]]] = [
    ("accessTokenTTL", NO_TTL),
    ("allowedScopes", NO_OBJECT),
    ("allowedScopes.generalScopes", NO_GENERAL),
    ("allowedScopes.organizationScopes", NO_OBJECT),
    ("allowedScopes.organizationScopes.roles", NO_ROLES),
    ("allowedScopes.servicesScopes", NO_SERVICES_SCOPES),
    ("description", NO_DESCRIPTION),
    ("ownerOnlySecretRotation", NO_FLAG),
    ("secret", NO_SECRET),
    ("secretRotationExpirationInSeconds", NO_SECONDS),
]
ROWS: Final[list[tuple[str, str, list[Any]]]] = [
    *((name, *row) for name in ("cpn create", "csp create", "cpn change", "csp change") for row in SETTINGS_ROWS),
    *((name, "id", NO_ID) for name in ("cpn create", "csp create")),
    *((name, "displayName", NO_NAME) for name in ("cpn create", "cpn change")),
    *((name, "displayName", NO_CSP_NAME) for name in ("csp create", "csp change")),
    *((name, "grantTypes", NO_GRANT_TYPES) for name in ("csp create", "csp change")),
    *(("csp create", name, REQUIRED) for name in ("displayName", "description", "grantTypes", "allowedScopes")),
    *((name, "clientIdsToDelete", NO_IDS) for name in ("cpn delete", "csp delete")),
    *((name, "newClientSecret", [*REQUIRED, *NO_SECRET]) for name in ("cpn rotate", "csp rotate", "cpn rotate own")),
    *((name, "secretExpirationTimeInSeconds", [*REQUIRED, *NO_LIFETIME]) for name in ("cpn rotate", "cpn rotate own")),
    ("csp rotate", "secretRotationExpirationInSeconds", NO_LIFETIME),
    *((name, "ids", NO_IDS) for name in ("cpn assign", "csp assign", "csp remove")),
    *((name, "orgRoleBindingOrgs", NO_ORGANIZATIONS) for name in ("cpn assign", "csp assign")),
    *((name, "organizationRoles", NO_KNOWN_ROLES) for name in ("cpn assign", "csp assign")),
    *((name, "serviceRoles", NO_SERVICES) for name in ("cpn assign", "csp assign", "cpn roles", "csp roles")),
    *((name, "serviceRoles.0.serviceRoles", NO_SERVICE_ROLES) for name in ("cpn assign", "csp assign")),
    *(
        (name, f"{member}.{change}", values)
        for name in ("cpn roles", "csp roles")
        for member, change, values in (
            ("organizationRoles", "rolesToAdd", NO_KNOWN_ROLES),
            ("organizationRoles", "rolesToRemove", NO_KNOWN_ROLES),
            ("serviceRoles.0", "rolesToAdd", NO_SERVICE_ROLES),
            ("serviceRoles.0", "rolesToRemove", NO_SERVICE_ROLES),
            ("orgRoleBindingOrgs", "orgsToAdd", NO_ORGANIZATIONS),
            ("orgRoleBindingOrgs", "orgsToRemove", NO_ORGANIZATIONS),
        )
    ),
    *((name, "organizationRoles", NO_OBJECT) for name in ("cpn roles", "csp roles")),
    *((name, "orgRoleBindingOrgs", NO_OBJECT) for name in ("cpn roles", "csp roles")),
]
"""Requests, a member of theirs, and values that it cannot have."""


@pytest.fixture(scope="module")
async def org(world: World) -> Org:
    """Makes the apps that the table is about: one that has roles, and one that has none."""
    org = await Org.make(world.rest)
    await org.client("developer", id=CLIENT)
    await org.app(id=APP)
    # Whoever is cached from now on is in the table of facts already.
    await org.send("GET", "oauth-apps")
    await org.token(CLIENT)
    return org


@pytest.fixture
async def unchanged(world: World, org: Org) -> AsyncIterator[None]:
    """Demands that the test leaves every row as it was."""
    assert org.id
    before = await world.rows()
    yield
    assert await world.rows() == before


async def send(org: Org, name: str, body: Any, query: str = "", **options: Any) -> Answer:
    """Sends a request of the table with another body."""
    method, path, _ = GOOD[name]
    below = path.format(org=org.id, client=CLIENT) + query
    by = basic(CLIENT, SECRET) if name == "cpn rotate own" else org.owner
    sent = {"data": body} if isinstance(body, bytes) else {"json": body}
    return await org.rest.send(method, BASES[name[:3]] + below, **{"by": by, **sent, **options})


def spoiled(body: dict[str, Any], member: str, value: Any) -> dict[str, Any]:
    """Returns a body with one member, named by its path, changed or left out."""
    body = deepcopy(body)
    *outer, last = member.split(".")
    inner: Any = body
    for name in outer:
        inner = inner[int(name) if name.isdigit() else name]
    if value is MISSING:
        inner.pop(last, None)
    else:
        inner[last] = value
    return body


@pytest.mark.parametrize(
    ("name", "member", "values"), ROWS, ids=[f"{name}-{member}-{index}" for index, (name, member, _) in enumerate(ROWS)]
)
@pytest.mark.usefixtures("unchanged")
async def test_a_bad_member_is_refused_by_its_name(org: Org, name: str, member: str, values: list[Any]) -> None:
    for value in values:
        failure = error(await send(org, name, spoiled(GOOD[name][2], member, value)), 400)

        assert failure["cspErrorCode"] == "300.400"
        first, second, *_ = (*member.split("."), "")
        expected = f"{first}[0].{member.rpartition('.')[2]}" if second == "0" else member
        found = [violation["member"] for violation in failure["metadata"]["violations"]]
        assert all(one.startswith((expected, "allowedScopes")) for one in found), (value, failure)
        assert found


def test_the_table_is_long() -> None:
    assert sum(len(values) for _, _, values in ROWS) > 800
    assert {name for name, _, _ in ROWS} == set(GOOD)


BODIES: Final = [
    b"{",
    b"[]",
    b"null",
    b"17",
    b'"x"',
    b'{"id": "a"} x',
    b"id=a",
    b"\xff",
    b"[" * 9_999,
]


@pytest.mark.parametrize("content", BODIES)
@pytest.mark.usefixtures("unchanged")
async def test_what_is_no_json_object_is_refused(org: Org, content: bytes) -> None:
    for name in GOOD:
        error(await send(org, name, content), 400)
    for product in BASES:
        error(await org.send("PUT", f"oauth-apps/{CLIENT}/secret", product=product, data=content), 400)


@pytest.mark.usefixtures("unchanged")
async def test_a_body_that_is_required_is_not_left_out(org: Org) -> None:
    for name in GOOD:
        if name not in {"cpn create", "cpn change"}:
            error(await send(org, name, b""), 400)
    error(await org.send("PUT", f"oauth-apps/{CLIENT}/secret", product="csp", data=b""), 400)


@pytest.mark.parametrize(
    ("name", "query", "member"),
    [
        ("cpn create", "?context=CUSTOMER", "context"),
        ("cpn create", "?context=", "context"),
        ("cpn create", "?context=tenant", "context"),
        ("cpn create", "?context=TENANT&context=TENANT", ""),
        ("cpn create", "?context=PROVIDER", "allowedScopes.organizationScopes.roles[0].name"),
        ("cpn create", "?context=OPERATOR", "allowedScopes.organizationScopes.roles[0].name"),
        ("cpn change", "?context=CUSTOMER", "context"),
        ("cpn change", "?context=OPERATOR", "context"),
        ("cpn change", "?context=TENANT&context=PROVIDER", ""),
        ("cpn change", "?context=PROVIDER", "allowedScopes.organizationScopes.roles[0].name"),
        ("cpn assign", "?context=OPERATOR", "context"),
        ("cpn assign", "?context=nonsense", "context"),
        ("cpn assign", "?context=PROVIDER", "organizationRoles[0].name"),
        ("cpn roles", "?context=OPERATOR", "context"),
        ("cpn roles", "?context=PROVIDER", "organizationRoles.rolesToAdd[0].name"),
    ],
)
@pytest.mark.usefixtures("unchanged")
async def test_a_bad_query_is_refused(org: Org, name: str, query: str, member: str) -> None:
    failure = error(await send(org, name, GOOD[name][2], query), 400)

    assert failure["metadata"]["violations"][0]["member"] == member


@pytest.mark.parametrize(
    "query",
    [
        "pageStart=0",
        "pageStart=-1",
        "pageStart=1.5",
        "pageStart=x",
        "pageStart=",
        "pageStart=2147483648",
        "pageLimit=0",
        "pageLimit=201",
        "pageLimit=-1",
        "pageLimit=1e2",
        "pageStart=1&pageStart=1",
        "pageLimit=1&pageLimit=2",
        "searchTerm=%00",
        "searchTerm=a&searchTerm=b",
        f"searchTerm={'a' * 256}",
    ],
)
@pytest.mark.usefixtures("unchanged")
async def test_a_bad_page_is_refused(org: Org, query: str) -> None:
    for product in BASES:
        error(await org.send("GET", f"oauth-apps?{query}", product=product), 400)
    if "searchTerm" not in query:
        error(await org.send("GET", f"clients?{query}", product="csp"), 400)


@pytest.mark.parametrize("if_match", ["", " ", "7", '"7', "x, y"])
@pytest.mark.usefixtures("unchanged")
async def test_a_bad_condition_is_refused(org: Org, if_match: str) -> None:
    for name in ("cpn change", "csp change", "cpn rotate", "csp rotate", "cpn roles", "csp roles"):
        answer = await send(org, name, GOOD[name][2], headers=[("If-Match", if_match)])
        error(answer, answer.status)
        assert answer.status in {400, 412}


PATHS: Final = [
    "orgs/{foreign}/oauth-apps",
    "orgs/{foreign}/oauth-apps/{client}",
    "orgs/nowhere/oauth-apps",
    "orgs/1/oauth-apps/{client}",
    "orgs/%00/oauth-apps",
    "orgs/{org}%0A/oauth-apps",
    "orgs/{org}/oauth-apps/nowhere",
    "orgs/{org}/oauth-apps/%00",
    "orgs/{org}/oauth-apps/%20",
    "orgs/{org}/oauth-apps/..%2F..",
    "orgs/{org}/oauth-apps/{long}",
    "orgs/{org}/oauth-apps/{provider}",
    "orgs/{org}/oauth-apps/%C3%28",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.usefixtures("unchanged")
async def test_what_is_not_there_is_404(world: World, org: Org, path: str) -> None:
    filled = path.format(
        org=org.id, foreign=world.ids["organization"], client=CLIENT, long="a" * 129, provider=world.ids["provider"]
    )
    for base in BASES.values():
        error(await org.rest.get(f"{base}/{filled}", by=org.owner), 404)
        if "oauth-apps/" in path:
            error(await org.rest.send("PATCH", f"{base}/{filled}", json=SETTINGS, by=org.owner), 404)
            error(await org.rest.put(f"{base}/{filled}/secret", {}, by=org.owner), 404)
        else:
            error(await org.rest.post(f"{base}/{filled}", GOOD["csp create"][2], by=org.owner), 404)


@pytest.mark.parametrize("name", [name for name in GOOD if name != "cpn rotate own"])
@pytest.mark.usefixtures("unchanged")
async def test_another_organization_is_not_there(world: World, org: Org, name: str) -> None:
    method, path, body = GOOD[name]
    for organization in (world.ids["organization"], "5be5a591-c842-4520-9142-b455f4ad2286", "not-a-guid"):
        below = path.format(org=organization, client=CLIENT)
        error(await org.rest.send(method, BASES[name[:3]] + below, json=body, by=org.owner), 404)


@pytest.mark.parametrize(
    ("name", "member"),
    [("cpn assign", "orgRoleBindingOrgs"), ("csp assign", "orgRoleBindingOrgs"), ("cpn roles", "orgsToAdd")],
)
@pytest.mark.usefixtures("unchanged")
async def test_a_further_organization_must_be_there(world: World, org: Org, name: str, member: str) -> None:
    path = member if member == "orgRoleBindingOrgs" else f"orgRoleBindingOrgs.{member}"

    error(await send(org, name, spoiled(GOOD[name][2], path, [world.ids["organization"]])), 404)


@pytest.mark.usefixtures("unchanged")
async def test_apps_that_are_not_there_are_deleted_nowhere(world: World, org: Org) -> None:
    ids = ["nowhere", str(world.ids["application"]), world.ids["client"], world.ids["provider"], "*", '"', "\\"]

    for name, member in (
        ("cpn delete", "clientIdsToDelete"),
        ("csp delete", "clientIdsToDelete"),
        ("csp remove", "ids"),
    ):
        answer = await send(org, name, {member: ids})
        assert (answer.status, answer.json()) == (200, {"failed": ids, "succeeded": []})


@pytest.mark.usefixtures("unchanged")
async def test_a_taken_id_and_a_client_that_is_one_already_are_refused(org: Org) -> None:
    for name in ("cpn create", "csp create"):
        error(await send(org, name, {**GOOD[name][2], "id": APP}), 409)
    for name in ("cpn assign", "csp assign"):
        error(await send(org, name, {**ASSIGNMENT, "ids": [APP, CLIENT]}), 400)
        error(await send(org, name, {**ASSIGNMENT, "ids": [APP, "nowhere"]}), 404)


@pytest.mark.usefixtures("unchanged")
async def test_a_role_that_is_given_and_taken_is_refused(org: Org) -> None:
    both = {"rolesToAdd": named("org_member"), "rolesToRemove": named("org_member")}

    for name in ("cpn roles", "csp roles"):
        error(await send(org, name, {"organizationRoles": both}), 400)


@pytest.mark.parametrize(
    "authorization",
    [None, "Bearer", "Bearer x", "Negotiate x", "Basic YWRtaW46d3Jvbmc=", "Bearer \xe9", "Bearer " + "x" * 4_000],
)
@pytest.mark.usefixtures("unchanged")
async def test_a_caller_who_is_nobody_is_told_so_before_anything_else(org: Org, authorization: str | None) -> None:
    for name, (_, _, body) in GOOD.items():
        # An app that rotates its own secret is no caller: its credential is read with all the rest.
        bodies: tuple[Any, ...] = (body,) if name == "cpn rotate own" else (body, {}, [])
        for sent in bodies:
            error(await send(org, name, sent, by=authorization), 401)


@pytest.mark.usefixtures("unchanged")
async def test_wrong_methods_paths_and_lengths_have_the_envelope(org: Org) -> None:
    for base, below, method, status in (
        (BASES["cpn"], f"/orgs/{org.id}/oauth-apps", "PUT", 405),
        (BASES["cpn"], f"/orgs/{org.id}/oauth-apps/scopes", "PATCH", 405),
        (BASES["cpn"], f"/orgs/{org.id}/oauth-apps/{APP}/secret", "DELETE", 405),
        (CSP, f"/orgs/{org.id}/oauth-apps/{APP}", "DELETE", 405),
        (CSP, f"/clients/{CLIENT}/secret", "POST", 404),
        (CPN, "/v3/orgs", "GET", 404),
        (CSP, "", "GET", 404),
    ):
        error(await org.rest.send(method, base + below, by=org.owner), status)
    for name in GOOD:
        error(await send(org, name, b'{"id": "' + b"x" * 2 * 1024 * 1024 + b'"}'), 413)


@pytest.mark.usefixtures("unchanged")
async def test_a_page_of_another_origin_changes_nothing(org: Org) -> None:
    for name, (_, _, body) in GOOD.items():
        error(await send(org, name, body, headers=[("Sec-Fetch-Site", "cross-site")]), 403)
