# SPDX-License-Identifier: Apache-2.0
"""Calls of the Venafi dialect that are not good, in every way: refused as documented, nothing changed."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

import pytest

from service.clock import system_clock
from tests.rest import gateway_over
from tests.running import running
from tests.venafi import OAUTH, Person, Venafi, application_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.bad_input.conftest import World
    from tests.databases import SqliteTemplate
    from tests.rest import Answer

APPLICATION: Final = "bad-input"
MISSING: Final = object()

UPDATE: Final = {
    "Application": {"ID": APPLICATION, "Name": "n", "Scope": "ssh", "MaximumScope": "ssh", "AccessValidity": 60}
}
RULE: Final = {"ApplicationId": APPLICATION, "TrusteePrefixedUniversal": "<trustee>", "MaximumScope": "ssh"}
MAPPING: Final = {
    "GranteePrefixedUniversal": "<trustee>",
    "IdField": "sub",
    "IdMatch": "*",
    "IssuerUri": "https://issuer.example",
    "Name": "mapping",
    "PurposeField": "aud",
    "PurposeMatch": "almoner",
}
GOOD: Final[dict[str, dict[str, Any]]] = {
    "CreateApplication": application_body("new", AccessValidity=60, GrantValidity=60, Renewable=True),
    "GetApplication": {"ApplicationId": APPLICATION},
    "GetApplications": {"ApplicationIds": [APPLICATION]},
    "EnumerateApplications": {"Start": 0, "Count": 1, "OrderBy": 0, "Descending": False},
    "UpdateApplication": UPDATE,
    "DeleteApplication": {"ApplicationId": APPLICATION},
    "CreateRule": {**RULE, "AccessValidity": 60, "GrantValidity": 60, "Renewable": True, "Description": "d"},
    "UpdateRule": {"Rule": RULE},
    "GetRules": {"ApplicationId": APPLICATION, "Renewable": True, "NoExpire": True, "MaximumScope": "ssh"},
    "EnumerateRules": {"ApplicationId": APPLICATION, "Start": 0, "Count": 1, "OrderBy": 3},
    "DeleteRule": {"ApplicationId": APPLICATION, "TrusteePrefixedUniversal": "<trustee>"},
    "DeleteRules": {"ApplicationId": APPLICATION},
    "GetGrants": {"GranteePrefixedUniversal": "<trustee>"},
    "EnumerateGrants": {"ApplicationId": APPLICATION, "Count": 1},
    "RevokeGrants": {"ApplicationId": APPLICATION},
    "GrantCount": {"ApplicationId": APPLICATION},
    "UserCount": {"ApplicationId": APPLICATION},
    "GrantRole": {"ApplicationId": APPLICATION, "GranteePrefixedUniversal": "<trustee>", "Role": 2},
    "RevokeRole": {"ApplicationId": APPLICATION, "GranteePrefixedUniversal": "<trustee>", "Role": 2},
    "ListRoles": {"GranteePrefixedUniversal": "<trustee>"},
    "SetConfiguration": {"Configuration": {"SessionPoolSize": 1, "CertificateConfiguration": {"SourceField": "CN"}}},
    "CreateJwtMapping": MAPPING,
    "GetJwtMapping": {"Name": "mapping"},
    "GetJwtMappings": {"Filter": "x", "IssuerUris": []},
    "EnumerateJwtMappings": {"Start": 0},
    "UpdateJwtMapping": {"JwtMapping": MAPPING},
    "DeleteJwtMapping": {"Name": "mapping"},
}  # fmt: skip
"""A good body of every call that has parameters."""

NO_TEXT: Final = [17, 1.5, True, [], {}]
NO_FLAG: Final = [0, 1, "true", [], {}]
NO_SECONDS: Final = ["60", "soon", 1.5, True, [], {}, 0, -1, 315_360_001, 2**63, 10**40]
NO_COUNT: Final = ["1", 1.5, True, [], -1, 2**31]
NO_LIST: Final = ["a", 1, {}, [1], [None], [[]], [""]]
REQUIRED: Final = [MISSING, None]

ROWS: Final[list[tuple[str, str, list[Any]]]] = [
    *(("CreateApplication", name, REQUIRED) for name in ("ApplicationId", "Scope", "MaximumScope", "Name", "Vendor", "Description", "Url")),
    ("CreateApplication", "ApplicationId", [*NO_TEXT, "", "a b", "a/b", "ü", "a\n", "a" * 129]),
    ("CreateApplication", "Scope", [*NO_TEXT, "a\nb", "x" * 4_097]),
    ("CreateApplication", "MaximumScope", [*NO_TEXT, "x" * 4_097]),
    ("CreateApplication", "Name", [*NO_TEXT, "a\nb", "a\x00b", "n" * 256]),
    ("CreateApplication", "Vendor", [*NO_TEXT, "v" * 256]),
    ("CreateApplication", "Description", [*NO_TEXT, "a\x00b", "d" * 4_097]),
    ("CreateApplication", "Url", [*NO_TEXT, "u" * 2_049]),
    ("CreateApplication", "AccessValidity", NO_SECONDS),
    ("CreateApplication", "GrantValidity", NO_SECONDS),
    ("CreateApplication", "Renewable", NO_FLAG),
    *((name, "ApplicationId", [*REQUIRED, *NO_TEXT, "", "a" * 129, "a\n"]) for name in ("GetApplication", "DeleteApplication", "GrantCount", "UserCount")),
    ("GetApplications", "ApplicationIds", [*REQUIRED, *NO_LIST, ["a"] * 1_001]),
    ("EnumerateApplications", "Start", NO_COUNT),
    ("EnumerateApplications", "Count", [*NO_COUNT, 0]),
    ("EnumerateApplications", "OrderBy", ["1", 4, -1, 1.5, True]),
    ("EnumerateApplications", "Descending", NO_FLAG),
    ("UpdateApplication", "Application", [*REQUIRED, "a", 1, []]),
    ("UpdateApplication", "Application.ID", [*REQUIRED, *NO_TEXT, ""]),
    ("UpdateApplication", "Application.Name", [*NO_TEXT, "n" * 256]),
    ("UpdateApplication", "Application.AccessValidity", NO_SECONDS),
    ("UpdateApplication", "Application.MaximumScope", NO_TEXT),
    *(("CreateRule", name, [*REQUIRED, *NO_TEXT]) for name in ("ApplicationId", "TrusteePrefixedUniversal", "MaximumScope")),
    ("CreateRule", "TrusteePrefixedUniversal", ["", "i" * 256]),
    ("CreateRule", "GrantValidity", NO_SECONDS),
    ("CreateRule", "Renewable", NO_FLAG),
    ("UpdateRule", "Rule", [*REQUIRED, [], "r"]),
    ("UpdateRule", "Rule.ApplicationId", [*REQUIRED, *NO_TEXT]),
    ("UpdateRule", "Rule.TrusteePrefixedUniversal", [*REQUIRED, *NO_TEXT]),
    ("GetRules", "ApplicationId", [*REQUIRED, *NO_TEXT]),
    ("GetRules", "NoExpire", NO_FLAG),
    ("GetRules", "TrusteePrefixedUniversals", [*NO_LIST, [], ["a"] * 61]),
    ("EnumerateRules", "ApplicationId", REQUIRED),
    ("EnumerateRules", "OrderBy", [1, 2, 5, "3"]),
    ("DeleteRule", "ApplicationId", REQUIRED),
    ("DeleteRule", "TrusteePrefixedUniversal", REQUIRED),
    ("DeleteRules", "ApplicationId", [*REQUIRED, *NO_TEXT]),
    ("GetGrants", "GranteePrefixedUniversal", [*REQUIRED, *NO_TEXT, ""]),
    ("EnumerateGrants", "ApplicationId", [*REQUIRED, *NO_TEXT]),
    ("EnumerateGrants", "Count", [*NO_COUNT, 0]),
    ("RevokeGrants", "ApplicationId", [*REQUIRED, *NO_TEXT]),
    *((name, "GranteePrefixedUniversal", [*REQUIRED, *NO_TEXT, ""]) for name in ("GrantRole", "RevokeRole")),
    *((name, "Role", [*REQUIRED, "2", 1.5, 0, 4, 7, -1, [], {}]) for name in ("GrantRole", "RevokeRole")),
    *((name, "ApplicationId", [*REQUIRED, *NO_TEXT]) for name in ("GrantRole", "RevokeRole")),
    ("SetConfiguration", "Configuration", [*REQUIRED, [], "c", 1]),
    ("SetConfiguration", "Configuration.SessionPoolSize", ["5", -1, 2**31, True, 1.5]),
    ("SetConfiguration", "Configuration.AuthorizeByPassword", NO_FLAG),
    ("SetConfiguration", "Configuration.DefaultGrantValidity", NO_SECONDS),
    ("SetConfiguration", "Configuration.OpenApiUi", [*NO_TEXT, "u" * 513]),
    ("SetConfiguration", "Configuration.CertificateConfiguration.SourceField", ["DN", "cn", 1, ""]),
    ("SetConfiguration", "Configuration.CertificateConfiguration.AuthorizedIssuerDns", [*NO_LIST, ["a"] * 65]),
    *(("CreateJwtMapping", name, [*REQUIRED, *NO_TEXT, ""]) for name in ("Name", "IssuerUri", "PurposeField", "PurposeMatch", "IdField", "IdMatch")),
    ("CreateJwtMapping", "IssuerUri", ["no uri", "ftp://a", "https://a b"]),
    ("UpdateJwtMapping", "JwtMapping", [*REQUIRED, [], "m"]),
    ("UpdateJwtMapping", "JwtMapping.Name", REQUIRED),
    ("UpdateJwtMapping", "JwtMapping.IssuerUri", REQUIRED),
    *((name, "Name", [*REQUIRED, *NO_TEXT, ""]) for name in ("GetJwtMapping", "DeleteJwtMapping")),
    ("GetJwtMappings", "IssuerUris", ["a", 1, {}, [1], [None]]),
]  # fmt: skip
"""Calls, a member of theirs, and values that it cannot have."""


@pytest.fixture(scope="module")
async def trustee(world: World) -> Person:
    """Makes the application that the table is about, with a rule for somebody."""
    venafi = Venafi(world.rest)
    await venafi.done("CreateApplication", application_body(APPLICATION))
    person = await venafi.person()
    await venafi.rule(APPLICATION, person)
    return person


@pytest.fixture
async def unchanged(world: World, trustee: Person) -> AsyncIterator[None]:
    """Demands that the test leaves every row as it was."""
    assert trustee.id
    before = await world.rows()
    yield
    assert await world.rows() == before


def filled(value: Any, trustee: Person) -> Any:
    """Returns a body with the trustee's identity in it."""
    if isinstance(value, dict):
        return {name: filled(member, trustee) for name, member in value.items()}
    return trustee.identity if value == "<trustee>" else value


