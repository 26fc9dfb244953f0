# SPDX-License-Identifier: Apache-2.0
"""Grant rules of the Venafi dialect, from the request to the database (contract section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.venafi import DONE, NO_APPLICATION, Venafi

if TYPE_CHECKING:
    from tests.rest import Rest
    from tests.venafi import Person

NO_RULE = {"Error": "The requested rule could not be found", "Result": 4, "Success": False}
NO_IDENTITY = "Invalid parameters were provided: there is no such identity"


@pytest.fixture
def venafi(rest_over: Rest) -> Venafi:
    return Venafi(rest_over)


@pytest.fixture
def here(rest: Rest) -> Venafi:
    """The same where backend and transport make no difference."""
    return Venafi(rest)


def pair(application: str, person: Person) -> dict[str, Any]:
    return {"ApplicationId": application, "TrusteePrefixedUniversal": person.identity}


async def rules_of(venafi: Venafi, application: str, **members: Any) -> Any:
    return (await venafi.done("GetRules", {"ApplicationId": application, **members}))["Rules"]


async def test_a_rule_is_created_changed_and_deleted(venafi: Venafi) -> None:
    application, person = await venafi.application(), await venafi.person()
    full = {
        **pair(application, person),
        "AccessValidity": 3600,
        "Description": "why",
        "GrantValidity": 7200,
        "MaximumScope": "certificate:discover,manage",
        "Renewable": False,
    }

    made = await venafi.send("CreateRule", full)
    assert made.json() == {"Result": 0, "Rule": full, "Success": True}
    assert made.etag == '"1"'
    assert await rules_of(venafi, application) == [full]

    change = {**pair(application, person), "MaximumScope": "SSH", "Name": "is ignored"}
    assert await venafi.done("UpdateRule", {"Rule": change}) == DONE
    assert await rules_of(venafi, application) == [{**pair(application, person), "MaximumScope": "ssh"}]

    assert await venafi.done("DeleteRule", pair(application, person)) == DONE
    assert await rules_of(venafi, application) == []


async def test_a_pair_has_one_rule(venafi: Venafi) -> None:
    application, person = await venafi.application(), await venafi.person()
    await venafi.rule(application, person)

    answer = await venafi.send("CreateRule", {**pair(application, person), "MaximumScope": "ssh"})

    assert (answer.status, answer.json()["Result"]) == (200, 6)


@pytest.mark.parametrize("form", ["local:{}", "{}"])
async def test_a_trustee_may_be_named(here: Venafi, form: str) -> None:
    application, person = await here.application(), await here.person()
    body = {
        "ApplicationId": application,
        "TrusteePrefixedUniversal": form.format(person.username),
        "MaximumScope": "ssh",
    }

    rule = (await here.done("CreateRule", body))["Rule"]

    assert rule["TrusteePrefixedUniversal"] == person.identity


async def test_a_rule_that_is_not_there_is_result_4_and_its_application_result_2(venafi: Venafi) -> None:
    application, person = await venafi.application(), await venafi.person()

    for name in ("UpdateRule", "DeleteRule"):
        for where, expected in ((application, NO_RULE), ("nowhere", NO_APPLICATION)):
            body = pair(where, person)
            answer = await venafi.send(name, {"Rule": body} if name == "UpdateRule" else body)
            assert (answer.status, answer.json()) == (200, expected)


async def test_a_trustee_who_is_nobody_is_result_6(venafi: Venafi) -> None:
    application = await venafi.application()
    for nobody in ("local:nobody", "AD+x:somebody", "local:{616c6d6f-6e65-8000-8000-0000ffffffff}"):
        body = {"ApplicationId": application, "TrusteePrefixedUniversal": nobody}
        for name, sent in {
            "CreateRule": {**body, "MaximumScope": "ssh"},
            "GetRules": body,
            "EnumerateRules": {"GranteePrefixedUniversal": nobody},
            "DeleteRules": body,
        }.items():
            answer = await venafi.send(name, sent)
            assert (answer.status, answer.json()) == (200, {"Error": NO_IDENTITY, "Result": 6, "Success": False})


async def test_rules_of_a_user_are_those_of_every_application(here: Venafi) -> None:
    one, other, person = await here.application(), await here.application(), await here.person()
    await here.rule(one, person)
    await here.rule(other, person)

    body = {"TrusteePrefixedUniversal": person.identity, "ResolveIdentities": True}
    found = await here.done("GetRules", body)

    assert {rule["ApplicationId"] for rule in found["Rules"]} == {"almoner", one, other}
    assert [entry["PrefixedName"] for entry in found["IdentityEntries"]] == [f"local:{person.username}"]


@pytest.fixture
async def chosen(here: Venafi) -> tuple[str, list[Person]]:
    """An application with three rules."""
    application = await here.application()
    people = [await here.person() for _ in range(3)]
    await here.rule(application, people[0], MaximumScope="ssh", Renewable=True, GrantValidity=20, AccessValidity=1)
    await here.rule(application, people[1], MaximumScope="ssh:manage;agent", Renewable=False, AccessValidity=3)
    await here.rule(application, people[2], MaximumScope="agent", GrantValidity=10, AccessValidity=2)
    return application, people


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [0, 1, 2]),
        ({"Renewable": True}, [0]),
        ({"Renewable": False}, [1]),
        ({"NoExpire": True}, [1]),
        ({"NoExpire": False}, [0, 2]),
        ({"MaximumScope": "ssh"}, [0, 1]),
        ({"MaximumScope": "agent;ssh:manage"}, [1]),
        ({"MaximumScope": "certificate"}, []),
        ({"MaximumScope": ""}, [0, 1, 2]),
    ],
)
@pytest.mark.parametrize("name", ["GetRules", "EnumerateRules"])
async def test_rules_are_chosen(
    here: Venafi, chosen: tuple[str, list[Person]], name: str, query: dict[str, Any], expected: list[int]
) -> None:
    application, people = chosen

    found = (await here.done(name, {"ApplicationId": application, **query}))["Rules"]

    assert [rule["TrusteePrefixedUniversal"] for rule in found] == [people[index].identity for index in expected]


async def test_rules_of_several_users_are_chosen(here: Venafi, chosen: tuple[str, list[Person]]) -> None:
    application, people = chosen
    body = {"TrusteePrefixedUniversals": [people[2].identity, f"local:{people[0].username}"]}

    found = await rules_of(here, application, **body)

    assert [rule["TrusteePrefixedUniversal"] for rule in found] == [people[0].identity, people[2].identity]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"OrderBy": 3}, [0, 2, 1]),
        ({"OrderBy": 3, "Descending": True}, [1, 2, 0]),
        ({"OrderBy": 4}, [1, 2, 0]),
        ({"Start": 0, "Count": 2}, [0, 1]),
        ({"Start": 1, "Count": 2}, [2]),
        ({"Start": 1, "Count": 1, "MaximumScope": "ssh"}, [1]),
        ({"Start": 2, "Count": 2}, []),
    ],
)
async def test_rules_are_listed_by_pages(
    here: Venafi, chosen: tuple[str, list[Person]], query: dict[str, Any], expected: list[int]
) -> None:
    application, people = chosen

    found = (await here.done("EnumerateRules", {"ApplicationID": application, **query}))["Rules"]

    assert [rule["TrusteePrefixedUniversal"] for rule in found] == [people[index].identity for index in expected]


async def test_all_rules_of_an_application_or_a_user_are_deleted(venafi: Venafi) -> None:
    one, other = await venafi.application(), await venafi.application()
    people = [await venafi.person() for _ in range(2)]
    for application in (one, other):
        for person in people:
            await venafi.rule(application, person)

    assert await venafi.done("DeleteRules", {"ApplicationId": one}) == DONE
    assert await rules_of(venafi, one) == []
    assert await venafi.done("DeleteRules", pair(other, people[0])) == DONE
    assert len(await rules_of(venafi, other)) == 1
    assert await venafi.done("DeleteRules", {"TrusteePrefixedUniversal": people[1].identity}) == DONE
    assert await rules_of(venafi, other) == []
    assert await venafi.done("DeleteRules", {"ApplicationId": one}) == DONE


@pytest.mark.parametrize("name", ["UpdateRule", "DeleteRule"])
async def test_a_change_can_demand_the_state_that_was_read(venafi: Venafi, name: str) -> None:
    application, person = await venafi.application(), await venafi.person()
    await venafi.rule(application, person)
    body = pair(application, person)
    sent = {"Rule": body} if name == "UpdateRule" else body

    stale = await venafi.send(name, sent, headers=[("If-Match", '"0"')])
    fresh = await venafi.send(name, sent, headers=[("If-Match", '"1"')])

    assert (stale.status, fresh.json()) == (412, DONE)
