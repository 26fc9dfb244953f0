# SPDX-License-Identifier: Apache-2.0
"""VMware's token routes, from the request to the database, and the tokens as a resource server checks them."""

from __future__ import annotations

import asyncio
import base64
import itertools
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import jwt
import msgspec
import pytest
from joserfc import jwt as jose
from joserfc.jwk import KeySet

from almoner.v1 import application_pb2, application_service_pb2
from almoner.v1.application_service_pb2_grpc import ApplicationServiceStub
from service.clock import SECOND, system_clock
from tests.databases import ADMIN_TOKEN, make_sqlite_template
from tests.rest import gateway_over
from tests.running import running
from tests.vedauth import FORM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.databases import SqliteTemplate
    from tests.rest import Answer, Rest

CPN: Final = "/cphub/api/auth"
CSP: Final = "/csp/gateway/am/api/auth"
JWKS: Final = "/.well-known/jwks.json"
ISSUER: Final = "https://almoner.example"
AUDIENCE: Final = "https://api.example"
MINUTE: Final = 60
HOUR: Final = 60 * MINUTE

_NUMBERS = itertools.count(1)


@dataclass
class App:
    """A client application of an organization, with a generated secret."""

    rest: Rest
    organization: str
    id: str
    secret: str

    @property
    def basic(self) -> str:
        """Its Authorization header."""
        return "Basic " + base64.b64encode(f"{self.id}:{self.secret}".encode()).decode()

    async def by_csp(self, route: str = "authorize", **form: str) -> Answer:
        """Asks CSP for a token."""
        return await posted(self.rest, f"{CSP}/{route}", self.basic, grant_type="client_credentials", **form)

    async def by_cpn(self, **query: str) -> Answer:
        """Asks Cloud Partner Navigator for a token."""
        path = f"{CPN}/v2/authn/authorize?{urlencode({'orgId': self.organization, **query})}"
        return await self.rest.post(path, by=self.basic)

    async def join(self, organization: str, *scopes: str) -> None:
        """Makes it a member of an organization."""
        membership = application_pb2.ClientMembership(
            application_id=self.id, organization_id=organization, scopes=scopes
        )
        request = application_service_pb2.CreateClientMembershipRequest(membership=membership)
        stub: Any = self.rest.almoner.stub(ApplicationServiceStub)
        await stub.CreateClientMembership(request, metadata=self.rest.almoner.as_admin_token)


async def posted(rest: Rest, path: str, by: str | None = None, **form: str) -> Answer:
    """Posts a form."""
    return await rest.post(path, data=urlencode(form).encode(), headers=[FORM], by=by)


async def new_app(rest: Rest, **members: Any) -> App:
    """Registers a client application in an organization of its own."""
    client = application_pb2.ClientApplication(
        **{
            "grant_types": [application_pb2.GRANT_TYPE_CLIENT_CREDENTIALS],
            "allowed_scopes": ["openid", "org:org_member", "service:vmc:reader"],
            **members,
        }
    )
    organization = (await rest.tenant()).id
    application = application_pb2.Application(
        id=f"app-{next(_NUMBERS)}", name="App", organization_id=organization, client=client
    )
    stub: Any = rest.almoner.stub(ApplicationServiceStub)
    request = application_service_pb2.CreateApplicationRequest(application=application)
    made = await stub.CreateApplication(request, metadata=rest.almoner.as_admin_token)
    return App(rest, organization, application.id, made.client_secret)


def claims_of(answer: Answer) -> dict[str, Any]:
    """Returns what the token of an answer says, unverified."""
    assert answer.status == 200, answer
    body = answer.json()
    token = body.get("access_token") or body["accessToken"]
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def refusal(answer: Answer) -> tuple[int, str]:
    """Returns status and message of a refusal."""
    body = answer.json()
    assert body["statusCode"] == answer.status
    return answer.status, body["message"]


@pytest.fixture
async def app(rest_over: Rest) -> App:
    return await new_app(rest_over)


