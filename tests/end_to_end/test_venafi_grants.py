# SPDX-License-Identifier: Apache-2.0
"""Grants of the Venafi dialect, from the request to the database (contract section 4)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from gateway.dialects.venafi.roles import OWNER
from tests.venafi import DONE, NO_APPLICATION, Venafi

if TYPE_CHECKING:
    from tests.rest import Rest
    from tests.venafi import Person

DAY = 86_400


@pytest.fixture
def venafi(rest_over: Rest) -> Venafi:
    return Venafi(rest_over)


@pytest.fixture
def here(rest: Rest) -> Venafi:
    """The same where backend and transport make no difference."""
    return Venafi(rest)


async def granted(venafi: Venafi, application: str, *people: Person) -> None:
    """Gives people a grant of an application."""
    for person in people:
        await venafi.rule(application, person)
        await venafi.token(person.id, "security", "certificate", "certificate:manage", application=application)


async def is_good(venafi: Venafi, token: str) -> bool:
    return (await venafi.rest.get("/vedauth/authorize/verify", by=f"Bearer {token}")).status == 200


async def test_a_grant_is_shown_as_documented(venafi: Venafi) -> None:
    application, person = await venafi.application(GrantValidity=30 * DAY), await venafi.person()
    before = int(time.time())
    await granted(venafi, application, person)

    body = {"GranteePrefixedUniversal": person.identity, "ApplicationId": application, "ResolveIdentities": True}
    reply = await venafi.done("GetGrants", body)

    (grant,) = reply["Grants"]
    issued = grant["GrantIssuedOnUnixTime"]
    assert before <= issued <= time.time() + 1
    milliseconds = int(grant["GrantIssuedOn"].removeprefix("/Date(").removesuffix(")/"))
    assert round(milliseconds / 1000) in {issued, issued - 1}
    assert time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(milliseconds // 1000)) == grant["GrantIssuedOnISO8601"]
    assert grant["ExpiresUnixTime"] == issued + 30 * DAY
    assert grant["AccessIssuedOnUnixTime"] == issued
    for name in ("AccessIssuedOn", "AccessIssuedOnISO8601", "Expires", "ExpiresISO8601"):
        assert isinstance(grant[name], str)
    assert grant["Application"] == application
    assert grant["Scope"] == "certificate:manage;security"
    assert grant["ValidFor"] == 30 * DAY
    assert grant["GranteePrefixedUniversal"] == grant["GrantedToPrefixedUniversal"] == person.identity
    universal = person.identity.removeprefix("local:")
    assert reply["IdentityEntries"] == [
        {
            "FullName": rf"\VED\Identity\{person.username}",
            "Name": person.username,
            "Prefix": "local",
            "PrefixedName": f"local:{person.username}",
            "PrefixedUniversal": person.identity,
            "Type": 1,
            "Universal": universal,
        }
    ]


async def test_grants_are_listed_by_pages(venafi: Venafi) -> None:
    application = await venafi.application()
    people = [await venafi.person() for _ in range(3)]
    await granted(venafi, application, *people)

    pages = [
        (await venafi.done("EnumerateGrants", {"ApplicationId": application, "Start": start, "Count": 2}))["Grants"]
        for start in range(3)
    ]

    found = [[grant["GranteePrefixedUniversal"] for grant in page] for page in pages]
    assert found == [[people[0].identity, people[1].identity], [people[2].identity], []]


async def test_grants_can_be_listed_the_last_first(here: Venafi) -> None:
    application = await here.application()
    people = [await here.person() for _ in range(2)]
    await granted(here, application, *people)

    for order in (3, 4):
        body = {"ApplicationId": application, "OrderBy": order, "Descending": True}
        found = (await here.done("EnumerateGrants", body))["Grants"]
        assert [grant["GranteePrefixedUniversal"] for grant in found] == [people[1].identity, people[0].identity]


async def test_grants_and_their_users_are_counted(venafi: Venafi) -> None:
    application = await venafi.application()
    one, other = await venafi.person(), await venafi.person()
    await granted(venafi, application, one, other)
    await venafi.token(one.id, "security", application=application)
    body = {"ApplicationId": application}

    assert await venafi.done("GrantCount", body) == {"Count": 3, **DONE}
    assert await venafi.done("UserCount", body) == {"Count": 2, **DONE}
    for name in ("GrantCount", "UserCount", "EnumerateGrants"):
        assert (await venafi.send(name, {"ApplicationId": "nowhere"})).json() == NO_APPLICATION


async def test_everything_is_counted(here: Venafi) -> None:
    before = await here.done("TotalCount")
    await granted(here, await here.application(), await here.person())

    after = await here.done("TotalCount")

    # The person comes with a grant and a rule of their own.
    more = {name: after[name] - before[name] for name in ("ApplicationCount", "GrantCount", "RuleCount")}
    assert more == {"ApplicationCount": 1, "GrantCount": 2, "RuleCount": 2}


async def test_revoked_grants_end_their_tokens(venafi: Venafi) -> None:
    one, other, person, somebody = (
        await venafi.application(),
        await venafi.application(),
        await venafi.person(),
        await venafi.person(),
    )
    await granted(venafi, one, person, somebody)
    await granted(venafi, other, person)
    tokens = {
        (who.id, where): await venafi.token(who.id, "security", application=where)
        for who, where in ((person, one), (somebody, one), (person, other))
    }

    body = {"GranteePrefixedUniversal": person.identity, "ApplicationId": one}
    assert await venafi.done("RevokeGrants", body) == DONE
    good = {key: await is_good(venafi, token) for key, token in tokens.items()}
    assert good == {(person.id, one): False, (somebody.id, one): True, (person.id, other): True}

    assert await venafi.done("RevokeGrants", {"ApplicationId": one}) == DONE
    assert not await is_good(venafi, tokens[somebody.id, one])

    assert await venafi.done("RevokeGrants", {"GranteePrefixedUniversal": person.identity}) == DONE
    assert not await is_good(venafi, tokens[person.id, other])
    assert (await venafi.rest.get("/vedsdk/Identity/Self", by=person.authorization)).status == 401


async def test_anybody_revokes_their_own_grants(here: Venafi) -> None:
    application, person, other = await here.application(), await here.person(), await here.person()
    await granted(here, application, person)
    own, others = {"GranteePrefixedUniversal": person.identity}, {"GranteePrefixedUniversal": other.identity}

    refused = await here.send("RevokeGrants", others, by=person)
    done = await here.send("RevokeGrants", {**own, "ApplicationId": application}, by=person)

    assert (refused.status, refused.json()["error"]) == (401, "insufficient_rights")
    assert done.json() == DONE
    assert (await here.done("GrantCount", {"ApplicationId": application}))["Count"] == 0


async def test_owners_see_and_revoke_the_grants_of_their_applications_only(venafi: Venafi) -> None:
    own, foreign, person = await venafi.application(), await venafi.application(), await venafi.person()
    owner = await venafi.in_role(OWNER, own)
    await granted(venafi, own, person)
    await granted(venafi, foreign, person)
    body = {"GranteePrefixedUniversal": person.identity}

    seen = (await venafi.done("GetGrants", body, by=owner))["Grants"]
    await venafi.done("RevokeGrants", body, by=owner)

    assert [grant["Application"] for grant in seen] == [own]
    left = (await venafi.done("GetGrants", body))["Grants"]
    assert {grant["Application"] for grant in left} == {"almoner", foreign}


async def test_grants_of_nobody_are_result_6(here: Venafi) -> None:
    for name in ("GetGrants", "EnumerateGrants", "RevokeGrants"):
        answer = await here.send(name, {"GranteePrefixedUniversal": "local:nobody"})
        assert (answer.status, answer.json()["Result"], answer.json()["Success"]) == (200, 6, False)


async def test_the_known_scopes_are_listed(venafi: Venafi) -> None:
    scopes = (await venafi.done("GetScopes"))["Scopes"]

    assert {"RestrictionList": ["delete", "grantrights", "recyclebin", "viewlogs"], "Scope": "admin"} in scopes
    assert {"RestrictionList": [], "Scope": "codesignclient"} in scopes
    assert [entry["Scope"] for entry in scopes] == sorted(entry["Scope"] for entry in scopes)
