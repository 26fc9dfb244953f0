# SPDX-License-Identifier: Apache-2.0
"""Failures of VMware's dialects, from the request to the envelope (contract section 6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.vmware import BASES, CPN, CSP, CSP_REQUIRED, Org, error

if TYPE_CHECKING:
    from tests.rest import Answer, Rest

PRODUCTS: Final = ("cpn", "csp")
TRACE: Final = "95e83a84d839d920017b47f0ea480e7f"
TRACEPARENT: Final = f"00-{TRACE}-fb5236b49918695e-01"


@pytest.fixture(scope="module")
async def org(rest: Rest) -> Org:
    return await Org.make(rest)


@pytest.mark.parametrize("product", PRODUCTS)
async def test_each_status_has_the_envelope(org: Org, product: str) -> None:
    app = await org.app()
    path = f"{BASES[product]}/orgs/{org.id}/oauth-apps"
    outsider = await org.person()
    rows: list[tuple[int, str, Answer]] = [
        (400, "300.400", await org.rest.post(path, {"id": "a b"}, by=org.owner)),
        (401, "250.100", await org.rest.get(path, by=None)),
        (401, "250.401", await org.rest.get(path, by="Bearer almoner_nobody")),
        (403, "250.403", await org.rest.get(path, by=outsider)),
        (403, "300.403", await org.rest.post(path, {}, by=org.owner, headers=[("Sec-Fetch-Site", "cross-site")])),
        (404, "300.404", await org.rest.get(f"{path}/nowhere", by=org.owner)),
        (404, "300.404", await org.rest.get(f"{BASES[product]}/nothing", by=org.owner)),
        (405, "300.405", await org.rest.put(path, {}, by=org.owner)),
        (409, "300.409", await org.rest.post(path, {**CSP_REQUIRED, "id": app}, by=org.owner)),
        (
            412,
            "300.412",
            await org.rest.send("PATCH", f"{path}/{app}", json={}, by=org.owner, headers=[("If-Match", '"99"')]),
        ),
        (413, "300.413", await org.rest.post(path, {"id": "x" * 2 * 1024 * 1024}, by=org.owner)),
    ]

    for status, code, answer in rows:
        assert error(answer, status)["cspErrorCode"] == code
    assert rows[7][2].headers["Allow"] == "DELETE, GET, HEAD, POST"


async def test_members_at_fault_are_named(org: Org) -> None:
    body = {
        "allowedScopes": {"servicesScopes": [{"allRoles": True, "roles": [{"name": "x"}], "serviceDefinitionId": "s"}]}
    }

    failure = error(await org.send("POST", "oauth-apps", body), 400)

    description = "must be empty if all roles is true"
    member = "allowedScopes.servicesScopes[0].roles"
    assert failure["message"] == f"{member}: {description}"
    assert failure["metadata"] == {"violations": [{"member": member, "description": description}]}


async def test_a_member_that_the_service_refuses_has_the_name_of_the_dialect(org: Org) -> None:
    services = [
        {"serviceDefinitionId": f"s{number}", "roles": [{"name": f"r{role}"} for role in range(130)]}
        for number in range(2)
    ]
    failure = error(await org.send("POST", "oauth-apps", {"allowedScopes": {"servicesScopes": services}}), 400)

    assert [violation["member"] for violation in failure["metadata"]["violations"]] == ["allowedScopes"]


async def test_ids_of_request_and_trace_are_those_of_the_request(org: Org) -> None:
    headers = [("X-Request-Id", "mine-1"), ("traceparent", TRACEPARENT)]

    for path in (org.path("oauth-apps/nowhere"), f"{CPN}/nothing", f"{CSP}/nothing"):
        failure = error(await org.rest.get(path, by=org.owner, headers=headers), 404)
        assert (failure["requestId"], failure["traceId"]) == ("mine-1", TRACE)
    failure = error(await org.rest.put(org.path("oauth-apps"), {}, by=org.owner, headers=headers), 405)
    assert (failure["requestId"], failure["traceId"]) == ("mine-1", TRACE)


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "nonsense",
        f"00-{TRACE.upper()}-fb5236b49918695e-01",
        f"00-{'0' * 32}-fb5236b49918695e-01",
        f"ff-{TRACE}-fb5236b49918695e-01",
        f"00-{TRACE}",
    ],
)
async def test_a_request_outside_every_trace_is_its_own(org: Org, traceparent: str) -> None:
    answer = await org.send("GET", "oauth-apps/nowhere", headers=[("traceparent", traceparent)])

    failure = error(answer, 404)
    assert failure["traceId"] == failure["requestId"]
    assert re.fullmatch("[0-9a-f]{32}", failure["traceId"])