# --- Client applications ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["authorize", "token"])
async def test_csp_gives_a_client_a_token_for_its_own_organization(app: App, route: str) -> None:
    answer = await app.by_csp(route)

    body, claims = answer.json(), claims_of(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    assert {name: value for name, value in body.items() if name != "access_token"} == {
        "token_type": "bearer",
        "expires_in": 600,
        "scope": "openid",
        "id_token": None,
        "refresh_token": None,
    }
    assert (claims["sub"], claims["azp"], claims["client_id"]) == (app.id, app.id, app.id)
    assert (claims["org_id"], claims["permissions"], claims["scope"]) == (app.organization, [], "openid")
    assert claims["exp"] - claims["iat"] == 600


async def test_cpn_gives_a_client_a_token_with_what_its_membership_carries(app: App) -> None:
    await app.join(app.organization, "org:org_member", "service:vmc:reader", "service:vmc:writer")

    answer = await app.by_cpn()

    assert answer.json().keys() == {"accessToken", "idToken", "refreshToken", "returnUrl"}
    assert claims_of(answer)["permissions"] == ["org:org_member", "service:vmc:reader"]


async def test_a_client_may_ask_for_less(app: App) -> None:
    await app.join(app.organization, "org:org_member")

    answer = await app.by_csp(scope="org:org_member")

    assert answer.json()["scope"] == "org:org_member"
    assert "scope" not in claims_of(answer)
    assert refusal(await app.by_csp(scope="openid org:org_owner"))[1].startswith("invalid_scope: ")


async def test_another_organization_does_not_exist_until_the_client_is_a_member(app: App) -> None:
    other = (await app.rest.tenant()).id
    assert (await app.by_csp(orgId=other)).status == 404
    assert (await app.by_cpn(orgId=other)).status == 404

    await app.join(other, "org:org_member")

    assert claims_of(await app.by_csp(orgId=other))["org_id"] == other
    assert claims_of(await app.by_cpn(orgId=other.upper()))["permissions"] == ["org:org_member"]


@pytest.mark.parametrize(
    ("seconds", "lives"), [("1", 1), ("599", 599), ("600", 600), ("601", 600), (str(2**31 - 1), 600)]
)
async def test_the_shorter_lifetime_counts(app: App, seconds: str, lives: int) -> None:
    claims = claims_of(await app.by_cpn(accessTokenValiditySeconds=seconds))

    assert claims["exp"] - claims["iat"] == lives


async def test_a_wrong_secret_is_an_invalid_client(app: App) -> None:
    app.secret += "x"

    for answer in (await app.by_csp(), await app.by_cpn()):
        status, message = refusal(answer)
        assert (status, message.partition(":")[0]) == (401, "invalid_client")
        assert answer.headers["WWW-Authenticate"]


async def test_a_client_that_may_not_use_client_credentials_is_told_so(rest_over: Rest) -> None:
    app = await new_app(rest_over, grant_types=[application_pb2.GRANT_TYPE_DEVICE_CODE])

    status, message = refusal(await app.by_csp())

    assert (status, message.partition(":")[0]) == (400, "unauthorized_client")


async def test_a_clients_token_is_a_credential(rest_over: Rest) -> None:
    app = await new_app(rest_over, allowed_scopes=["org:developer"])
    await app.join(app.organization, "org:developer")
    token = (await app.by_csp()).json()["access_token"]

    answer = await rest_over.get("/api/mgmt/oauthapps", by=f"Bearer {token}")

    assert answer.status == 200


# --- Users ------------------------------------------------------------------------------------------------------------


async def test_a_user_changes_an_api_token_by_every_route(rest_over: Rest) -> None:
    member = await rest_over.member(await rest_over.tenant())
    api_token = member.authorization.removeprefix("Bearer ")
    for answer in (
        await posted(rest_over, f"{CSP}/api-tokens/authorize", api_token=api_token),
        await posted(rest_over, f"{CSP}/api-tokens/authorize", refresh_token=api_token),
        await rest_over.post(f"{CSP}/api-tokens/authorize?refresh_token={api_token}", by=None),
        await posted(rest_over, f"{CSP}/authorize", grant_type="refresh_token", refresh_token=api_token),
        await posted(rest_over, f"{CSP}/token", grant_type="refresh_token", refresh_token=api_token),
        await rest_over.post(f"{CPN}/v1/authn/accesstoken", {"refreshToken": api_token}, by=None),
    ):
        claims = claims_of(answer)
        body = answer.json()

        assert claims["sub"] == f"user:{member.id}"
        assert claims["exp"] - claims["iat"] == 30 * MINUTE
        assert claims.keys().isdisjoint({"azp", "client_id"})
        assert body.get("refresh_token") or body["refreshToken"] == api_token
        token = body.get("access_token") or body["accessToken"]
        assert (await rest_over.get("/api/users/me", by=f"Bearer {token}")).status == 200


async def test_a_wrong_api_token_is_an_invalid_grant(rest_over: Rest) -> None:
    wrong = f"{ADMIN_TOKEN}x"
    for answer in (
        await posted(rest_over, f"{CSP}/api-tokens/authorize", api_token=wrong),
        await rest_over.post(f"{CPN}/v1/authn/accesstoken", {"refreshToken": wrong}, by=None),
    ):
        status, message = refusal(answer)

        assert status == 400
        assert message.startswith("invalid_grant: Invalid refresh token: ")
        assert wrong.encode() not in answer.content


async def test_a_token_has_no_more_time_than_its_api_token(sqlite_template: SqliteTemplate, tmp_path: Path) -> None:
    now = system_clock() // SECOND * SECOND
    async with running(sqlite_template, tmp_path, clock=lambda: now) as almoner, gateway_over(almoner) as rest:
        api_token = await rest.token(1, expire_time={"seconds": now // SECOND + 90})

        answer = await posted(rest, f"{CSP}/api-tokens/authorize", api_token=api_token)
        assert answer.json()["expires_in"] == 90
        now += 90 * SECOND

        assert refusal(await posted(rest, f"{CSP}/api-tokens/authorize", api_token=api_token))[0] == 400
        token = answer.json()["access_token"]
        assert (await rest.get("/api/users/me", by=f"Bearer {token}")).status == 401


# --- Resource servers -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["ES256", "RS256", "EdDSA"])
async def signing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Rest, str]]:
    """A server whose first key is of an algorithm."""
    settings = {"token_signing_algorithm": request.param, "token_issuer": ISSUER, "token_audience": AUDIENCE}
    directory = tmp_path_factory.mktemp("signing")
    template = await make_sqlite_template(directory, **settings)
    async with running(template, directory, **settings) as almoner, gateway_over(almoner) as rest:
        yield rest, request.param


async def test_pyjwt_finds_the_key_at_the_published_place(signing: tuple[Rest, str]) -> None:
    rest, algorithm = signing
    app = await new_app(rest)
    token = (await app.by_csp()).json()["access_token"]
    published = jwt.PyJWKClient(str(rest.client.make_url(JWKS)))

    key = await asyncio.to_thread(published.get_signing_key_from_jwt, token)

    claims = jwt.decode(token, key, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER)
    assert claims["azp"] == app.id
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "kid": key.key_id, "typ": "at+jwt"}


