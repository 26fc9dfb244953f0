# SPDX-License-Identifier: Apache-2.0
"""Venafi's roles: the documented answer to every call of every role, and giving and taking roles (contract section 1)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.dialects.venafi.roles import ADMIN, AUDITOR, GRANT_ADMIN, MAINTAINER, MIXED, NO_ROLE, OWNER
from tests.venafi import DONE, NO_APPLICATION, Person, Venafi, application_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.rest import Answer, Rest

Body = dict[str, Any]

ROLES = (NO_ROLE, AUDITOR, MAINTAINER, OWNER, MIXED, GRANT_ADMIN, ADMIN)
NAMES = ("User", "Auditor", "Maintainer", "Owner", "Mixed", "Grant Admin", "Admin")

_NUMBERS = itertools.count(1)


class Place(NamedTuple):
    """Where a call is made: an application, and somebody whom the call is about."""

    application: str
    somebody: Person

    @property
    def of_application(self) -> Body:
        return {"ApplicationId": self.application}

    @property
    def rule(self) -> Body:
        return {**self.of_application, "TrusteePrefixedUniversal": self.somebody.identity}

    @property
    def grant(self) -> Body:
        return {**self.of_application, "GranteePrefixedUniversal": self.somebody.identity}

    def role(self, role: int) -> Body:
        return {**self.grant, "Role": role}


class Row(NamedTuple):
    """A call, and what each role is answered, in the order of ROLES.

    `+`: Result 0. `2`: Result 2, the application does not exist for them. `-`: 401 insufficient_rights. `given` is what
    an administrator sends before, whatever comes of it.
    """

    name: str
    body: Callable[[Place], Body]
    own: str
    foreign: str
    given: tuple[str, Callable[[Place], Body]] | None = None


def nothing(_: Place) -> Body:
    return {}


def mapping(place: Place) -> Body:
    return {
        "GranteePrefixedUniversal": place.somebody.identity,
        "IdField": "sub",
        "IdMatch": "*",
        "IssuerUri": "https://issuer.example",
        "Name": place.application,
        "PurposeField": "aud",
        "PurposeMatch": "almoner",
    }


def named(place: Place) -> Body:
    return {"Name": place.application}


def new_rule(place: Place) -> Body:
    return {**place.rule, "MaximumScope": "ssh"}


A_RULE = ("CreateRule", new_rule)
A_MAPPING = ("CreateJwtMapping", mapping)

TABLE = (
    #                                                                User, Auditor, Maintainer, Owner, Mixed, Grant Admin, Admin
    Row("CreateApplication", lambda _: application_body(f"new-{next(_NUMBERS)}"), "------+", "------+"),
    Row("GetApplication", lambda place: place.of_application, "-++++++", "-+222++"),
    Row("GetApplications", lambda place: {"ApplicationIds": [place.application]}, "-++++++", "-++++++"),
    Row("EnumerateApplications", lambda _: {"Start": 0, "Count": 10}, "-++++++", "-++++++"),
    Row("UpdateApplication", lambda place: {"Application": {"ID": place.application}}, "--+++-+", "--222-+"),
    Row("CreateRule", new_rule, "---++-+", "---22-+", ("DeleteRule", lambda place: place.rule)),
    Row("UpdateRule", lambda place: {"Rule": new_rule(place)}, "---++-+", "---22-+", A_RULE),
    Row("GetRules", lambda place: place.of_application, "-+-++++", "-+-22++", A_RULE),
    Row("GetRules", lambda place: place.rule, "-+-++++", "-+-22++", A_RULE),
    Row("EnumerateRules", lambda place: place.of_application, "-+-++++", "-+-22++", A_RULE),
    Row("DeleteRule", lambda place: place.rule, "---++-+", "---22-+", A_RULE),
    Row("DeleteRules", lambda place: place.of_application, "---++-+", "---22-+", A_RULE),
    Row("GetGrants", lambda place: place.grant, "-+-++++", "-+-22++"),
    Row("EnumerateGrants", lambda place: place.of_application, "-+-++++", "-+-22++"),
    Row("RevokeGrants", lambda place: place.of_application, "---++++", "---22++"),
    Row("GrantCount", lambda place: place.of_application, "-+-++++", "-+-22++"),
    Row("UserCount", lambda place: place.of_application, "-+-++++", "-+-22++"),
    Row("TotalCount", nothing, "+++++++", "+++++++"),
    Row("GetScopes", nothing, "+++++++", "+++++++"),
    Row("GrantRole", lambda place: place.role(MAINTAINER), "--+++-+", "--222-+"),
    Row("GrantRole", lambda place: place.role(OWNER), "---++-+", "--222-+"),
    Row("GrantRole", lambda place: place.role(AUDITOR), "------+", "------+"),
    Row("GrantRole", lambda place: place.role(ADMIN), "------+", "------+"),
    Row(
        "RevokeRole",
        lambda place: place.role(MAINTAINER),
        "--+++-+",
        "--222-+",
        ("GrantRole", lambda place: place.role(MAINTAINER)),
    ),
    Row(
        "RevokeRole",
        lambda place: place.role(OWNER),
        "---++-+",
        "--222-+",
        ("GrantRole", lambda place: place.role(OWNER)),
    ),
    Row(
        "RevokeRole",
        lambda place: place.role(ADMIN),
        "------+",
        "------+",
        ("GrantRole", lambda place: place.role(ADMIN)),
    ),
    Row("ListRoles", nothing, "-+-++-+", "-+-++-+"),
    Row("GetRole", nothing, "+++++++", "+++++++"),
    Row("GetConfiguration", nothing, "+++++++", "+++++++"),
    Row("SetConfiguration", lambda _: {"Configuration": {}}, "------+", "------+"),
    Row("CreateJwtMapping", mapping, "------+", "------+", ("DeleteJwtMapping", named)),
    Row("GetJwtMapping", named, "-+----+", "-+----+", A_MAPPING),
    Row("GetJwtMappings", nothing, "-+----+", "-+----+"),
    Row("EnumerateJwtMappings", nothing, "-+----+", "-+----+"),
    Row("UpdateJwtMapping", lambda place: {"JwtMapping": mapping(place)}, "------+", "------+", A_MAPPING),
    Row("DeleteJwtMapping", named, "------+", "------+", A_MAPPING),
    # Last, because nothing can be done with the application after it.
    Row("DeleteApplication", lambda place: place.of_application, "---++-+", "---22-+"),
)


def outcome(answer: Answer) -> str:
    """Returns an answer as the table has it."""
    body = answer.json()
    if answer.status == 401:
        assert body["error"] == "insufficient_rights"
        return "-"
    assert answer.status == 200, answer
    if body["Result"] == 0:
        assert body["Success"] is True
        return "+"
    assert body == NO_APPLICATION
    return "2"


@pytest.fixture
def venafi(rest: Rest) -> Venafi:
    return Venafi(rest)


@pytest.mark.parametrize("index", range(len(ROLES)), ids=NAMES)
async def test_every_role_is_answered_every_call_as_documented(venafi: Venafi, index: int) -> None:
    own = Place(await venafi.application(), await venafi.person())
    foreign = Place(await venafi.application(), await venafi.person())
    caller = await venafi.in_role(ROLES[index], own.application)
    wrong = []
    for row in TABLE:
        # Their own last: an owner who has deleted it owns nothing any more.
        for place, expected in ((foreign, row.foreign[index]), (own, row.own[index])):
            if row.given:
                await venafi.send(row.given[0], row.given[1](place))
            answer = await venafi.send(row.name, row.body(place), by=caller)
            if outcome(answer) != expected:
                wrong.append((row.name, row.body(place), expected, answer.content))

    assert wrong == []


def test_the_table_has_every_call() -> None:
    from gateway.dialects.venafi import VENAFI  # noqa: PLC0415

    paths = {route.path.rpartition("/")[2] for route in VENAFI.routes if route.path.startswith("/vedsdk/OAuth/")}

    assert {row.name for row in TABLE} == paths
    assert all(len(row.own) == len(row.foreign) == len(ROLES) for row in TABLE)


@pytest.mark.parametrize(("index", "code"), list(enumerate(ROLES)), ids=NAMES)
async def test_everybody_is_told_their_role(venafi: Venafi, index: int, code: int) -> None:
    own = await venafi.application()
    caller = await venafi.in_role(code, own)

    role = (await venafi.done("GetRole", by=caller))["Role"]

    assert role["Role"] == code
    if code in {AUDITOR, GRANT_ADMIN, ADMIN}:
        assert role == {"Role": code}
    elif index:
        assert own in role["PermittedApplications"]
        expected = {"ApplicationId": own, "Role": MAINTAINER if code == MAINTAINER else OWNER}
        assert expected in role["OwnedApplications"]


async def test_an_owner_of_one_application_is_no_owner_of_one_that_they_maintain(venafi: Venafi) -> None:
    owned, maintained, somebody = await venafi.application(), await venafi.application(), await venafi.person()
    mixed = await venafi.granted(await venafi.in_role(OWNER, owned), MAINTAINER, maintained)
    place = Place(maintained, somebody)
    await venafi.rule(maintained, somebody)

    answers = {
        name: outcome(await venafi.send(name, body, by=mixed))
        for name, body in {
            "GetApplication": place.of_application,
            "UpdateApplication": {"Application": {"ID": maintained}},
            "DeleteApplication": place.of_application,
            "CreateRule": new_rule(place),
            "DeleteRules": place.of_application,
            "RevokeGrants": place.of_application,
        }.items()
    }
    rules = (await venafi.done("GetRules", place.of_application, by=mixed))["Rules"]

    assert answers == {
        "GetApplication": "+",
        "UpdateApplication": "+",
        "DeleteApplication": "-",
        "CreateRule": "-",
        "DeleteRules": "-",
        "RevokeGrants": "-",
    }
    assert rules == []


# --- Giving and taking roles ------------------------------------------------------------------------------------------


async def test_a_role_is_given_listed_and_taken(rest_over: Rest) -> None:
    venafi = Venafi(rest_over)
    application, person = await venafi.application(), await venafi.person()
    assignment = {"ApplicationId": application, "GranteePrefixedUniversal": person.identity, "Role": OWNER}
    listing = {"GranteePrefixedUniversal": person.identity}

    assert await venafi.done("GrantRole", assignment) == DONE
    assert await venafi.done("GrantRole", assignment) == DONE
    expected = [{"ApplicationId": application, "Grantee": person.identity, "Role": OWNER}]
    assert (await venafi.done("ListRoles", listing))["Roles"] == expected
    assert (await venafi.done("GetApplication", {"ApplicationId": application}, by=person))["Result"] == 0
    assert await venafi.done("RevokeRole", assignment) == DONE
    assert (await venafi.done("ListRoles", listing))["Roles"] == []
    assert (await venafi.send("GetApplication", {"ApplicationId": application}, by=person)).status == 401


async def test_a_global_role_is_given_and_taken_without_an_application(rest_over: Rest) -> None:
    venafi = Venafi(rest_over)
    person = await venafi.person()
    assignment = {"GranteePrefixedUniversal": f"local:{person.username}", "Role": GRANT_ADMIN}

    assert await venafi.done("GrantRole", assignment) == DONE
    assert (await venafi.done("GetRole", by=person))["Role"] == {"Role": GRANT_ADMIN}
    listed = (await venafi.done("ListRoles", {"GranteePrefixedUniversal": person.identity}))["Roles"]
    assert listed == [{"Grantee": person.identity, "Role": GRANT_ADMIN}]
    assert await venafi.done("RevokeRole", assignment) == DONE
    assert (await venafi.done("GetRole", by=person))["Role"]["Role"] == NO_ROLE


async def test_a_role_that_is_not_there_is_not_taken(venafi: Venafi) -> None:
    application, person = await venafi.application(), await venafi.person()
    assignment = {"ApplicationId": application, "GranteePrefixedUniversal": person.identity, "Role": OWNER}

    answer = await venafi.send("RevokeRole", assignment)

    assert answer.json() == {"Error": "The role is not granted", "Result": 1, "Success": False}


@pytest.mark.parametrize("name", ["GrantRole", "RevokeRole"])
@pytest.mark.parametrize("role", [MAINTAINER, OWNER])
async def test_a_role_of_an_application_takes_its_name(venafi: Venafi, name: str, role: int) -> None:
    person = await venafi.person()

    answer = await venafi.send(name, {"GranteePrefixedUniversal": person.identity, "Role": role})

    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")
    assert answer.json()["error_description"] == "ApplicationId: is required"


async def test_owners_make_owners_and_maintainers_do_not(venafi: Venafi) -> None:
    application, person = await venafi.application(), await venafi.person()
    maintainer = await venafi.in_role(MAINTAINER, application)
    assignment = {"ApplicationId": application, "GranteePrefixedUniversal": person.identity, "Role": OWNER}

    answer = await venafi.send("GrantRole", assignment, by=maintainer)

    assert (answer.status, answer.json()["error"]) == (401, "insufficient_rights")


async def test_owners_see_the_roles_of_their_applications_only(venafi: Venafi) -> None:
    own, foreign = await venafi.application(), await venafi.application()
    owner = await venafi.in_role(OWNER, own)
    await venafi.in_role(OWNER, foreign)

    roles = (await venafi.done("ListRoles", by=owner))["Roles"]

    assert {role["ApplicationId"] for role in roles} == {own}
