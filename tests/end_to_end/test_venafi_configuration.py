# SPDX-License-Identifier: Apache-2.0
"""OAuth configuration and JWT mappings of the Venafi dialect (contract sections 5 and 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from almoner.v1 import application_pb2, grant_pb2, grant_service_pb2, grant_service_pb2_grpc
from gateway.dialects.venafi.roles import ADMIN
from tests.venafi import DONE, Person, Venafi

if TYPE_CHECKING:
    from tests.rest import Rest

DEFAULTS = {
    "AuthorizeByCertificate": True,
    "AuthorizeByIntegrated": False,
    "AuthorizeByJwt": True,
    "AuthorizeByPassword": True,
    "AuthorizeDevice": True,
    "CertificateConfiguration": {
        "AttemptSIDExtensionBeforeSourceField": False,
        "AuthorizedIssuerDns": [],
        "SourceField": "CN",
    },
    "DefaultAccessTokenValidity": 7776000,
    "DefaultGrantRefreshable": True,
    "DefaultGrantValidity": 31536000,
    "DeviceConfiguration": {
        "VerificationUri": "/aperture/activate",
        "VerificationUriCompleteFormat": "/aperture/activate/{0}",
    },
    "OpenApiEnabled": True,
    "OpenApiUi": "redoc",
    "RefreshEndpointEnabled": True,
    "SessionPoolAge": 86400,
    "SessionPoolExpirationInterval": 300,
    "SessionPoolSize": 5000,
    "SessionRightsRefreshInterval": 60,
    "StatisticsApiTracking": False,
    "StatisticsTrackingIncludesTime": False,
    "StrictExpiration": False,
    "UnusedAccessTokenExpiration": 0,
}
CHANGED = {
    "AuthorizeByCertificate": False,
    "AuthorizeByIntegrated": True,
    "AuthorizeByJwt": False,
    "AuthorizeByPassword": False,
    "AuthorizeDevice": False,
    "CertificateConfiguration": {
        "AttemptSIDExtensionBeforeSourceField": True,
        "AuthorizedIssuerDns": ["CN=Issuer,O=Example"],
        "SourceField": "SAN:EMAIL",
    },
    "DefaultAccessTokenValidity": 60,
    "DefaultGrantRefreshable": False,
    "DefaultGrantValidity": 600,
    "DeviceConfiguration": {"VerificationUri": "/elsewhere", "VerificationUriCompleteFormat": "/elsewhere?code={0}"},
    "OpenApiEnabled": False,
    "OpenApiUi": "swagger",
    "RefreshEndpointEnabled": False,
    "SessionPoolAge": 1,
    "SessionPoolExpirationInterval": 2,
    "SessionPoolSize": 3,
    "SessionRightsRefreshInterval": 4,
    "StatisticsApiTracking": True,
    "StatisticsTrackingIncludesTime": True,
    "StrictExpiration": True,
    "UnusedAccessTokenExpiration": 5,
}


class House:
    """An organization of its own, because it has one configuration, and an Admin of it."""

    def __init__(self, venafi: Venafi, admin: Person) -> None:
        self.venafi = venafi
        self.admin = admin

    async def send(self, name: str, body: Any = None, **options: Any) -> Any:
        return await self.venafi.send(name, body, by=self.admin, **options)

    async def done(self, name: str, body: Any = None) -> Any:
        return await self.venafi.done(name, body, by=self.admin)

    async def configuration(self) -> Any:
        return (await self.done("GetConfiguration"))["Configuration"]


async def house_in(rest: Rest) -> House:
    venafi = Venafi(rest)
    return House(venafi, await venafi.person(await rest.tenant(), roles=(ADMIN,)))


@pytest.fixture
async def house(rest_over: Rest) -> House:
    return await house_in(rest_over)


@pytest.fixture
async def here(rest: Rest) -> House:
    """The same where backend and transport make no difference."""
    return await house_in(rest)


async def policy(house: House, **changed: Any) -> grant_pb2.TokenPolicy:
    """Returns the token policy, after changing it."""
    stub = grant_service_pb2_grpc.GrantServiceStub(house.venafi.rest.almoner.channel)
    metadata = (("authorization", house.admin.authorization),)
    request = grant_service_pb2.UpdateTokenPolicyRequest(token_policy=grant_pb2.TokenPolicy(**changed))
    if changed:
        await stub.UpdateTokenPolicy(request, metadata=metadata)
    found: Any = await stub.GetTokenPolicy(grant_service_pb2.GetTokenPolicyRequest(), metadata=metadata)
    return found.token_policy  # type: ignore[no-any-return]


async def test_the_configuration_is_the_documented_one_at_first(house: House) -> None:
    assert await house.configuration() == DEFAULTS


async def test_every_member_is_kept_with_its_type(house: House) -> None:
    assert await house.done("SetConfiguration", {"Configuration": CHANGED}) == DONE
    assert await house.configuration() == CHANGED


async def test_what_is_not_set_gets_its_default(house: House) -> None:
    await house.done("SetConfiguration", {"Configuration": CHANGED})

    await house.done("SetConfiguration", {"configuration": {"SESSIONPOOLSIZE": 7, "OpenApiUi": None}})

    assert await house.configuration() == {**DEFAULTS, "SessionPoolSize": 7}


async def test_what_the_policy_has_is_enforced(here: House) -> None:
    await here.done("SetConfiguration", {"Configuration": CHANGED})

    stored = await policy(here)

    assert (stored.access_token_lifetime.seconds, stored.grant_lifetime.seconds, stored.renewable) == (60, 600, False)
    assert {application_pb2.GrantType.Name(way) for way in stored.refused_grant_types} == {
        "GRANT_TYPE_PASSWORD",
        "GRANT_TYPE_CERTIFICATE",
        "GRANT_TYPE_JWT_BEARER",
        "GRANT_TYPE_DEVICE_CODE",
        "GRANT_TYPE_REFRESH_TOKEN",
    }
    assert stored.certificate_field == grant_pb2.CERTIFICATE_FIELD_EMAIL
    assert list(stored.certificate_issuers) == ["CN=Issuer,O=Example"]


async def test_what_others_keep_with_the_policy_stays(here: House) -> None:
    others = application_pb2.GRANT_TYPE_CLIENT_CREDENTIALS
    await policy(here, refused_grant_types=[others], annotations={"theirs": "kept"})

    await here.done("SetConfiguration", {"Configuration": CHANGED})
    await here.done("SetConfiguration", {"Configuration": {}})

    stored = await policy(here)
    assert list(stored.refused_grant_types) == [others]
    assert stored.annotations["theirs"] == "kept"


async def test_an_annotation_of_another_type_is_no_value(here: House) -> None:
    await policy(here, annotations={"venafi/SessionPoolSize": '"many"', "venafi/OpenApiUi": "{"})

    assert await here.configuration() == DEFAULTS


async def test_a_change_can_demand_the_state_that_was_read(house: House) -> None:
    read = await house.send("GetConfiguration")
    await house.done("SetConfiguration", {"Configuration": {}})

    stale = await house.send("SetConfiguration", {"Configuration": CHANGED}, headers=[("If-Match", read.etag)])

    assert (stale.status, stale.json()["error"]) == (412, "precondition_failed")
    assert await house.configuration() == DEFAULTS


# --- JWT mappings -----------------------------------------------------------------------------------------------------


def mapping(name: str, **members: Any) -> dict[str, Any]:
    return {
        "IdField": "sub",
        "IdMatch": "build-*",
        "IssuerUri": "https://issuer.example",
        "Name": name,
        "PurposeField": "aud",
        "PurposeMatch": "almoner",
        **members,
    }


async def test_a_mapping_is_created_changed_and_deleted(house: House) -> None:
    full = mapping("first", GranteePrefixedUniversal=house.admin.identity)

    made = await house.send("CreateJwtMapping", full)
    assert made.json() == {"JwtMapping": full, **DONE}
    assert made.etag == '"1"'
    found = await house.done("GetJwtMapping", {"Name": "first", "ResolveIdentities": True})
    assert found["JwtMapping"] == full
    assert [entry["PrefixedUniversal"] for entry in found["IdentityEntries"]] == [house.admin.identity]

    change = mapping("first", IdMatch="*", GranteePrefixedUniversal=f"local:{house.admin.username}")
    assert await house.done("UpdateJwtMapping", {"JwtMapping": change}) == DONE
    expected = {**change, "GranteePrefixedUniversal": house.admin.identity}
    assert (await house.done("GetJwtMapping", {"Name": "first"})) == {"JwtMapping": expected, **DONE}

    assert await house.done("DeleteJwtMapping", {"Name": "first"}) == DONE
    gone = await house.send("GetJwtMapping", {"Name": "first"})
    assert (gone.status, gone.json()["Result"]) == (200, 6)


async def test_a_name_is_taken_once(here: House) -> None:
    body = mapping("taken", GranteePrefixedUniversal=here.admin.identity)
    await here.done("CreateJwtMapping", body)

    answer = await here.send("CreateJwtMapping", body)

    assert (answer.status, answer.json()["Result"]) == (200, 6)


async def test_mappings_are_listed(house: House) -> None:
    grantee = {"GranteePrefixedUniversal": house.admin.identity}
    for name, issuer in (
        ("b one", "https://one.example"),
        ("a two", "https://two.example"),
        ("c one", "https://one.example"),
    ):
        await house.done("CreateJwtMapping", mapping(name, IssuerUri=issuer, **grantee))

    async def names(call: str, body: Any) -> tuple[int, list[str]]:
        reply = await house.done(call, body)
        return reply["Count"], [one["Name"] for one in reply["JwtMappings"]]

    assert await names("GetJwtMappings", {}) == (3, ["b one", "a two", "c one"])
    assert await names("GetJwtMappings", {"Filter": "ONE"}) == (2, ["b one", "c one"])
    assert await names("GetJwtMappings", {"IssuerUris": ["https://two.example"]}) == (1, ["a two"])
    assert await names("EnumerateJwtMappings", {"Start": 0, "Count": 2}) == (3, ["b one", "a two"])
    assert await names("EnumerateJwtMappings", {"Start": 1, "Count": 2}) == (3, ["c one"])
    assert await names("EnumerateJwtMappings", {"OrderBy": 1, "Descending": True}) == (3, ["c one", "b one", "a two"])


async def test_nobody_maps_jwts_to_somebody_who_may_more(here: House) -> None:
    body = mapping("escalation", GranteePrefixedUniversal=None)

    answer = await here.send("CreateJwtMapping", body)

    # Without a grantee the JWT itself names the user, who may be anybody of the organization.
    assert (answer.status, answer.json()["error"]) == (401, "insufficient_rights")