def spoiled(body: dict[str, Any], member: str, value: Any) -> dict[str, Any]:
    """Returns a body with one member, named by its path, changed or left out."""
    body = deepcopy(body)
    *outer, last = member.split(".")
    inner = body
    for name in outer:
        inner = inner[name]
    if value is MISSING:
        inner.pop(last, None)
    else:
        inner[last] = value
    return body


def refusal(answer: Answer) -> tuple[int, str]:
    """Returns status and error of a refusal, which must have a text that the status line could carry."""
    body = answer.json()
    assert body.keys() == {"error", "error_description"}
    assert body["error_description"]
    return answer.status, body["error"]


@pytest.mark.parametrize(
    ("name", "member", "values"), ROWS, ids=[f"{name}-{member}-{index}" for index, (name, member, _) in enumerate(ROWS)]
)
@pytest.mark.usefixtures("unchanged")
async def test_a_bad_member_is_refused_by_its_name(
    world: World, trustee: Person, name: str, member: str, values: list[Any]
) -> None:
    for value in values:
        answer = await Venafi(world.rest).send(name, filled(spoiled(GOOD[name], member, value), trustee))

        assert refusal(answer) == (400, "invalid_request"), (value, answer.content)
        text = answer.json()["error_description"]
        assert re.match(rf"{re.escape(member)}[.:\[]", text), (value, text)


