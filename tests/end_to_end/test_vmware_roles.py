# SPDX-License-Identifier: Apache-2.0
"""Who may do what in VMware's dialects: the roles of an organization, and what each is answered (contract section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from tests.rest import ADMIN, ADMIN_BASIC
from tests.vmware import (
    ADMINISTRATOR,
    BASES,
    CPN,
    CSP_REQUIRED,
    DEVELOPER,
    MEMBER,
    OWNER,
    SECRET,
    Org,
    basic,
    error,
    named,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.rest import Answer, Member, Rest

PRODUCTS: Final = ("cpn", "csp")
ROLES: Final = {"owner": OWNER, "administrator": ADMINISTRATOR, "developer": DEVELOPER, "member": MEMBER}
NEW: Final = {"secretExpirationTimeInSeconds": 60, "secretRotationExpirationInSeconds": 60}


class Row(NamedTuple):
    """A request, by the id of an app that exists and has the role of a member, and which roles may send it."""

    method: str
    path: str
    body: Callable[[str], Any]
    roles: str = "owner administrator developer"
    products: str = "cpn csp"


def no_body(_: str) -> Any:
    return None


TABLE: Final = (
    Row("GET", "orgs/{org}/oauth-apps", no_body),
    Row("POST", "orgs/{org}/oauth-apps", lambda _: CSP_REQUIRED),
    Row("DELETE", "orgs/{org}/oauth-apps", lambda app: {"clientIdsToDelete": [app]}),
    Row("GET", "orgs/{org}/oauth-apps/{app}", no_body),
    Row("PATCH", "orgs/{org}/oauth-apps/{app}", lambda _: {"description": "x", "secret": SECRET}),
    Row("PUT", "orgs/{org}/oauth-apps/{app}/secret", lambda _: {}),
    Row("POST", "orgs/{org}/oauth-apps/{app}/secret", lambda _: {"newClientSecret": SECRET, **NEW}),
    Row("DELETE", "orgs/{org}/oauth-apps/{app}/secret", no_body, products="csp"),
    Row("POST", "orgs/{org}/clients", lambda _: {"ids": ["{new}"], "organizationRoles": named("org_member")}),
    Row("GET", "orgs/{org}/clients", no_body, products="csp"),
    Row("DELETE", "orgs/{org}/clients", lambda app: {"ids": [app]}, products="csp"),
    Row("GET", "orgs/{org}/clients/{app}", no_body, products="cpn"),
    Row(
        "PATCH",
        "clients/{app}/orgs/{org}/roles",
        lambda _: {"organizationRoles": {"rolesToAdd": named("developer"), "rolesToRemove": named("org_member")}},
    ),
    Row("GET", "orgs/{org}/oauth-apps/scopes", no_body, products="cpn"),
    Row("GET", "../v1/orgs/{org}/org-roles", no_body, "owner administrator developer member", "cpn"),
)
CELLS: Final = [(product, row) for row in TABLE for product in row.products.split()]


@pytest.fixture(scope="module")
async def org(rest: Rest) -> Org:
    return await Org.make(rest)


@pytest.fixture(scope="module")
async def people(org: Org) -> dict[str, Member]:
    return {name: await org.person(role) for name, role in ROLES.items()}


def filled(value: Any, new: str) -> Any:
    """Returns a body with the id of an app without roles in it."""
    if isinstance(value, dict) and "ids" in value:
        return {**value, "ids": [new if one == "{new}" else one for one in value["ids"]]}
    return value


async def sent(org: Org, product: str, row: Row, by: Any, **options: Any) -> Answer:
    """Sends the request of a row, about apps of its own."""
    app, new = await org.client("org_member"), await org.app()
    path = f"{BASES[product]}/{row.path}".replace("/v2/..", "").format(org=org.id, app=app)
    body = filled(row.body(app), new)
    return await org.rest.send(row.method, path, by=by, **options, **({} if body is None else {"json": body}))


@pytest.mark.parametrize(
    ("product", "row"), CELLS, ids=[f"{product} {row.method} {row.path}" for product, row in CELLS]
)
async def test_every_role_may_do_what_is_documented(
    org: Org, people: dict[str, Member], product: str, row: Row
) -> None:
    for name, person in people.items():
        answer = await sent(org, product, row, person)
        if name in row.roles.split():
            assert answer.status == 200, (name, answer)
        else:
            assert error(answer, 403)["moduleCode"] == 250, name


@pytest.mark.parametrize(
    ("product", "row"), CELLS, ids=[f"{product} {row.method} {row.path}" for product, row in CELLS]
)
async def test_credentials_come_in_either_header(org: Org, product: str, row: Row) -> None:
    token = org.owner.authorization.removeprefix("Bearer ")

    assert (await sent(org, product, row, None, headers=[("csp-auth-token", token)])).status == 200
    wrong = await sent(org, product, row, ADMIN, headers=[("csp-auth-token", "almoner_nobody")])
    assert error(wrong, 401)["cspErrorCode"] == "250.401"
    missing = error(await sent(org, product, row, None), 401)
    assert (missing["cspErrorCode"], missing["message"]) == (
        "250.100",
        "Missing mandatory request header: authorization",
    )


# --- What may be given ------------------------------------------------------------------------------------------------

GIVEN: Final = ("org_owner", "org_admin", "developer", "org_member", "msp:provider_admin", "msp:provider_support_user")
MAY_GIVE: Final = {
    "owner": set(GIVEN),
    "administrator": set(GIVEN) - {"org_owner", "msp:provider_admin"},
    "developer": {"developer", "org_member"},
    "member": set(),
}


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("name", ROLES)
async def test_nobody_gives_more_than_they_have(org: Org, people: dict[str, Member], name: str, product: str) -> None:
    person = people[name]
    for role in GIVEN:
        status = 200 if role in MAY_GIVE[name] else 403
        app, client = await org.app(), await org.client("org_member")
        body = {"ids": [app], "organizationRoles": named(role)}
        added = await org.send("POST", "clients", body, product=product, by=person)
        change = {"organizationRoles": {"rolesToAdd": named(role)}}
        path = f"{BASES[product]}/clients/{client}/orgs/{org.id}/roles"
        changed = await org.rest.send("PATCH", path, json=change, by=person)

        assert (added.status, changed.status) == (status, status), role
        if status == 403:
            error(added, 403)
            assert (await org.send("GET", f"clients/{app}")).status == 404


async def test_a_developer_takes_over_no_app_that_may_do_more(org: Org, people: dict[str, Member]) -> None:
    app, developer = await org.client("org_admin"), people["developer"]

    for product in PRODUCTS:
        for method, below, body in (
            ("PUT", "/secret", {}),
            ("POST", "/secret", {"newClientSecret": SECRET, **NEW}),
            ("PATCH", "", {"secret": SECRET}),
        ):
            answer = await org.send(method, f"oauth-apps/{app}{below}", body, product=product, by=developer)
            error(answer, 403)
        fine = await org.send("PATCH", f"oauth-apps/{app}", {"description": "x"}, product=product, by=developer)
        assert fine.status == 200


async def test_a_developer_allows_an_app_no_role_that_it_has_and_they_have_not(
    org: Org, people: dict[str, Member]
) -> None:
    app = await org.client("org_admin", allowedScopes={})
    wider = {"allowedScopes": {"organizationScopes": {"roles": named("org_admin")}}}

    error(await org.send("PATCH", f"oauth-apps/{app}", wider, by=people["developer"]), 403)
    assert (await org.send("PATCH", f"oauth-apps/{app}", wider)).status == 200


# --- Other callers ----------------------------------------------------------------------------------------------------


async def test_an_app_calls_with_its_access_token(org: Org) -> None:
    app = await org.client("developer")
    token = (await org.token(app)).json()["access_token"]

    for headers in ([("Authorization", f"Bearer {token}")], [("csp-auth-token", token)]):
        made = await org.send("POST", "oauth-apps", CSP_REQUIRED, product="csp", headers=headers)
        assert made.status == 200, made
        shown = await org.send("GET", f"oauth-apps/{made.json()['clientId']}", product="csp", headers=headers)
        assert shown.status == 200
    error(
        await org.send(
            "POST", "clients", {"ids": [await org.app()], "organizationRoles": named("org_admin")}, headers=headers
        ),
        403,
    )


async def test_an_app_of_a_member_may_read_no_app(org: Org) -> None:
    app = await org.client("org_member")
    token = (await org.token(app)).json()["access_token"]

    error(await org.send("GET", "oauth-apps", by=f"Bearer {token}"), 403)


async def test_an_administrator_of_the_server_reaches_every_organization(org: Org) -> None:
    app = await org.app()

    for by in (ADMIN, ADMIN_BASIC):
        assert (await org.send("GET", f"oauth-apps/{app}", by=by)).status == 200
        answer = await org.rest.get(f"{CPN}/v1/orgs/{org.id}/org-roles", by=by)
        assert answer.status == 200


async def test_the_credentials_of_an_app_are_none_of_a_caller(org: Org) -> None:
    app = await org.client("org_owner")

    error(await org.send("GET", f"oauth-apps/{app}", by=basic(app, SECRET)), 401)
