# SPDX-License-Identifier: Apache-2.0
"""The token routes of VMware's two products (contract sections 1, 2, 5 and 6), in front of a scripted service."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from almoner.v1.token_service_pb2 import (
    ExchangeApiTokenRequest,
    ExchangeApiTokenResponse,
    IssueClientTokenRequest,
    IssueClientTokenResponse,
    ListSigningKeysResponse,
    SigningKey,
)
from tests.gateway.conftest import Refuse

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from tests.gateway.conftest import Client, Script

CPN: Final = "/cphub/api/auth"
CSP: Final = "/csp/gateway/am/api/auth"
CPN_AUTHORIZE: Final = f"{CPN}/v2/authn/authorize"
CPN_EXCHANGE: Final = f"{CPN}/v1/authn/accesstoken"
CSP_EXCHANGE: Final = f"{CSP}/api-tokens/authorize"
GRANTS: Final = (f"{CSP}/authorize", f"{CSP}/token")
ORGANIZATION: Final = "3a1e0f3c-5f0e-4b57-9c6a-1b2f8f0a7d55"
API_TOKEN: Final = "almoner_an-api-token"
BY_CLIENT: Final = {"grant_type": "client_credentials"}


def basic(client_id: str = "app-1", client_secret: str = "Abcdefg1!") -> dict[str, str]:
    credentials = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
    return {"Authorization": f"Basic {credentials}"}


@pytest.fixture
def script(script: Script) -> Script:
    """A service that gives a token to everybody."""
    issued: dict[str, Any] = {
        "access_token": "header.claims.signature",
        "lifetime": Duration(seconds=600),
        "scopes": ["openid", "org:org_member"],
        "organization_id": ORGANIZATION,
    }
    script.replies["IssueClientToken"] = IssueClientTokenResponse(**issued)
    script.replies["ExchangeApiToken"] = ExchangeApiTokenResponse(**issued)
    return script


async def refusal(response: ClientResponse) -> tuple[int, str, str]:
    """Returns status, code and message of a failure, which must be a whole one."""
    body = await response.json()
    assert list(body) == ["statusCode", "traceId", "cspErrorCode", "message", "moduleCode", "requestId", "metadata"]
    assert body["statusCode"] == response.status
    assert body["cspErrorCode"].partition(".")[0] == str(body["moduleCode"])
    assert response.headers["Cache-Control"] == "no-store"
    return response.status, body["cspErrorCode"], body["message"]


# --- What the service is asked ----------------------------------------------------------------------------------------


async def test_cpn_asks_for_a_clients_token_in_an_organization(client: Client, script: Script) -> None:
    query = {"orgId": ORGANIZATION, "accessTokenValiditySeconds": "90"}
    response = await client.post(CPN_AUTHORIZE, params=query, data=BY_CLIENT, headers=basic())

    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert await response.json() == {
        "accessToken": "header.claims.signature",
        "idToken": None,
        "refreshToken": None,
        "returnUrl": None,
    }
    assert script.only("IssueClientToken").request == IssueClientTokenRequest(
        client_id="app-1",
        client_secret="Abcdefg1!",
        organization_id=ORGANIZATION,
        lifetime=Duration(seconds=90),
    )


@pytest.mark.parametrize("data", [None, b"", {}, {"unknown": "member"}, BY_CLIENT])
async def test_cpns_form_may_be_left_out(client: Client, script: Script, data: Any) -> None:
    response = await client.post(CPN_AUTHORIZE, params={"orgId": ORGANIZATION}, data=data, headers=basic())

    assert response.status == 200
    assert not script.only("IssueClientToken").request.HasField("lifetime")


@pytest.mark.parametrize("seconds", [1, 2**31 - 1])
async def test_cpn_takes_any_positive_int32_of_seconds(client: Client, script: Script, seconds: int) -> None:
    query = {"orgId": ORGANIZATION, "accessTokenValiditySeconds": str(seconds)}

    assert (await client.post(CPN_AUTHORIZE, params=query, headers=basic())).status == 200
    assert script.only("IssueClientToken").request.lifetime.seconds == seconds


async def test_cpn_changes_an_api_token(client: Client, script: Script) -> None:
    response = await client.post(CPN_EXCHANGE, json={"refreshToken": API_TOKEN})

    assert await response.json() == {
        "accessToken": "header.claims.signature",
        "idToken": None,
        "refreshToken": API_TOKEN,
        "returnUrl": None,
    }
    assert script.only("ExchangeApiToken").request == ExchangeApiTokenRequest(api_token=API_TOKEN)


@pytest.mark.parametrize("path", GRANTS)
async def test_csp_asks_for_a_clients_token(client: Client, script: Script, path: str) -> None:
    response = await client.post(path, data=BY_CLIENT, headers=basic())

    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert await response.json() == {
        "access_token": "header.claims.signature",
        "token_type": "bearer",
        "expires_in": 600,
        "scope": "openid org:org_member",
        "id_token": None,
        "refresh_token": None,
    }
    request = script.only("IssueClientToken").request
    assert (request.client_id, request.organization_id, list(request.scopes)) == ("app-1", "", [])


async def test_csp_passes_organization_and_scope_on(client: Client, script: Script) -> None:
    form = {**BY_CLIENT, "orgId": ORGANIZATION.upper(), "scope": " openid  org:org_member "}

    assert (await client.post(GRANTS[0], data=form, headers=basic())).status == 200

    request = script.only("IssueClientToken").request
    assert (request.organization_id, list(request.scopes)) == (ORGANIZATION, ["openid", "org:org_member"])


@pytest.mark.parametrize(
    "options",
    [
        {"data": {"api_token": API_TOKEN}},
        {"data": {"refresh_token": API_TOKEN}},
        {"data": {"refresh_token": API_TOKEN, "grant_type": "refresh_token"}},
        {"params": {"refresh_token": API_TOKEN}},
        {"params": {"refresh_token": API_TOKEN}, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"params": {"refresh_token": API_TOKEN}, "data": {"api_token": API_TOKEN}},
    ],
)
async def test_csp_finds_the_api_token_wherever_clients_put_it(
    client: Client, script: Script, options: dict[str, Any]
) -> None:
    response = await client.post(CSP_EXCHANGE, **options)

    assert await response.json() == {
        "access_token": "header.claims.signature",
        "token_type": "bearer",
        "expires_in": 600,
        "scope": "openid org:org_member",
        "id_token": None,
        "refresh_token": API_TOKEN,
    }
    assert script.only("ExchangeApiToken").request == ExchangeApiTokenRequest(api_token=API_TOKEN)


@pytest.mark.parametrize("path", GRANTS)
async def test_an_api_token_is_also_a_refresh_token(client: Client, script: Script, path: str) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": API_TOKEN, "orgId": ORGANIZATION}
    response = await client.post(path, data=form)

    assert (await response.json())["refresh_token"] == API_TOKEN
    request = script.only("ExchangeApiToken").request
    assert request == ExchangeApiTokenRequest(api_token=API_TOKEN, organization_id=ORGANIZATION)


# --- Client credentials -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client_id", "client_secret"),
    [("app", "a:b:c"), ("app", ":"), ("app", "Grüße €"), ("app", "100%25+1 "), ("a" * 128, "s" * 1024)],
)
async def test_a_clients_credentials_are_taken_as_they_are(
    client: Client, script: Script, client_id: str, client_secret: str
) -> None:
    assert (await client.post(GRANTS[0], data=BY_CLIENT, headers=basic(client_id, client_secret))).status == 200

    request = script.only("IssueClientToken").request
    assert (request.client_id, request.client_secret) == (client_id, client_secret)


@pytest.mark.parametrize("path", [f"{CPN_AUTHORIZE}?orgId={ORGANIZATION}", *GRANTS])
async def test_without_basic_the_header_is_missing_as_recorded(client: Client, script: Script, path: str) -> None:
    form = {**BY_CLIENT, "client_id": "app-1", "client_secret": "Abcdefg1!"}
    response = await client.post(path, data=form, headers={"X-Request-Id": "fb5236b49918695e"})

    assert response.headers["WWW-Authenticate"]
    assert await response.json() == {
        "statusCode": 401,
        "traceId": "fb5236b49918695e",
        "cspErrorCode": "250.100",
        "message": "Missing mandatory request header: authorization",
        "moduleCode": 250,
        "requestId": "fb5236b49918695e",
        "metadata": None,
    }
    assert script.received == []


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic YXBw",  # app
        "Basic YXBwOg==",  # app:
        "Basic OnNlY3JldA==",  # :secret
        "Basic YXBwOnNlY3JldA",  # app:secret, without its end
        "Basic YXA6//8=",  # not UTF-8
        "Bearer YXBwOnNlY3JldA==",
        "YXBwOnNlY3JldA==",
        basic("a" * 129)["Authorization"],
        basic("a\nb")["Authorization"],
        basic("app", "s" * 1025)["Authorization"],
        basic("app", "a\0b")["Authorization"],
    ],
)
async def test_credentials_that_are_no_clients_are_refused(client: Client, script: Script, authorization: str) -> None:
    response = await client.post(GRANTS[0], data=BY_CLIENT, headers={"Authorization": authorization})

    status, code, _ = await refusal(response)
    assert (status, code.partition(".")[0]) == (401, "250")
    assert script.received == []


# --- Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "CLIENT_INVALID", (401, "250.401", "invalid_client: said")),
        (grpc.StatusCode.PERMISSION_DENIED, "GRANT_TYPE_REFUSED", (400, "340.400", "unauthorized_client: said")),
        (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_REFUSED", (400, "340.400", "invalid_scope: said")),
        (grpc.StatusCode.NOT_FOUND, "MEMBERSHIP_NOT_FOUND", (404, "300.404", "said")),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS", (429, "300.429", "said")),
        (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE", (503, "300.503", "said")),
    ],
)
async def test_a_client_is_refused_in_the_vendors_envelope(
    client: Client, script: Script, code: grpc.StatusCode, reason: str, expected: tuple[int, str, str]
) -> None:
    script.replies["IssueClientToken"] = Refuse(code, reason, "said")

    for path in (f"{CPN_AUTHORIZE}?orgId={ORGANIZATION}", *GRANTS):
        response = await client.post(path, data=BY_CLIENT, headers=basic())

        assert await refusal(response) == expected, path


async def test_a_wrong_api_token_is_an_invalid_grant_and_never_repeated(client: Client, script: Script) -> None:
    script.replies["ExchangeApiToken"] = Refuse(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", "said")

    for response in (
        await client.post(CPN_EXCHANGE, json={"refreshToken": API_TOKEN}),
        await client.post(CSP_EXCHANGE, data={"api_token": API_TOKEN}),
        await client.post(CSP_EXCHANGE, params={"refresh_token": API_TOKEN}),
        await client.post(GRANTS[0], data={"grant_type": "refresh_token", "refresh_token": API_TOKEN}),
    ):
        status, code, message = await refusal(response)

        assert (status, code.partition(".")[0]) == (400, "340")
        assert message.startswith("invalid_grant: Invalid refresh token: ")
        assert API_TOKEN not in await response.text()


@pytest.mark.parametrize(
    "grant_type", ["authorization_code", "client_delegate", "audience_exchange", "context_switch", "password", "X", ""]
)
async def test_a_grant_type_that_there_is_not_is_named(client: Client, script: Script, grant_type: str) -> None:
    for path in (f"{CPN_AUTHORIZE}?orgId={ORGANIZATION}", *GRANTS):
        response = await client.post(path, data={"grant_type": grant_type}, headers=basic())

        status, code, message = await refusal(response)
        assert (status, code.partition(".")[0]) == (400, "340")
        assert message.startswith("unsupported_grant_type: expected client_credentials")
    assert script.received == []


# --- The published keys -----------------------------------------------------------------------------------------------


async def test_keys_have_the_members_of_their_type_only(client: Client, script: Script) -> None:
    script.replies["ListSigningKeys"] = ListSigningKeysResponse(
        keys=[
            SigningKey(kid="1", kty="EC", alg="ES256", use="sig", crv="P-256", x="eA", y="eQ"),
            SigningKey(kid="2", kty="RSA", alg="RS256", use="sig", n="bg", e="AQAB"),
            SigningKey(kid="3", kty="OKP", alg="EdDSA", use="sig", crv="Ed25519", x="eA"),
        ]
    )

    response = await client.get("/.well-known/jwks.json")

    assert response.headers["Cache-Control"] == "public, max-age=300"
    assert await response.json() == {
        "keys": [
            {"kid": "1", "kty": "EC", "alg": "ES256", "use": "sig", "crv": "P-256", "x": "eA", "y": "eQ"},
            {"kid": "2", "kty": "RSA", "alg": "RS256", "use": "sig", "n": "bg", "e": "AQAB"},
            {"kid": "3", "kty": "OKP", "alg": "EdDSA", "use": "sig", "crv": "Ed25519", "x": "eA"},
        ]
    }


async def test_keys_that_cannot_be_had_are_cached_by_nobody(client: Client, script: Script) -> None:
    script.replies["ListSigningKeys"] = Refuse(grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")

    response = await client.get("/.well-known/jwks.json")

    assert (response.status, response.headers["Cache-Control"]) == (503, "no-store")