def test_the_table_is_long() -> None:
    assert sum(len(values) for _, _, values in ROWS) > 400
    assert {name for name, _, _ in ROWS} | {"EnumerateJwtMappings", "ListRoles"} == set(GOOD)


@pytest.mark.parametrize("scope", [";", "admin;", ":delete", "admin:", "admin:,x", "a:b:c", "a,b", "a b;c/d", "ädmin"])
@pytest.mark.usefixtures("unchanged")
async def test_a_malformed_scope_is_result_17(world: World, trustee: Person, scope: str) -> None:
    for name, member in (
        ("CreateApplication", "Scope"),
        ("CreateApplication", "MaximumScope"),
        ("UpdateApplication", "Application.Scope"),
        ("UpdateApplication", "Application.MaximumScope"),
        ("CreateRule", "MaximumScope"),
        ("UpdateRule", "Rule.MaximumScope"),
        ("GetRules", "MaximumScope"),
        ("EnumerateRules", "MaximumScope"),
    ):
        answer = await Venafi(world.rest).send(name, filled(spoiled(GOOD[name], member, scope), trustee))

        assert (answer.status, answer.json()["Result"], answer.json()["Success"]) == (200, 17, False), name
        assert f"{member.rpartition('.')[2]}: " in answer.json()["Error"]


