# SPDX-License-Identifier: Apache-2.0
"""Bodies whose JSON is good and whose members are not: each is refused by the name of the member."""

from __future__ import annotations

import re
from copy import deepcopy
from itertools import product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from tests.rest import APPLICATIONS, CONNECTIONS, CUSTOM_PROFILES, PROFILES

if TYPE_CHECKING:
    from tests.bad_input.conftest import World

TENANTS, ROLES, USERS = "/api/admin/tenants", "/api/admin/roles", "/api/admin/users"


class Target(NamedTuple):
    """A route with a body that it takes. `<name>` stands for the id of what has the name."""

    method: str
    path: str
    body: dict[str, Any]


PROFILE: Final = {
    "name": "Name_1",
    "oauthAppId": "<application>",
    "description": "text",
    "accessToken": "a",
    "refreshToken": "r",
}
APPLICATION: Final = {
    "name": "Name",
    "dataStore": 54,
    "tenantId": 1,
    "description": "text",
    "clientId": "c",
    "clientSecret": "s",
    "authorizeURI": "https://a.example",
    "tokenURI": "https://t.example",
    "scope": "x",
}
USER: Final = {
    "userName": "somebody",
    "tenantId": "<tenant>",
    "statusInfo": {"status": 1, "accountLocked": False},
    "passwordInfo": {"password": "p", "passwordStatus": 1, "passwordExpiration": "2100-01-01T00:00:00Z"},
    "permissions": {"roles": [2], "permissions": [5]},
}
ROLE: Final = {"name": "Role", "tenantId": 1, "description": "text", "permissions": [5], "users": []}
TENANT: Final = {"name": "Tenant", "description": "text", "parentTenant": 1, "status": 1, "importedRoles": [2]}
TENANT_CHANGE: Final = {name: value for name, value in TENANT.items() if name != "importedRoles"}
CUSTOM: Final = {
    "name": "Name",
    "provider": "hubspot",
    "data": {"client_id": "c", "client_secret": "s", "token": "t"},
}
CONNECTION: Final = {
    "name": "Name",
    "provider": "hubspot",
    "folder_id": 1,
    "parent_id": 2,
    "external_id": "x",
    "shell_connection": False,
    "input": {},
    "custom_oauth_profile_id": "<custom>",
}
TARGETS: Final = {
    "create profile": Target("POST", PROFILES, PROFILE),
    "replace profile": Target("PUT", f"{PROFILES}/<profile>", PROFILE),
    "create application": Target("POST", APPLICATIONS, APPLICATION),
    "replace application": Target("PUT", f"{APPLICATIONS}/<application>", APPLICATION),
    "create user": Target("POST", USERS, USER),
    "change user": Target("PUT", f"{USERS}/<user>", USER),
    "create role": Target("POST", ROLES, ROLE),
    "change role": Target("PUT", f"{ROLES}/<role>", ROLE),
    "create tenant": Target("POST", TENANTS, TENANT),
    "change tenant": Target("PUT", f"{TENANTS}/<tenant>", TENANT_CHANGE),
    "create custom profile": Target("POST", CUSTOM_PROFILES, CUSTOM),
    "replace custom profile": Target("PUT", f"{CUSTOM_PROFILES}/<custom>", CUSTOM),
    "create connection": Target("POST", CONNECTIONS, CONNECTION),
    "change connection": Target("PUT", f"{CONNECTIONS}/<connection>", CONNECTION),
}

MISSING: Final = object()
NO_TEXT: Final = [17, 1.5, True, [], {}]
NO_LINE: Final = [*NO_TEXT, "a\x00b", "a\nb", "a\x7fb", "tail\n"]
NO_NUMBER: Final = ["17", 17.5, True, [], {}, 2**63, -(2**63) - 1, 10**40]
NO_ID: Final = [*NO_NUMBER, 0, -1]
NO_FLAG: Final = [0, 1, "true", [], {}]
NO_LIST: Final = ["5", 5, {}, [[]], [None], ["5"], [5.5]]


def members(targets: str, member: str, *groups: list[Any]) -> list[tuple[str, str, Any]]:
    """Returns rows of every target with every bad value of the member."""
    return list(product(targets.split(", "), [member], [value for group in groups for value in group]))


