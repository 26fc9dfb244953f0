# SPDX-License-Identifier: Apache-2.0
"""OAuth applications of the Venafi dialect, from the request to the database (contract section 2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from almoner.v1 import application_pb2, application_service_pb2, application_service_pb2_grpc
from tests.venafi import DONE, NO_APPLICATION, Venafi, application_body

if TYPE_CHECKING:
    from tests.rest import Rest

FULL = {
    "AccessValidity": 31536000,
    "Description": "A useful description",
    "GrantValidity": 7776000,
    "MaximumScope": "admin:grantrights,viewlogs;configuration;security",
    "Name": "Application 3 Name",
    "Renewable": True,
    "Scope": "admin:grantrights,viewlogs;configuration;security",
    "Url": "https://www.sample-url.net",
    "Vendor": "Sample, Inc.",
}


@pytest.fixture
def venafi(rest_over: Rest) -> Venafi:
    return Venafi(rest_over)


@pytest.fixture
def here(rest: Rest) -> Venafi:
    """The same where backend and transport make no difference."""
    return Venafi(rest)


async def read(venafi: Venafi, application_id: str) -> Any:
    return (await venafi.done("GetApplication", {"ApplicationId": application_id}))["Application"]


async def test_an_application_is_created_as_it_was_asked_for(venafi: Venafi) -> None:
    application_id = f"created-{id(venafi)}"
    body = {"ApplicationId": application_id, **FULL}

    made = await venafi.send("CreateApplication", body)

    assert made.json() == {"Application": {"ID": application_id, **FULL}, **DONE}
    assert list(made.json()["Application"]) == sorted({"ID": "", **FULL})
    assert made.etag == '"1"'
    assert await read(venafi, application_id) == {"ID": application_id, **FULL}


async def test_what_was_not_said_of_an_application_is_left_out(here: Venafi) -> None:
    application_id = await here.application(Vendor="", Url="", Description="")

    assert await read(here, application_id) == {
        "ID": application_id,
        "MaximumScope": "certificate:manage;security",
        "Name": f"Name of {application_id}",
        "Scope": "certificate",
    }


async def test_the_vendors_sample_says_max_scope(here: Venafi) -> None:
    body = application_body("NewApplicationID", Scope="certificate", MaxScope="admin", Url="help.sample-url.com")
    del body["MaximumScope"]

    application = (await here.done("CreateApplication", body))["Application"]

    assert (application["Scope"], application["MaximumScope"]) == ("certificate", "admin")
    assert application["Url"] == "help.sample-url.com"


async def test_a_created_application_is_a_public_client_that_may_get_tokens_in_every_way(here: Venafi) -> None:
    application_id = await here.application()

    stub = application_service_pb2_grpc.ApplicationServiceStub(here.rest.almoner.channel)
    request = application_service_pb2.GetApplicationRequest(id=application_id)
    client = (await stub.GetApplication(request, metadata=here.rest.almoner.as_admin_token)).application.client

    assert client.secret_count == 0
    assert set(client.grant_types) == set(application_pb2.GrantType.values()) - {0}


async def test_an_id_is_taken_once(venafi: Venafi) -> None:
    application_id = await venafi.application()

    answer = await venafi.send("CreateApplication", application_body(application_id))

    assert (answer.status, answer.json()["Result"], answer.json()["Success"]) == (200, 6, False)
    assert "ApplicationId: is taken" in answer.json()["Error"]


async def test_an_update_replaces_all(venafi: Venafi) -> None:
    application_id = await venafi.application()

    answer = await venafi.send("UpdateApplication", {"Application": {"ID": application_id, **FULL}})

    assert answer.json() == DONE
    assert answer.etag == '"2"'
    assert await read(venafi, application_id) == {"ID": application_id, **FULL}


async def test_what_an_update_does_not_set_gets_its_default(venafi: Venafi) -> None:
    application_id = await venafi.application(AccessValidity=60, GrantValidity=600, Renewable=False)

    await venafi.done("UpdateApplication", {"Application": {"ID": application_id, "Scope": "ssh"}})

    assert await read(venafi, application_id) == {"ID": application_id, "Name": application_id, "Scope": "ssh"}


async def test_what_was_read_can_be_written_back(here: Venafi) -> None:
    application_id = await here.application(AccessValidity=60)
    before = await read(here, application_id)

    counts = {"GrantCount": "0", "UserCount": 0, "UnusedExpiration": None}
    await here.done("UpdateApplication", {"Application": {**before, **counts}})

    assert await read(here, application_id) == before


async def test_an_update_leaves_what_venafi_does_not_know(here: Venafi) -> None:
    application_id = await here.application()
    stub = application_service_pb2_grpc.ApplicationServiceStub(here.rest.almoner.channel)
    as_admin = here.rest.almoner.as_admin_token
    client = application_pb2.ClientApplication(
        redirect_uris=["https://app.example/back"], grant_types=[application_pb2.GRANT_TYPE_PASSWORD]
    )
    application = application_pb2.Application(id=application_id, client=client)
    await stub.UpdateApplication(
        application_service_pb2.UpdateApplicationRequest(application=application), metadata=as_admin
    )

    await here.done("UpdateApplication", {"Application": {"ID": application_id}})

    request = application_service_pb2.GetApplicationRequest(id=application_id)
    kept = (await stub.GetApplication(request, metadata=as_admin)).application.client
    assert list(kept.redirect_uris) == ["https://app.example/back"]
    assert list(kept.grant_types) == [application_pb2.GRANT_TYPE_PASSWORD]


async def test_members_and_paths_are_found_in_any_case(venafi: Venafi) -> None:
    application_id = await venafi.application()

    for path in ("/vedsdk/oauth/getapplication", "/VEDSDK//OAUTH/GetApplication", "//vedsdk/OAuth/GETAPPLICATION"):
        for member in ("ApplicationId", "ApplicationID", "applicationid", "APPLICATIONID"):
            answer = await venafi.rest.post(path, {member: application_id})
            assert answer.json()["Application"]["ID"] == application_id


async def test_null_is_as_good_as_absent_and_unknown_members_are_ignored(here: Venafi) -> None:
    application_id = await here.application()
    change = {"ID": application_id, "NAME": "n", "Vendor": None, "Renewable": None, "Unknown": {"ID": 1}}

    await here.done("UpdateApplication", {"Application": change, "More": None})

    assert await read(here, application_id) == {"ID": application_id, "Name": "n"}


async def test_an_application_that_is_not_there_is_result_2(venafi: Venafi) -> None:
    for name, body in {
        "GetApplication": {"ApplicationId": "nowhere"},
        "UpdateApplication": {"Application": {"ID": "nowhere"}},
        "DeleteApplication": {"ApplicationId": "nowhere"},
    }.items():
        answer = await venafi.send(name, body)
        assert (answer.status, answer.json()) == (200, NO_APPLICATION)


async def test_an_id_is_case_sensitive(here: Venafi) -> None:
    application_id = await here.application()

    answer = await here.send("GetApplication", {"ApplicationId": application_id.upper()})

    assert answer.json() == NO_APPLICATION


async def test_a_deleted_application_is_gone_with_its_rules_and_grants(venafi: Venafi) -> None:
    application_id, person = await venafi.application(), await venafi.person()
    await venafi.rule(application_id, person)
    token = await venafi.token(person.id, "security", application=application_id)

    assert await venafi.done("DeleteApplication", {"ApplicationId": application_id}) == DONE

    assert (await venafi.send("GetApplication", {"ApplicationId": application_id})).json() == NO_APPLICATION
    rules = await venafi.done("GetRules", {"TrusteePrefixedUniversal": person.identity})
    assert application_id not in {rule["ApplicationId"] for rule in rules["Rules"]}
    verified = await venafi.rest.get("/vedauth/authorize/verify", by=f"Bearer {token}")
    assert verified.status == 401


async def test_a_registration_at_a_provider_is_no_application(here: Venafi) -> None:
    stub = application_service_pb2_grpc.ApplicationServiceStub(here.rest.almoner.channel)
    provider = application_pb2.ProviderRegistration(provider="hubspot", client_id="c")
    registration = application_pb2.Application(id="at-hubspot", name="At HubSpot", provider=provider)
    as_admin = here.rest.almoner.as_admin_token
    request = application_service_pb2.CreateApplicationRequest(application=registration)
    await stub.CreateApplication(request, metadata=as_admin)

    for name, body in {
        "GetApplication": {"ApplicationId": "at-hubspot"},
        "UpdateApplication": {"Application": {"ID": "at-hubspot"}},
        "DeleteApplication": {"ApplicationId": "at-hubspot"},
    }.items():
        assert (await here.send(name, body)).json() == NO_APPLICATION
    listed = (await here.done("EnumerateApplications", {"Count": 1000}))["Applications"]
    assert "at-hubspot" not in {application["ID"] for application in listed}
    await stub.GetApplication(application_service_pb2.GetApplicationRequest(id="at-hubspot"), metadata=as_admin)


# --- Several ----------------------------------------------------------------------------------------------------------


async def test_several_applications_are_read_in_the_order_of_their_ids(venafi: Venafi) -> None:
    one, other = await venafi.application(), await venafi.application()
    body = {"ApplicationIds": [other, "nowhere", one, other, 'quo"ted', "*"]}

    found = (await venafi.done("GetApplications", body))["Applications"]

    assert [application["ID"] for application in found] == [other, one]


async def test_several_can_be_many(here: Venafi) -> None:
    one = await here.application()

    found = await here.done("GetApplications", {"ApplicationIds": [*(f"{'x' * 100}-{n}" for n in range(100)), one]})

    assert [application["ID"] for application in found["Applications"]] == [one]


async def test_several_may_be_none(here: Venafi) -> None:
    assert (await here.done("GetApplications", {"ApplicationIds": []}))["Applications"] == []


async def test_several_are_narrowed_by_a_part_of_id_or_name(here: Venafi) -> None:
    one, other = await here.application(Name="Some Gateway"), await here.application()
    body = {"ApplicationIds": [one, other], "Filter": "gateWAY"}

    found = (await here.done("GetApplications", body))["Applications"]

    assert [application["ID"] for application in found] == [one]


@pytest.fixture
async def listed(here: Venafi) -> list[str]:
    """Three applications that an owner of theirs sees alone."""
    return [
        await here.application(Name="b", Vendor="x", AccessValidity=30),
        await here.application(Name="c", Vendor="z", AccessValidity=20),
        await here.application(Name="a", Vendor="y", AccessValidity=10),
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [0, 1, 2]),
        ({"OrderBy": 0, "Descending": True}, [0, 1, 2]),
        ({"OrderBy": 1}, [2, 0, 1]),
        ({"OrderBy": 1, "Descending": True}, [1, 0, 2]),
        ({"OrderBy": 2}, [0, 2, 1]),
        ({"OrderBy": 3}, [2, 1, 0]),
        ({"OrderBy": 3, "Descending": True}, [0, 1, 2]),
        ({"Start": 0, "Count": 2, "OrderBy": 1}, [2, 0]),
        ({"Start": 1, "Count": 2, "OrderBy": 1}, [1]),
        ({"Start": 2, "Count": 2, "OrderBy": 1}, []),
        ({"Start": 2**31 - 1, "Count": 2**31 - 1}, []),
    ],
)
async def test_applications_are_listed_by_pages(
    here: Venafi, listed: list[str], body: dict[str, Any], expected: list[int]
) -> None:
    owner = await here.person()
    for application_id in listed:
        await here.granted(owner, 3, application_id)

    found = (await here.done("EnumerateApplications", body, by=owner))["Applications"]

    assert [application["ID"] for application in found] == [listed[index] for index in expected]


# --- Conditions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["UpdateApplication", "DeleteApplication"])
async def test_a_change_can_demand_the_state_that_was_read(venafi: Venafi, name: str) -> None:
    application_id = await venafi.application()
    etag = (await venafi.send("GetApplication", {"ApplicationId": application_id})).etag
    await venafi.done("UpdateApplication", {"Application": {"ID": application_id, "Name": "theirs"}})
    body = {"Application": {"ID": application_id}} if name == "UpdateApplication" else {"ApplicationId": application_id}

    stale = await venafi.send(name, body, headers=[("If-Match", etag)])
    fresh = await venafi.send(name, body, headers=[("If-Match", '"2"')])

    assert (stale.status, stale.json()["error"]) == (412, "precondition_failed")
    assert fresh.json() == DONE


async def test_of_two_who_change_the_same_state_one_is_told(venafi: Venafi) -> None:
    application_id = await venafi.application()
    body = {"Application": {"ID": application_id, "Name": "changed"}}

    answers = await asyncio.gather(
        *(venafi.send("UpdateApplication", body, headers=[("If-Match", '"1"')]) for _ in range(5))
    )

    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412, 412]