UNKNOWN: Final[list[tuple[str, dict[str, Any], int]]] = [
    ("GetApplication", {"ApplicationId": "nowhere"}, 2),
    ("UpdateApplication", {"Application": {"ID": "nowhere"}}, 2),
    ("DeleteApplication", {"ApplicationId": "nowhere"}, 2),
    ("GetApplication", {"ApplicationId": "no such/ thing"}, 2),
    ("UpdateApplication", {"Application": {"ID": "no such/ thing"}}, 2),
    ("CreateRule", {**RULE, "ApplicationId": "no such/ thing"}, 2),
    ("GrantRole", {"ApplicationId": "no such/ thing", "GranteePrefixedUniversal": "<trustee>", "Role": 2}, 2),
    ("GrantCount", {"ApplicationId": "nowhere"}, 2),
    ("UserCount", {"ApplicationId": "nowhere"}, 2),
    ("CreateRule", {**RULE, "ApplicationId": "nowhere"}, 2),
    ("UpdateRule", {"Rule": {**RULE, "ApplicationId": "nowhere"}}, 2),
    ("GetRules", {"ApplicationId": "nowhere"}, 2),
    ("EnumerateRules", {"ApplicationId": "nowhere"}, 2),
    ("DeleteRule", {"ApplicationId": "nowhere", "TrusteePrefixedUniversal": "<trustee>"}, 2),
    ("DeleteRules", {"ApplicationId": "nowhere"}, 2),
    ("EnumerateGrants", {"ApplicationId": "nowhere"}, 2),
    ("RevokeGrants", {"ApplicationId": "nowhere"}, 2),
    ("GrantRole", {"ApplicationId": "nowhere", "GranteePrefixedUniversal": "<trustee>", "Role": 2}, 2),
    ("RevokeRole", {"ApplicationId": "nowhere", "GranteePrefixedUniversal": "<trustee>", "Role": 2}, 2),
    ("DeleteRule", {"ApplicationId": APPLICATION, "TrusteePrefixedUniversal": "local:admin"}, 4),
    ("UpdateRule", {"Rule": {"ApplicationId": APPLICATION, "TrusteePrefixedUniversal": "admin"}}, 4),
    ("CreateApplication", application_body(APPLICATION), 6),
    ("CreateRule", RULE, 6),
    ("CreateRule", {**RULE, "TrusteePrefixedUniversal": "local:nobody"}, 6),
    ("CreateRule", {**RULE, "TrusteePrefixedUniversal": "local:{5be5a591-c842-4520-9142-b455f4ad2286}"}, 6),
    ("DeleteRules", {"TrusteePrefixedUniversal": "AD+x:somebody"}, 6),
    ("GetGrants", {"GranteePrefixedUniversal": "local:a:b"}, 6),
    ("RevokeGrants", {"GranteePrefixedUniversal": "local:"}, 6),
    ("GrantRole", {"GranteePrefixedUniversal": "nobody", "Role": 1}, 6),
    ("RevokeRole", {"GranteePrefixedUniversal": "nobody", "Role": 1}, 6),
    ("ListRoles", {"GranteePrefixedUniversal": "nobody"}, 6),
    ("RevokeRole", {"GranteePrefixedUniversal": "<trustee>", "Role": 1}, 1),
    ("GetJwtMapping", {"Name": "nothing"}, 6),
    ("DeleteJwtMapping", {"Name": "nothing"}, 6),
    ("UpdateJwtMapping", {"JwtMapping": {**MAPPING, "Name": "nothing"}}, 6),
    ("CreateJwtMapping", {**MAPPING, "GranteePrefixedUniversal": "nobody"}, 6),
]