NOT_NULL: Final = [MISSING, None]
ROWS: Final = [
    *members("create profile, replace profile", "name", NOT_NULL, NO_LINE, ["", "a b", "naïve", "a-b", "a" * 256]),
    *members("create profile, replace profile", "oauthAppId", NOT_NULL, NO_ID),
    *members("create profile, replace profile", "refreshToken", NOT_NULL, NO_LINE, ["", "r" * 16_385]),
    *members("create profile, replace profile", "accessToken", NO_LINE, ["a" * 16_385]),
    *members("create profile, replace profile", "description", NO_TEXT, ["a\x00b", "d" * 4_097]),
    *members("create application, replace application", "name", NOT_NULL, NO_LINE, ["", "a" * 256]),
    *members("create application, replace application", "dataStore", NOT_NULL, NO_ID, [2, 55]),
    *members("create application, replace application", "clientId", NOT_NULL, NO_LINE, ["", "c" * 1_025]),
    *members("create application, replace application", "clientSecret", NOT_NULL, NO_LINE, ["", "s" * 4_097]),
    *members("create application, replace application", "tenantId", NO_ID),
    *members("create application, replace application", "authorizeURI", NO_LINE, ["no uri", "ftp://a", "https://" + "a" * 2_041]),
    *members("create application, replace application", "tokenURI", NO_LINE, ["javascript:1", "https://a b"]),
    *members("create application, replace application", "scope", NO_LINE, ["s" * 4_097]),
    *members("create user, change user", "userName", NOT_NULL, NO_LINE, ["", "a:b", "u" * 129]),
    *members("create user", "passwordInfo", NOT_NULL, ["p", [], 1]),
    *members("create user", "passwordInfo.password", NOT_NULL, NO_LINE, ["", "p" * 1_025]),
    *members("change user", "passwordInfo.password", [None], NO_LINE, ["", "p" * 1_025]),
    *members("create user, change user", "passwordInfo.passwordStatus", NO_NUMBER),
    *members("create user, change user", "passwordInfo.passwordExpiration", NO_TEXT, ["", "tomorrow", "2100-01-01", "2100-13-01T00:00:00Z", "2100-01-01T00:00:00"]),
    *members("create user, change user", "statusInfo.status", NO_NUMBER, [2, -1]),
    *members("create user, change user", "statusInfo.accountLocked", NO_FLAG),
    *members("create user, change user", "permissions.roles", NO_LIST, [[0], [-1], [1] * 65]),
    *members("create user, change user", "permissions.permissions", NO_LIST, [[0], [22], [99], [5] * 65]),
    *members("create role, change role", "name", NOT_NULL, NO_LINE, ["", "a" * 256]),
    *members("create role, change role", "permissions", NO_LIST, [[0], [23], [1234]]),
    *members("create role, change role", "users", NO_LIST, [[0], [1] * 10_001]),
    *members("create tenant, change tenant", "name", NOT_NULL, NO_LINE, ["", "a" * 256]),
    *members("create tenant, change tenant", "status", NO_NUMBER, [2, -1]),
    *members("create tenant, change tenant", "parentTenant", NO_NUMBER, [0, 2]),
    *members("create tenant", "importedRoles", NO_LIST, [[0], [1] * 65]),
    *members("create custom profile, replace custom profile", "name", NOT_NULL, NO_LINE, ["", "a" * 256]),
    *members("create custom profile, replace custom profile", "provider", NOT_NULL, NO_LINE, ["", "p" * 256]),
    *members("create custom profile, replace custom profile", "data", NOT_NULL, ["d", [], 1]),
    *members("create custom profile, replace custom profile", "data.client_id", NOT_NULL, NO_LINE, ["", "c" * 1_025]),
    *members("create custom profile, replace custom profile", "data.client_secret", NOT_NULL, NO_LINE, ["", "s" * 4_097]),
    *members("create custom profile, replace custom profile", "data.token", NO_LINE, ["t" * 16_385]),
    *members("create connection", "name", [MISSING]),
    *members("create connection, change connection", "name", [None], NO_LINE, ["", "a" * 256]),
    *members("create connection", "provider", NOT_NULL, NO_LINE, ["", "p" * 256]),
    *members("create connection, change connection", "folder_id", NO_NUMBER, [2**31]),
    *members("create connection, change connection", "external_id", NO_LINE, ["", "x" * 256]),
    *members("create connection, change connection", "shell_connection", NO_FLAG),
    *members("create connection, change connection", "input", [[], "x", 1]),
    *members("create connection, change connection", "custom_oauth_profile_id", NO_ID),
]  # fmt: skip


def named(world: World, value: Any) -> Any:
    """Returns a body with `<name>` replaced by the id of that name."""
    if isinstance(value, dict):
        return {name: named(world, member) for name, member in value.items()}
    if isinstance(value, str) and (found := re.fullmatch("<([a-z]+)>", value)):
        return world.ids[found[1]]
    return value


def spoiled(body: dict[str, Any], member: str, value: Any) -> dict[str, Any]:
    """Returns a body with one member, named by its path, changed or left out."""
    body = deepcopy(body)
    *outer, last = member.split(".")
    inner = body
    for name in outer:
        inner = inner[name]
    if value is MISSING:
        del inner[last]
    else:
        inner[last] = value
    return body


