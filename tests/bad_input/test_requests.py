# SPDX-License-Identifier: Apache-2.0
"""Paths, query strings and headers that are not good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from msgspec import UNSET

from tests.rest import APPLICATIONS, CONNECTIONS, CUSTOM_PROFILES, PROFILES, custom_body, profile_body

if TYPE_CHECKING:
    from tests.bad_input.conftest import World

NO_IDS: Final = [
    "0",
    "-1",
    "abc",
    "1.0",
    "1e1",
    "+1",
    "0x1",
    "%201",
    "1%00",
    "%00",
    "%0A",
    "%EF%BC%91",
    "1;x=2",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999999999",
    "1" * 4000,
    "null",
    "%F0%9F%92%A9",
    "'%20OR%201=1--",
    # Percent-encoding that is broken, or of what is no UTF-8.
    "%",
    "%zz",
    "%ff",
    "1%c3",
]
ROUTES: Final[dict[str, tuple[tuple[str, Any], ...]]] = {
    PROFILES: (("GET", UNSET), ("PUT", profile_body(1)), ("DELETE", UNSET)),
    APPLICATIONS: (("GET", UNSET), ("DELETE", UNSET)),
    "/api/admin/permissions": (("GET", UNSET),),
    "/api/admin/users": (("GET", UNSET), ("DELETE", UNSET)),
    "/api/admin/roles": (("GET", UNSET), ("DELETE", UNSET)),
    "/api/admin/tenants": (("GET", UNSET), ("DELETE", UNSET)),
    CUSTOM_PROFILES: (("GET", UNSET), ("PUT", custom_body()), ("DELETE", UNSET)),
    CONNECTIONS: (("PUT", {"name": "x"}), ("DELETE", UNSET)),
}


@pytest.mark.parametrize("collection", ROUTES)
@pytest.mark.usefixtures("unchanged")
async def test_an_id_that_names_nothing_is_not_found(world: World, collection: str) -> None:
    for number in NO_IDS:
        for method, body in ROUTES[collection]:
            answer = await world.rest.send(method, f"{collection}/{number}", json=body)

            assert answer.status == 404, (method, number, answer.content)
            assert len(answer.content) < 500
            if collection == PROFILES:
                assert answer.text.startswith("Invalid OAuthProfileId: ")


class Row(NamedTuple):
    """A request and what refuses it."""

    method: str
    path: str
    status: int
    member: str


LONG = "x" * 256
OF_PAGES = ["0", "-1", "abc", "1.5", "1e2", "", "+1", "%201", "9223372036854775808", "-9223372036854775809", "%EF%BC%91", "1&{}=2", "null", "%00"]  # fmt: skip
QUERIES: Final = [
    *(Row("GET", f"{CUSTOM_PROFILES}?{name}={value.format(name)}", 400, name if "&" not in value else "") for name in ("page", "per_page") for value in OF_PAGES),
    *(Row("DELETE", f"{CUSTOM_PROFILES}/<custom>?force={value}", 400, "force") for value in ("", "maybe", "2", "%00", "true%20")),
    *(Row("GET", f"{PROFILES}?user={value}", 400, "user") for value in ("", "a:b", "%00", "a%0Ab", "x" * 129)),
    *(Row("GET", f"{PROFILES}?user={value}", 403, "") for value in ("nobody", "%20admin", "ADMIN", "%zz", "%F0%9F%92%A9")),
    Row("GET", f"{PROFILES}?user=admin&user=admin", 400, ""),
    Row("DELETE", f"{PROFILES}/<profile>?user=nobody", 403, ""),
    Row("DELETE", f"{PROFILES}/<profile>?user=<username>", 404, ""),
    *(Row("GET", f"{APPLICATIONS}?tenantId={value}", 400, "tenantId") for value in ("0", "-1", "abc", "", "1.0", "9223372036854775808")),
    *(Row("GET", f"{APPLICATIONS}?tenantName={value}", 400, "tenantName") for value in ("", LONG, "%00", "a%0Ab")),
    Row("GET", f"{APPLICATIONS}?tenantId=999999", 404, ""),
    Row("GET", f'{APPLICATIONS}?tenantName="%20OR%20number%20>%200', 404, ""),
    Row("GET", f"{APPLICATIONS}?tenantName=%5C%22%5C", 404, ""),
    *(Row("POST", f"/api/managed_users/{value}/custom_oauth_profiles/<custom>/assign", 404, "") for value in (LONG, "a%00", "%0A", "")),
    *(Row(method, f"/api/managed_users/1/custom_oauth_profiles/{value}/{verb}", 404, "") for method, verb in (("POST", "assign"), ("DELETE", "unassign")) for value in ("0", "abc", "999999", "9223372036854775808")),
    Row("DELETE", "/api/managed_users/never/custom_oauth_profiles/<custom>/unassign", 404, ""),
    Row("DELETE", f"{CUSTOM_PROFILES}/<custom>", 400, ""),
    *(Row("GET", path, 404, "") for path in ("/%", "/%zz", "/%ff", "/api/mgmt/%2e%2e", "/api/mgmt/..%2fadmin/users", "//api//mgmt", "/api/mgmt/oauthprofiles%2f1", "/" + "a/" * 2000)),
]  # fmt: skip


@pytest.mark.parametrize("row", QUERIES, ids=[f"{row.method} {row.path[:70]}" for row in QUERIES])
@pytest.mark.usefixtures("unchanged")
async def test_a_parameter_that_is_not_good_is_refused_by_its_name(world: World, row: Row) -> None:
    answer = await world.rest.send(row.method, world.fill(row.path))

    assert answer.status == row.status, answer.content
    if row.member and row.path.startswith("/api/mgmt"):
        assert f"{row.member}: " in answer.text
    elif row.member:
        assert list(answer.json()["errors"]) == [row.member]


TAGS: Final = [
    ('"0"', 412),
    ("nonsense", 412),
    ('W/"1"', 412),
    ('"1', 412),
    (",,,", 412),
    ('"' + "x" * 900 + '"', 412),
    ('"' + "x" * 2000 + '"', 400),
    ("é", 400),
    ('"\x80"', 400),
    ("", 400),
    ("   ", 400),
]


@pytest.mark.parametrize(("if_match", "status"), TAGS)
@pytest.mark.parametrize(
    ("path", "body"), [(f"{PROFILES}/<profile>", profile_body(1)), (f"{CUSTOM_PROFILES}/<custom>", custom_body())]
)
@pytest.mark.usefixtures("unchanged")
async def test_an_if_match_that_is_not_the_etag_changes_nothing(
    world: World, path: str, body: Any, if_match: str, status: int
) -> None:
    for method, json in (("PUT", {**body, "name": "Changed"}), ("DELETE", UNSET)):
        answer = await world.rest.send(method, world.fill(path), json=json, headers=[("If-Match", if_match)])

        assert answer.status == status, answer.content
        if status == 400:
            assert b"If-Match" in answer.content


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic =", "Basic YWRtaW4=", "Basic \x80", "Basic Ojo6", "Bearer", "Bearer \t", "Negotiate x"],
)
@pytest.mark.usefixtures("unchanged")
async def test_credentials_that_cannot_be_read_are_nobodys(world: World, authorization: str) -> None:
    for path in (f"{PROFILES}/<profile>", f"{CUSTOM_PROFILES}/<custom>"):
        answer = await world.rest.delete(world.fill(path), by=authorization)

        assert answer.status == 401
