# SPDX-License-Identifier: Apache-2.0
"""What belongs to one organization does not exist for another's administrator, on any route."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from msgspec import UNSET

from almoner.v1 import directory_pb2 as pb
from gateway.dialects.hdp import HDP
from gateway.dialects.venafi.identities import prefixed_universal
from gateway.dialects.workato import WORKATO
from tests.rest import CONNECTIONS, custom_body, profile_body
from tests.venafi import Venafi, application_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.routing import Dialect, Route
    from tests.rest import Member, Rest

USER_ROLE = 2
# HDP's permissions are nobody's.
EVERYBODYS = {"/api/admin/permissions/{id}"}
# Of Venafi's paths none names a resource: see below.
DIALECTS = (HDP, WORKATO)
WITH_ID = [
    (dialect, route)
    for dialect in DIALECTS
    for route in dialect.routes
    if route.path_parameters is not None and route.path not in EVERYBODYS
]
LISTS = [(dialect, route) for dialect in DIALECTS for route in dialect.routes if route.path_parameters is None]


class World(NamedTuple):
    """Everything that one organization can have, by the reason that denies it; and a stranger's administrator."""

    ids: dict[str, int]
    owner: Member
    stranger: Member


@pytest.fixture(scope="module")
async def world(rest_over: Rest) -> World:
    tenant = await rest_over.tenant()
    application = await rest_over.application(tenant)
    owner = await rest_over.member(tenant, pb.PERMISSION_ADMINISTRATOR, roles=(USER_ROLE,))
    profile = await rest_over.profile(application, by=owner)
    body = {"name": "C", "provider": "hubspot", "custom_oauth_profile_id": profile}
    connection = (await rest_over.post(CONNECTIONS, body, by=owner)).json()["id"]
    await rest_over.post(f"/api/managed_users/1/custom_oauth_profiles/{profile}/assign", by=owner)
    role = (await rest_over.post("/api/admin/roles", {"name": "R", "permissions": [5]}, by=owner)).json()["id"]
    ids = {
        "PROFILE_NOT_FOUND": profile,
        "APPLICATION_NOT_FOUND": application,
        "PROFILE_LINK_NOT_FOUND": connection,
        "USER_NOT_FOUND": owner.id,
        "ROLE_NOT_FOUND": role,
        "ORGANIZATION_NOT_FOUND": tenant.number,
    }
    return World(ids, owner, await rest_over.member(await rest_over.tenant(), pb.PERMISSION_ADMINISTRATOR))


def body_of(route: Route, world: World) -> Any:
    return {
        "/api/mgmt/oauthprofiles/{id}": profile_body(world.ids["APPLICATION_NOT_FOUND"]),
        "/api/mgmt/oauthapps/{id}": {"name": "A", "dataStore": 54, "clientId": "c", "clientSecret": "s"},
        "/api/admin/users/{id}": {"userName": "mine now", "passwordInfo": {"password": "mine"}},
        "/api/admin/roles/{id}": {"name": "R", "permissions": [12]},
        "/api/admin/tenants/{id}": {"name": "T"},
        "/api/custom_oauth_profiles/{id}": custom_body(),
        "/api/connections/{id}": {"name": "mine now"},
    }[route.path]


async def everything(rest: Rest, world: World) -> list[Any]:
    """Returns what the owner sees of what they have."""
    paths = ["/api/mgmt/oauthprofiles", "/api/mgmt/oauthapps", "/api/admin/users", "/api/admin/roles", CONNECTIONS]
    return [(await rest.get(path, by=world.owner)).json() for path in paths]


@pytest.mark.parametrize(("dialect", "route"), WITH_ID, ids=[f"{route.method} {route.path}" for _, route in WITH_ID])
async def test_an_id_of_another_organization_is_that_of_nothing(
    rest_over: Rest, world: World, dialect: Dialect, route: Route
) -> None:
    before = await everything(rest_over, world)
    json = UNSET if route.body is None else body_of(route, world)

    async def perform(number: int) -> tuple[int, bytes]:
        path = route.path.replace("{id}", str(number)).replace("{managed_user_id}", "1")
        answer = await rest_over.send(route.method, path, by=world.stranger, json=json)
        return answer.status, re.sub(rb"\b%d\b" % number, b"", answer.content)

    status, content = await perform(world.ids[route.resource])

    assert status == 404
    assert (status, content) == await perform(999_999_999)
    assert await everything(rest_over, world) == before


@pytest.mark.parametrize("path", [route.path for _, route in LISTS if route.method == "GET"])
async def test_no_list_shows_anything_of_another_organization(rest_over: Rest, world: World, path: str) -> None:
    theirs = (await rest_over.get(path, by=world.owner)).json()
    answer = await rest_over.get(path, by=world.stranger)

    assert answer.status == 200
    mine = answer.json()
    for name in ("profiles", "applications", "users", "roles", "tenants", "result"):
        if isinstance(mine, dict) and isinstance(mine.get(name), list):
            seen = {str(each["id"]) for each in mine[name]}
            owned = {str(each["id"]) for each in theirs[name] if each.get("tenantId", 0) != 1}
            assert owned
            assert not seen & owned
            return
    assert path in {"/api/mgmt/permissions", "/api/admin/permissions", "/api/users/me", CONNECTIONS}
    if path == CONNECTIONS:
        assert (len(theirs), mine) == (1, [])