def names_member(path: str, answer: Any, member: str) -> bool:
    """Whether an answer says which member is at fault, which may be an element of it."""
    if path.startswith(("/api/mgmt", "/api/admin")):
        text: str = answer.json()["error"]["message"]["value"]
        return text.startswith((f"Invalid JSON Input: {member}: ", f"Invalid JSON Input: {member}["))
    return any(name == member or name.startswith(f"{member}[") for name in answer.json()["errors"])


def name_of(row: tuple[str, str, Any]) -> str:
    target, member, value = row
    shown = "missing" if value is MISSING else repr(value)
    return f"{target}: {member} {shown if len(shown) < 30 else f'{shown[:20]}({len(shown)})'}".encode(
        "unicode_escape"
    ).decode()


@pytest.mark.parametrize(
    ("target", "rows"),
    [
        pytest.param(target, [row for row in ROWS if row[:2] == (target, member)], id=f"{target}: {member}")
        for target, member in dict.fromkeys(row[:2] for row in ROWS)
    ],
)
@pytest.mark.usefixtures("unchanged")
async def test_a_bad_member_is_refused_by_its_name(world: World, target: str, rows: list[tuple[str, str, Any]]) -> None:
    method, path, body = TARGETS[target]
    for _, member, value in rows:
        sent = named(world, spoiled(body, member, value))

        answer = await world.rest.send(method, world.fill(path), json=sent)

        assert answer.status == 400, (name_of((target, member, value)), answer.content)
        assert names_member(path, answer, member), (name_of((target, member, value)), answer.content)


def test_the_table_is_long() -> None:
    assert len(ROWS) > 700


@pytest.mark.parametrize("target", TARGETS)
async def test_what_the_rows_spoil_is_good(world: World, target: str) -> None:
    method, path, body = TARGETS[target]
    unique = {name: f"{target} {world.ids['user']}" for name in ("userName", "external_id") if name in body}

    answer = await world.rest.send(method, world.fill(path), json=named(world, {**body, **unique}))

    assert answer.status in {200, 201}, answer.content


CONFLICTS: Final = [
    ("create profile", "oauthAppId", 999_999, 404, "Invalid OAuthApplicationId: 999999"),
    ("replace profile", "oauthAppId", 2**63 - 1, 404, f"Invalid OAuthApplicationId: {2**63 - 1}"),
    ("create profile", "oauthAppId", "<elsewhere>", 404, "Invalid OAuthApplicationId"),
    ("create application", "tenantId", 999_999, 404, "There is no Tenant with that id: 999999"),
    ("replace application", "tenantId", "<tenant>", 409, "tenantId"),
    ("create user", "userName", "admin", 409, "userName"),
    ("change user", "userName", "admin", 409, "userName"),
    ("create user", "tenantId", 999_999, 404, "There is no Tenant with that id: 999999"),
    ("change user", "tenantId", 1, 409, "tenantId"),
    ("create user", "permissions.roles", [999_999], 404, "There is no Role with that id: 999999"),
    ("change user", "permissions.roles", [2, 999_999], 404, "There is no Role with that id: 999999"),
    ("create role", "users", [999_999], 404, "There is no User with that id: 999999"),
    ("change role", "tenantId", "<tenant>", 409, "tenantId"),
    ("create tenant", "importedRoles", [999_999], 404, "There is no Role with that id: 999999"),
]


@pytest.mark.parametrize("row", CONFLICTS, ids=[f"{row[0]}: {row[1]} {row[2]}" for row in CONFLICTS])
@pytest.mark.usefixtures("unchanged")
async def test_a_reference_to_nothing_and_a_taken_name_are_told(
    world: World, row: tuple[str, str, Any, int, str]
) -> None:
    target, member, value, status, text = row
    method, path, body = TARGETS[target]

    answer = await world.rest.send(method, world.fill(path), json=named(world, spoiled(body, member, value)))

    assert answer.status == status, answer.content
    assert text in answer.text


async def test_an_external_id_is_one_connections_of_a_profile(world: World) -> None:
    body = named(world, {**CONNECTION, "external_id": "taken"})
    assert (await world.rest.post(CONNECTIONS, body)).status == 200
    before = await world.rows()

    for answer in (
        await world.rest.post(CONNECTIONS, body),
        await world.rest.put(world.fill(f"{CONNECTIONS}/<connection>"), body),
    ):
        assert (answer.status, list(answer.json()["errors"])) == (409, ["external_id"])
    assert await world.rows() == before


@pytest.mark.parametrize("target", ["create connection", "change connection"])
@pytest.mark.usefixtures("unchanged")
async def test_a_connection_of_no_profile_is_told_by_its_member(world: World, target: str) -> None:
    method, path, body = TARGETS[target]

    answer = await world.rest.send(method, world.fill(path), json={**body, "custom_oauth_profile_id": 999_999})

    assert 400 <= answer.status < 500
    assert "custom_oauth_profile_id" in answer.json()["errors"]
