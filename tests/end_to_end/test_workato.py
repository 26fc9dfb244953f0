# SPDX-License-Identifier: Apache-2.0
"""The life of a Workato profile: its connections, its customers, its pages."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import UNSET

from almoner.v1 import directory_pb2 as pb
from tests.rest import CONNECTIONS, CUSTOM_PROFILES, custom_body

if TYPE_CHECKING:
    from tests.rest import Answer, Member, Rest

API_CLIENT = 4
MEMBERS = [
    "id",
    "user_id",
    "name",
    "provider",
    "data",
    "shared_accounts_count",
    "oem_customers_count",
    "created_at",
    "updated_at",
]
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d")


@pytest.fixture
async def client(rest_over: Rest) -> Member:
    """An API client with a workspace of its own."""
    return await rest_over.member(await rest_over.tenant(), roles=(API_CLIENT,))


async def shown(rest: Rest, client: Member, number: int) -> Any:
    return (await rest.get(f"{CUSTOM_PROFILES}/{number}", by=client)).json()["result"]


async def connect(rest: Rest, client: Member, profile: int | None, **members: Any) -> Answer:
    body = {"name": "Connection", "provider": "hubspot", "custom_oauth_profile_id": profile, **members}
    return await rest.post(CONNECTIONS, body, by=client)


def assignment(customer: str, profile: int, verb: str) -> str:
    return f"/api/managed_users/{customer}/custom_oauth_profiles/{profile}/{verb}"


async def test_a_profile_is_made_read_replaced_and_deleted(rest_over: Rest, client: Member) -> None:
    created = await rest_over.post(CUSTOM_PROFILES, custom_body(), by=client)
    profile = created.json()["result"]
    path = f"{CUSTOM_PROFILES}/{profile['id']}"
    assert created.status == 200
    assert list(profile) == MEMBERS
    assert (profile["name"], profile["provider"], profile["data"]) == (
        "Custom profile",
        "hubspot",
        {"client_id": "client"},
    )
    assert (await rest_over.get(path, by=client)).json() == created.json()

    data = {"client_id": "other", "client_secret": "another", "token": "verification"}
    replaced = await rest_over.put(path, custom_body(name="Other", provider="slack", data=data), by=client)
    after = replaced.json()["result"]
    assert (after["id"], after["name"], after["provider"]) == (profile["id"], "Other", "slack")
    assert after["data"] == {"client_id": "other"}
    assert (await rest_over.get(path, by=client)).json() == replaced.json()

    deleted = await rest_over.delete(path, by=client)
    assert (deleted.status, deleted.json()) == (200, {"result": {"success": True}})
    gone = await rest_over.get(path, by=client)
    assert (gone.status, gone.json()) == (404, {"message": "Not found"})
    assert (await rest_over.delete(path, by=client)).status == 404


async def test_no_answer_holds_a_secret(rest_over: Rest, client: Member) -> None:
    data = {"client_id": "id", "client_secret": "s3cret-mark", "token": "t0ken-mark"}
    created = await rest_over.post(CUSTOM_PROFILES, custom_body(data=data), by=client)
    path = f"{CUSTOM_PROFILES}/{created.json()['result']['id']}"
    answers = [
        created,
        await rest_over.put(path, custom_body(data=data), by=client),
        await rest_over.get(path, by=client),
        await rest_over.get(CUSTOM_PROFILES, by=client),
    ]

    assert not [answer for answer in answers if b"mark" in answer.content]


async def test_times_are_rfc_3339_with_milliseconds_and_an_offset(rest_over: Rest, client: Member) -> None:
    profile = await shown(rest_over, client, await rest_over.custom_profile(by=client))

    for name in ("created_at", "updated_at"):
        assert MOMENT.fullmatch(profile[name])
        assert datetime.fromisoformat(profile[name]).utcoffset() is not None


async def test_ids_fit_the_vendors_client(rest_over: Rest, client: Member) -> None:
    profile = await shown(rest_over, client, await rest_over.custom_profile(by=client))

    assert 0 < profile["id"] < 2**31
    assert 0 < profile["user_id"] < 2**31
    assert profile["user_id"] == (await rest_over.get("/api/users/me", by=client)).json()["id"]


async def test_profiles_may_be_alike(rest_over: Rest, client: Member) -> None:
    numbers = [await rest_over.custom_profile(by=client) for _ in range(2)]

    listed = (await rest_over.get(CUSTOM_PROFILES, by=client)).json()["result"]
    assert [profile["id"] for profile in listed] == numbers


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", slice(0, 5)),
        ("?page=1", slice(0, 5)),
        ("?per_page=2", slice(0, 2)),
        ("?page=2&per_page=2", slice(2, 4)),
        ("?page=3&per_page=2", slice(4, 5)),
        ("?page=4&per_page=2", slice(5, 5)),
        ("?page=1&per_page=5", slice(0, 5)),
        ("?per_page=100", slice(0, 5)),
        ("?per_page=101", slice(0, 5)),
        ("?page=2&per_page=1000000", slice(5, 5)),
        ("?page=2147483647&per_page=100", slice(5, 5)),
        ("?page=9223372036854775807&per_page=9223372036854775807", slice(5, 5)),
        ("?unknown=1", slice(0, 5)),
    ],
)
async def test_pages_follow_each_other(rest_over: Rest, client: Member, query: str, expected: slice) -> None:
    numbers = [await rest_over.custom_profile(by=client) for _ in range(5)]

    answer = await rest_over.get(CUSTOM_PROFILES + query, by=client)

    assert answer.status == 200
    assert [profile["id"] for profile in answer.json()["result"]] == numbers[expected]


async def test_a_page_is_never_longer_than_a_hundred(rest_over: Rest, client: Member) -> None:
    numbers = [await rest_over.custom_profile(by=client) for _ in range(101)]

    async def page(query: str) -> list[int]:
        return [each["id"] for each in (await rest_over.get(CUSTOM_PROFILES + query, by=client)).json()["result"]]

    assert await page("") == await page("?per_page=101") == numbers[:100]
    assert await page("?page=2&per_page=101") == numbers[100:]


async def test_connections_are_counted_while_they_use_the_profile(rest_over: Rest, client: Member) -> None:
    number = await rest_over.custom_profile(by=client)
    other = await rest_over.custom_profile(by=client)
    connections = [(await connect(rest_over, client, number)).json() for _ in range(2)]

    async def counts() -> list[int]:
        return [(await shown(rest_over, client, each))["shared_accounts_count"] for each in (number, other)]

    assert await counts() == [2, 0]
    path = f"{CONNECTIONS}/{connections[0]['id']}"
    moved = await rest_over.put(path, {"custom_oauth_profile_id": other}, by=client)
    assert moved.json() == {
        **connections[0],
        "custom_oauth_profile_id": other,
        "updated_at": moved.json()["updated_at"],
    }
    assert await counts() == [1, 1]
    await rest_over.put(path, {"custom_oauth_profile_id": None}, by=client)
    assert await counts() == [1, 0]
    await rest_over.delete(f"{CONNECTIONS}/{connections[1]['id']}", by=client)
    assert await counts() == [0, 0]


async def test_a_connection_keeps_what_the_change_leaves_out(rest_over: Rest, client: Member) -> None:
    number = await rest_over.custom_profile(by=client)
    given = {"folder_id": 7, "parent_id": 8, "external_id": "x"}
    made = (await connect(rest_over, client, number, **given)).json()
    assert {name: made[name] for name in given} == given

    changed = await rest_over.put(f"{CONNECTIONS}/{made['id']}", {"name": "Other"}, by=client)

    assert changed.json() == {**made, "name": "Other", "updated_at": changed.json()["updated_at"]}
    assert (await rest_over.get(CONNECTIONS, by=client)).json() == [changed.json()]


async def test_the_credentials_of_a_connection_are_not_kept(rest_over: Rest, client: Member) -> None:
    made = await connect(rest_over, client, None, input={"api_key": "s3cret-mark"}, shell_connection=True)

    assert made.status == 200
    assert b"mark" not in made.content
    assert b"mark" not in (await rest_over.get(CONNECTIONS, by=client)).content


async def test_a_connection_is_bound_to_a_profile_that_is_there(rest_over: Rest, client: Member) -> None:
    answer = await connect(rest_over, client, 999_999)

    assert answer.status in {400, 404, 409, 422}
    assert "custom_oauth_profile_id" in answer.json()["errors"]
    assert (await rest_over.get(CONNECTIONS, by=client)).json() == []


async def test_a_profile_in_use_is_deleted_by_force_only(rest_over: Rest, client: Member) -> None:
    number = await rest_over.custom_profile(by=client)
    connection = (await connect(rest_over, client, number)).json()
    path = f"{CUSTOM_PROFILES}/{number}"

    for query in ("", "?force=false"):
        refused = await rest_over.delete(path + query, by=client)
        assert (refused.status, list(refused.json())) == (400, ["message"])
        assert (await rest_over.get(path, by=client)).status == 200
    forced = await rest_over.delete(f"{path}?force=true", by=client)

    assert (forced.status, forced.json()) == (200, {"result": {"success": True}})
    (left,) = (await rest_over.get(CONNECTIONS, by=client)).json()
    assert (left["id"], left["custom_oauth_profile_id"]) == (connection["id"], None)


async def test_customers_are_assigned_counted_and_unassigned(rest_over: Rest, client: Member) -> None:
    number = await rest_over.custom_profile(by=client)
    for customer in ("17", "EA2300", "Ea%2Fb%20%C3%BC"):
        answer = await rest_over.post(assignment(customer, number, "assign"), by=client)
        assert (answer.status, answer.json()) == (200, {"result": {"success": True}})
    again = await rest_over.post(assignment("17", number, "assign"), by=client)
    assert again.status == 200
    assert (await shown(rest_over, client, number))["oem_customers_count"] == 3
    assert (await rest_over.delete(f"{CUSTOM_PROFILES}/{number}", by=client)).status == 400

    for customer in ("17", "EA2300", "Ea%2Fb%20%C3%BC"):
        answer = await rest_over.delete(assignment(customer, number, "unassign"), by=client)
        assert (answer.status, answer.json()) == (200, {"result": {"success": True}})

    assert (await shown(rest_over, client, number))["oem_customers_count"] == 0
    assert (await rest_over.delete(assignment("17", number, "unassign"), by=client)).status == 404
    assert (await rest_over.delete(f"{CUSTOM_PROFILES}/{number}", by=client)).status == 200


async def test_a_customer_may_have_several_profiles(rest_over: Rest, client: Member) -> None:
    first, second = [await rest_over.custom_profile(by=client) for _ in range(2)]
    for number in (first, second):
        await rest_over.post(assignment("17", number, "assign"), by=client)

    await rest_over.delete(assignment("17", first, "unassign"), by=client)

    assert (await shown(rest_over, client, first))["oem_customers_count"] == 0
    assert (await shown(rest_over, client, second))["oem_customers_count"] == 1


async def test_a_profile_that_is_not_there_is_not_assigned(rest_over: Rest, client: Member) -> None:
    answer = await rest_over.post(assignment("17", 999_999, "assign"), by=client)

    assert (answer.status, answer.json()["message"]) == (404, "Not found")


@pytest.mark.parametrize(
    ("switch", "operation"),
    [
        (pb.PERMISSION_PROFILES_LIST, "GET ."),
        (pb.PERMISSION_PROFILES_CREATE, "POST ."),
        (pb.PERMISSION_PROFILES_GET, "GET /{id}"),
        (pb.PERMISSION_PROFILES_UPDATE, "PUT /{id}"),
        (pb.PERMISSION_PROFILES_DELETE, "DELETE /{id}"),
    ],
)
async def test_each_of_the_five_switches_is_for_one_route(
    rest_over: Rest, switch: pb.Permission.ValueType, operation: str
) -> None:
    tenant = await rest_over.tenant()
    owner = await rest_over.member(tenant, roles=(API_CLIENT,))
    number = await rest_over.custom_profile(by=owner)
    reach = pb.PERMISSION_PROFILES_ALL
    others = {
        pb.PERMISSION_PROFILES_LIST,
        pb.PERMISSION_PROFILES_CREATE,
        pb.PERMISSION_PROFILES_GET,
        pb.PERMISSION_PROFILES_UPDATE,
        pb.PERMISSION_PROFILES_DELETE,
    } - {switch}
    method, path = operation.format(id=number).split()

    async def perform(by: Member) -> Answer:
        body = custom_body() if method in {"POST", "PUT"} else UNSET
        return await rest_over.send(method, CUSTOM_PROFILES + path.lstrip("."), by=by, json=body)

    refused = await perform(await rest_over.member(tenant, reach, *sorted(others)))
    done = await perform(await rest_over.member(tenant, reach, switch))

    assert (refused.status, refused.json()) == (401, {"message": "Unauthorized"})
    assert done.status == 200


async def test_the_workspace_is_the_organization(rest_over: Rest) -> None:
    tenant = await rest_over.tenant()
    client = await rest_over.member(tenant, roles=(API_CLIENT,))

    workspace = (await rest_over.get("/api/users/me", by=client)).json()

    assert (workspace["id"], workspace["name"], workspace["company_name"]) == (
        tenant.number,
        client.username,
        tenant.name,
    )
    for name in ("created_at", "current_billing_period_start", "current_billing_period_end"):
        assert MOMENT.fullmatch(workspace[name])
    assert {"plan_id", "recipes_count", "active_recipes_count", "location", "email", "root_folder_id"} <= set(workspace)