def _pair(application: str, user: int) -> dict[str, str]:
    return {"ApplicationId": application, "TrusteePrefixedUniversal": prefixed_universal(user)}


VENAFI_CALLS: dict[str, Callable[[str, int], Any]] = {
    "GetApplication": lambda name, _: {"ApplicationId": name},
    "UpdateApplication": lambda name, _: {"Application": {"ID": name, "Name": "mine now"}},
    "DeleteApplication": lambda name, _: {"ApplicationId": name},
    "CreateRule": lambda name, user: {**_pair(name, user), "MaximumScope": "ssh"},
    "UpdateRule": lambda name, user: {"Rule": {**_pair(name, user), "MaximumScope": "ssh"}},
    "GetRules": lambda name, _: {"ApplicationId": name},
    "EnumerateRules": lambda name, _: {"ApplicationId": name, "Count": 10},
    "DeleteRule": _pair,
    "DeleteRules": lambda name, _: {"ApplicationId": name},
    "EnumerateGrants": lambda name, _: {"ApplicationId": name, "Count": 10},
    "GrantCount": lambda name, _: {"ApplicationId": name},
    "UserCount": lambda name, _: {"ApplicationId": name},
    "RevokeGrants": lambda name, _: {"ApplicationId": name},
    "GrantRole": lambda name, user: {
        "ApplicationId": name,
        "GranteePrefixedUniversal": prefixed_universal(user),
        "Role": 3,
    },
}


@pytest.mark.parametrize("name", VENAFI_CALLS)
async def test_a_client_application_of_another_organization_is_none(rest_over: Rest, world: World, name: str) -> None:
    venafi, application = Venafi(rest_over), f"client {world.owner.id}".replace(" ", "-")
    await venafi.send("CreateApplication", application_body(application), by=world.owner)
    before = await venafi.done("GetApplication", {"ApplicationId": application}, by=world.owner)
    body = VENAFI_CALLS[name]

    answers = [
        await venafi.send(name, body(of, world.stranger.id), by=world.stranger)
        for of in (application, "nobody-has-this-id")
    ]

    assert {(answer.status, answer.json()["Result"]) for answer in answers} == {(200, 2)}
    assert await venafi.done("GetApplication", {"ApplicationId": application}, by=world.owner) == before


async def test_no_client_application_of_another_organization_is_listed(rest_over: Rest, world: World) -> None:
    venafi = Venafi(rest_over)
    listed = await venafi.done("EnumerateApplications", {"Start": 0, "Count": 10}, by=world.stranger)
    named = await venafi.done("GetApplications", {"ApplicationIds": ["almoner"]}, by=world.stranger)
    assert (listed["Applications"], named["Applications"]) == ([], [])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/admin/users", {"userName": "x", "passwordInfo": {"password": "x"}}),
        ("/api/admin/roles", {"name": "x"}),
        ("/api/mgmt/oauthapps", {"name": "x", "dataStore": 54, "clientId": "c", "clientSecret": "s"}),
    ],
)
async def test_nothing_is_made_in_another_organization(
    rest_over: Rest, world: World, path: str, body: dict[str, Any]
) -> None:
    before = await everything(rest_over, world)

    answer = await rest_over.post(path, {**body, "tenantId": world.ids["ORGANIZATION_NOT_FOUND"]}, by=world.stranger)

    assert answer.status == 404
    assert await everything(rest_over, world) == before


async def test_a_connection_is_not_bound_to_another_organizations_profile(rest_over: Rest, world: World) -> None:
    mine = (await rest_over.post(CONNECTIONS, {"name": "C", "provider": "p"}, by=world.stranger)).json()["id"]
    theirs = world.ids["PROFILE_NOT_FOUND"]

    made = await rest_over.post(
        CONNECTIONS, {"name": "C", "provider": "p", "custom_oauth_profile_id": theirs}, by=world.stranger
    )
    bound = await rest_over.put(f"{CONNECTIONS}/{mine}", {"custom_oauth_profile_id": theirs}, by=world.stranger)

    assert made.status == bound.status
    assert 400 <= made.status < 500
    assert "custom_oauth_profile_id" in made.json()["errors"]


async def test_roles_and_users_of_another_organization_are_not_bound(rest_over: Rest, world: World) -> None:
    user = {"userName": "x", "passwordInfo": {"password": "x"}, "permissions": {"roles": [world.ids["ROLE_NOT_FOUND"]]}}
    answers = [
        await rest_over.post("/api/admin/users", user, by=world.stranger),
        await rest_over.post("/api/admin/roles", {"name": "x", "users": [world.owner.id]}, by=world.stranger),
    ]

    assert [answer.status for answer in answers] == [404, 404]