# It knows the algorithm by another name, too, and warns of this one.
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
async def test_joserfc_takes_the_published_keys(signing: tuple[Rest, str]) -> None:
    rest, algorithm = signing
    app = await new_app(rest)
    token = (await app.by_cpn()).json()["accessToken"]
    published = await asyncio.to_thread(_content, str(rest.client.make_url(JWKS)))

    decoded = jose.decode(token, KeySet.import_key_set(msgspec.json.decode(published)), algorithms=[algorithm])

    jose.JWTClaimsRegistry(iss={"essential": True, "value": ISSUER}, aud={"value": AUDIENCE}).validate(decoded.claims)
    assert decoded.claims["client_id"] == app.id


async def test_keys_are_public_and_may_be_cached_for_a_while(signing: tuple[Rest, str]) -> None:
    rest, algorithm = signing

    answer = await rest.get(JWKS, by=None)

    assert answer.headers["Cache-Control"] == "public, max-age=300"
    (key, *_) = answer.json()["keys"]
    assert (key["alg"], key["use"]) == (algorithm, "sig")
    assert key.keys().isdisjoint({"d", "p", "q", "dp", "dq", "qi"})
    assert "" not in key.values()


def _content(url: str) -> bytes:
    with urllib.request.urlopen(url) as reply:  # noqa: S310 - the address is our own server's
        content: bytes = reply.read()
        return content
