# SPDX-License-Identifier: Apache-2.0
"""One profile through two dialects."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from msgspec import UNSET

from tests.rest import APPLICATIONS, CONNECTIONS, CUSTOM_PROFILES, PROFILES, custom_body, profile_body

if TYPE_CHECKING:
    from tests.rest import Member, Rest

USER_ROLE = 2


class World(NamedTuple):
    """A user of both dialects, and a profile stored through HDP."""

    ann: Member
    application: int
    profile: int


@pytest.fixture
async def world(rest_over: Rest) -> World:
    tenant = await rest_over.tenant()
    ann = await rest_over.member(tenant, roles=(USER_ROLE,))
    application = await rest_over.application(tenant, dataStore=1, clientId="salesforce client")
    return World(ann, application, await rest_over.profile(application, by=ann, name="From_HDP", accessToken="a"))


async def test_workato_shows_the_provider_and_client_id_of_the_application(rest_over: Rest, world: World) -> None:
    profile = (await rest_over.get(f"{CUSTOM_PROFILES}/{world.profile}", by=world.ann)).json()["result"]

    assert (profile["id"], profile["name"], profile["provider"], profile["data"]) == (
        world.profile,
        "From_HDP",
        "salesforce",
        {"client_id": "salesforce client"},
    )
    assert (await rest_over.get(CUSTOM_PROFILES, by=world.ann)).json()["result"] == [profile]


async def test_a_changed_application_shows_at_once(rest_over: Rest, world: World) -> None:
    body = {"name": "A", "dataStore": 62, "clientId": "bigquery client", "clientSecret": "s"}
    await rest_over.put(f"{APPLICATIONS}/{world.application}", body)

    profile = (await rest_over.get(f"{CUSTOM_PROFILES}/{world.profile}", by=world.ann)).json()["result"]

    assert (profile["provider"], profile["data"]) == ("google_bigquery", {"client_id": "bigquery client"})


async def test_the_etag_is_one_in_both(rest_over: Rest, world: World) -> None:
    hdp = await rest_over.get(f"{PROFILES}/{world.profile}", by=world.ann)
    workato = await rest_over.get(f"{CUSTOM_PROFILES}/{world.profile}", by=world.ann)

    assert hdp.etag == workato.etag


async def test_connections_may_use_it_and_hdp_deletes_it_nevertheless(rest_over: Rest, world: World) -> None:
    body = {"name": "C", "provider": "salesforce", "custom_oauth_profile_id": world.profile}
    await rest_over.post(CONNECTIONS, body, by=world.ann)
    assert (await rest_over.delete(f"{CUSTOM_PROFILES}/{world.profile}", by=world.ann)).status == 400

    assert (await rest_over.delete(f"{PROFILES}/{world.profile}", by=world.ann)).status == 204

    (connection,) = (await rest_over.get(CONNECTIONS, by=world.ann)).json()
    assert connection["custom_oauth_profile_id"] is None


async def test_hdp_cannot_express_a_profile_with_a_client_of_its_own(rest_over: Rest, world: World) -> None:
    number = await rest_over.custom_profile(by=world.ann)

    for suffix in ("", "/stats"):
        answer = await rest_over.get(f"{PROFILES}/{number}{suffix}", by=world.ann)
        assert (answer.status, answer.code) == (404, 222207710)
    listed = (await rest_over.get(PROFILES, by=world.ann)).json()["profiles"]
    assert [each["id"] for each in listed] == [str(world.profile)]


async def test_replacing_it_through_workato_gives_it_a_client_of_its_own(rest_over: Rest, world: World) -> None:
    answer = await rest_over.put(f"{CUSTOM_PROFILES}/{world.profile}", custom_body(), by=world.ann)

    assert answer.json()["result"]["data"] == {"client_id": "client"}
    for method, body in (("GET", UNSET), ("PUT", profile_body(world.application)), ("DELETE", UNSET)):
        hdp = await rest_over.send(method, f"{PROFILES}/{world.profile}", by=world.ann, json=body)
        assert (hdp.status, hdp.code) == (404, 222207710)
    assert (await rest_over.get(f"{CUSTOM_PROFILES}/{world.profile}", by=world.ann)).json() == answer.json()


async def test_deleting_the_application_deletes_it_in_both(rest_over: Rest, world: World) -> None:
    await rest_over.delete(f"{APPLICATIONS}/{world.application}")

    assert (await rest_over.get(f"{CUSTOM_PROFILES}/{world.profile}", by=world.ann)).status == 404