@pytest.mark.parametrize(
    ("name", "body", "result"), UNKNOWN, ids=[f"{row[0]}-{index}" for index, row in enumerate(UNKNOWN)]
)
@pytest.mark.usefixtures("unchanged")
async def test_what_is_not_there_is_a_result(
    world: World, trustee: Person, name: str, body: dict[str, Any], result: int
) -> None:
    answer = await Venafi(world.rest).send(name, filled(body, trustee))

    assert answer.status == 200, answer.content
    found = answer.json()
    assert found.keys() == {"Error", "Result", "Success"}
    assert (found["Result"], found["Success"]) == (result, False)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"17", b'"x"', b'{"ApplicationId": "a"} x', b"ApplicationId=a", b"\xff", b"[" * 9_999],
)
@pytest.mark.usefixtures("unchanged")
async def test_what_is_no_json_object_is_refused(world: World, content: bytes) -> None:
    for name in ("GetApplication", "UpdateApplication", "DeleteRule", "SetConfiguration"):
        answer = await world.rest.send("POST", f"{OAUTH}/{name}", data=content)

        assert refusal(answer) == (400, "invalid_request")


@pytest.mark.usefixtures("unchanged")
async def test_a_member_in_two_spellings_is_refused(world: World) -> None:
    answer = await Venafi(world.rest).send("DeleteApplication", {"ApplicationId": APPLICATION, "ApplicationID": "b"})

    assert answer.json() == {"error": "invalid_request", "error_description": "ApplicationId: is given twice"}


@pytest.mark.usefixtures("unchanged")
async def test_requests_that_no_route_takes_are_answered_in_the_same_form(world: World) -> None:
    for method, path, status, error in (
        ("POST", f"{OAUTH}/Nothing", 404, "not_found"),
        ("GET", "/VEDSDK/oauth", 404, "not_found"),
        ("GET", f"{OAUTH}/GetApplication", 405, "method_not_allowed"),
        ("GET", "/vedsdk/oauth/getapplication", 405, "method_not_allowed"),
        ("DELETE", "/vedsdk/Identity/Self", 405, "method_not_allowed"),
    ):
        assert refusal(await world.rest.send(method, path)) == (status, error), path
    long = b'{"ApplicationId": "' + b"x" * 2 * 1024 * 1024 + b'"}'
    answer = await world.rest.send("POST", f"{OAUTH}/GetApplication", data=long)
    assert refusal(answer) == (413, "request_entity_too_large")


# --- Callers ----------------------------------------------------------------------------------------------------------

