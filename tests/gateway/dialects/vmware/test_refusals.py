# SPDX-License-Identifier: Apache-2.0
"""What the service refuses while one request of VMware's is several calls, and what it refuses for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc
import pytest

from almoner.v1.application_pb2 import Application, ClientMembership
from almoner.v1.application_service_pb2 import (
    CreateClientMembershipResponse,
    DeleteApplicationResponse,
    ListApplicationsResponse,
    ListClientMembershipsResponse,
)
from tests.gateway.conftest import Refuse

if TYPE_CHECKING:
    from tests.gateway.conftest import Client, Script

TOKEN: Final = {"csp-auth-token": "almoner_token"}
ORGANIZATION: Final = "5be5a591-c842-4520-9142-b455f4ad2286"
BASES: Final = ("/cphub/api/auth/v2", "/csp/gateway/am/api")
APPS: Final = ListApplicationsResponse(applications=[Application(id="a", number=1), Application(id="b", number=2)])

GONE: Final = Refuse(grpc.StatusCode.NOT_FOUND, "APPLICATION_NOT_FOUND", "there is no application b")
IN_USE: Final = Refuse(grpc.StatusCode.FAILED_PRECONDITION, "APPLICATION_IN_USE", "1 profiles use the application")
MEMBER: Final = Refuse(grpc.StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS", "is a member of the organization already")
DENIED: Final = Refuse(grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING")
BUSY: Final = Refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS")
AWAY: Final = Refuse(grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")


def memberships(*ids: str) -> ListClientMembershipsResponse:
    return ListClientMembershipsResponse(memberships=[ClientMembership(application_id=one) for one in ids])


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("refusal", [GONE, IN_USE], ids=["gone", "in use"])
async def test_an_app_that_cannot_be_deleted_is_among_the_failed(
    client: Client, script: Script, base: str, refusal: Refuse
) -> None:
    script.replies = {"ListApplications": APPS, "DeleteApplication": [DeleteApplicationResponse(), refusal]}

    body = {"clientIdsToDelete": ["a", "b"]}
    response = await client.delete(f"{base}/orgs/{ORGANIZATION}/oauth-apps", json=body, headers=TOKEN)

    assert response.status == 200
    assert await response.json() == {"failed": ["b"], "succeeded": ["a"]}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("refusal", [GONE, MEMBER], ids=["gone", "member"])
async def test_an_app_that_cannot_be_added_is_among_the_failures(
    client: Client, script: Script, base: str, refusal: Refuse
) -> None:
    script.replies = {
        "ListApplications": APPS,
        "CreateClientMembership": [CreateClientMembershipResponse(), refusal],
    }

    response = await client.post(f"{base}/orgs/{ORGANIZATION}/clients", json={"ids": ["a", "b"]}, headers=TOKEN)

    assert response.status == 200
    assert await response.json() == {"failures": [{"id": "b", "message": refusal.message}]}


@pytest.mark.parametrize("refusal", [GONE, DENIED, BUSY, AWAY], ids=lambda refusal: refusal.reason)
async def test_a_client_that_cannot_be_removed_is_among_the_failed_if_it_is_its_own_fault(
    client: Client, script: Script, refusal: Refuse
) -> None:
    script.replies = {"DeleteClientMembership": refusal, "ListClientMemberships": memberships("a")}

    response = await client.delete(f"{BASES[1]}/orgs/{ORGANIZATION}/clients", json={"ids": ["a"]}, headers=TOKEN)

    if refusal is GONE:
        assert await response.json() == {"failed": ["a"], "succeeded": []}
    else:
        assert response.status in {403, 429, 503}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    ("refusal", "status"), [(DENIED, 403), (BUSY, 429), (AWAY, 503)], ids=lambda value: getattr(value, "reason", value)
)
async def test_what_all_apps_would_be_refused_for_is_said_of_the_request(
    client: Client, script: Script, base: str, refusal: Refuse, status: int
) -> None:
    script.replies = {"ListApplications": APPS, "DeleteApplication": refusal, "CreateClientMembership": refusal}

    deleted = await client.delete(
        f"{base}/orgs/{ORGANIZATION}/oauth-apps", json={"clientIdsToDelete": ["a"]}, headers=TOKEN
    )
    added = await client.post(f"{base}/orgs/{ORGANIZATION}/clients", json={"ids": ["a"]}, headers=TOKEN)

    for response in (deleted, added):
        assert response.status == status
        body = await response.json()
        assert body["statusCode"] == status
        assert ("Retry-After" in response.headers) is (status in {429, 503})


@pytest.mark.parametrize("base", BASES)
async def test_a_fault_of_the_service_tells_nothing(client: Client, script: Script, base: str) -> None:
    script.replies["GetApplication"] = Refuse(grpc.StatusCode.INTERNAL, "INTERNAL", "a secret of the server")

    response = await client.get(f"{base}/orgs/{ORGANIZATION}/oauth-apps/a", headers=TOKEN)

    assert response.status == 500
    body = await response.json()
    assert (body["cspErrorCode"], body["message"]) == ("300.500", "internal error")
    assert body["requestId"] == response.headers["X-Request-Id"]


async def test_the_token_is_forwarded_as_a_bearers(client: Client, script: Script) -> None:
    await client.get(f"{BASES[0]}/orgs/{ORGANIZATION}/oauth-apps/a", headers=TOKEN)

    assert script.received[0].metadata["authorization"] == "Bearer almoner_token"
    assert "csp-auth-token" not in script.received[0].metadata