PARAMETERLESS: Final = ("TotalCount", "GetScopes", "GetRole", "GetConfiguration")
CALLS: Final = (*GOOD, *PARAMETERLESS)
NOBODY: Final = {
    "no credentials": None,
    "another scheme": "Negotiate x",
    "no token": "Bearer",
    "no token of ours": "Bearer 4MyGeneratedBearerTknz==",
    "a token that nobody has": "Bearer KT2EEVTIjWM/37L78dqJAg==",
    "a token without its end": "Bearer KT2EEVTIjWM/37L78dqJAg",
    "not ASCII": "Bearer \xe9",
    "a wrong password": "Basic YWRtaW46d3Jvbmc=",
}


@pytest.mark.parametrize("authorization", NOBODY.values(), ids=NOBODY.keys())
@pytest.mark.usefixtures("unchanged")
async def test_a_caller_who_is_nobody_is_told_so_before_anything_else(world: World, authorization: str | None) -> None:
    for name in CALLS if authorization is None else ("UpdateApplication", "DeleteRules", "GetRole"):
        bodies: tuple[Any, ...] = ({}, {"Nonsense": 1})
        for body in bodies:
            answer = await Venafi(world.rest).send(name, body, by=authorization)

            assert refusal(answer) == (401, "invalid_token")
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="almoner"'


@pytest.mark.usefixtures("unchanged")
async def test_an_api_key_is_deprecated(world: World) -> None:
    key = [("X-Venafi-Api-Key", "0c9ae1a2-8b0a-4b8e-9d3f-2f6f6c0f9d11")]

    answer = await Venafi(world.rest).send("GetRole", by=None, headers=key)

    assert answer.status == 401
    assert answer.json() == {"error": "invalid_token", "error_description": "API keys are deprecated"}


async def test_a_token_without_the_scope_is_told_so_before_its_body_is_looked_at(world: World, trustee: Person) -> None:
    venafi = Venafi(world.rest)
    limited = await venafi.person(scopes=("certificate", "configuration"))
    before = await world.rows()
    for name in CALLS:
        bodies: tuple[Any, ...] = (filled(GOOD.get(name, {}), trustee), {"ApplicationId": 1}, [])
        for body in bodies:
            answer = await venafi.send(name, body, by=limited)

            assert refusal(answer) == (403, "insufficient_scope"), name
            assert answer.json()["error_description"].startswith("Grant rejected scope 'admin'. Call POST")
    assert await world.rows() == before


async def test_a_body_is_looked_at_before_the_role(world: World) -> None:
    user = await Venafi(world.rest).person()
    for name, body in GOOD.items():
        if name in {"EnumerateJwtMappings", "GetJwtMappings", "EnumerateApplications", "ListRoles"}:
            continue
        required = next(iter(body))
        answer = await Venafi(world.rest).send(name, {required: 1}, by=user)

        assert refusal(answer) == (400, "invalid_request"), name


@pytest.mark.usefixtures("unchanged")
async def test_a_page_of_another_origin_changes_nothing(world: World) -> None:
    headers = [("Sec-Fetch-Site", "cross-site")]

    answer = await Venafi(world.rest).send("DeleteApplication", {"ApplicationId": APPLICATION}, headers=headers)

    assert refusal(answer) == (403, "access_denied")


async def test_a_token_that_is_revoked_or_expired_is_good_for_nothing(
    sqlite_template: SqliteTemplate, tmp_path: Path
) -> None:
    now = system_clock()
    async with (
        running(sqlite_template, tmp_path, clock=lambda: now) as almoner,
        gateway_over(almoner) as rest,
    ):
        venafi = Venafi(rest)
        revoked, expiring = await venafi.person(), await venafi.person()
        await venafi.done("RevokeGrants", {"GranteePrefixedUniversal": revoked.identity})
        assert refusal(await venafi.send("GetRole", by=revoked)) == (401, "invalid_token")
        await venafi.done("GetRole", by=expiring)
        now += 90 * 24 * 3600 * 1_000_000
        assert refusal(await venafi.send("GetRole", by=expiring)) == (401, "invalid_token")
