# SPDX-License-Identifier: Apache-2.0
"""Requests for VMware's tokens that are not good, in every way: refused in its envelope, nothing changed."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from almoner.v1 import application_pb2, application_service_pb2
from almoner.v1.application_service_pb2_grpc import ApplicationServiceStub
from tests.databases import ADMIN_TOKEN
from tests.vedauth import FORM

if TYPE_CHECKING:
    from tests.bad_input.conftest import World

CPN: Final = "/cphub/api/auth/v2/authn/authorize"
CPN_EXCHANGE: Final = "/cphub/api/auth/v1/authn/accesstoken"
CSP: Final = "/csp/gateway/am/api/auth/authorize"
CSP_TOKEN: Final = "/csp/gateway/am/api/auth/token"
CSP_EXCHANGE: Final = "/csp/gateway/am/api/auth/api-tokens/authorize"

BY_CLIENT: Final = b"grant_type=client_credentials"
BY_REFRESH: Final = b"grant_type=refresh_token&refresh_token="
NOWHERE: Final = "00000000-0000-4000-8000-000000000000"
LONG: Final = b"x" * 8_193


def basic(credentials: bytes) -> str:
    return "Basic " + base64.b64encode(credentials).decode()


GOOD: Final = basic(b"<client>:<secret>")
"""Stands for the credentials of a client that there is."""
WRONG: Final = basic(b"<client>:wrong")


class Row(NamedTuple):
    """A request and the status of its refusal. `json` says that the body is no form."""

    path: str
    content: bytes | None
    status: int
    by: str | None = None
    json: bool = False


ROWS: Final = [
    # The organization and the lifetime of Cloud Partner Navigator's query.
    Row(CPN, None, 400, GOOD),
    Row(f"{CPN}?orgId=", None, 400, GOOD),
    Row(f"{CPN}?orgId=1", None, 404, GOOD),
    Row(f"{CPN}?orgId=-", None, 404, GOOD),
    Row(f"{CPN}?orgId={NOWHERE}0", None, 404, GOOD),
    Row(f"{CPN}?orgId={NOWHERE}%0A", None, 400, GOOD),
    Row(f"{CPN}?orgId={NOWHERE}", None, 404, GOOD),
    Row(f"{CPN}?orgId={{{NOWHERE}}}", None, 404, GOOD),
    Row(f"{CPN}?orgId={'0' * 129}", None, 400, GOOD),
    Row(f"{CPN}?orgid=<organization>", None, 400, GOOD),
    Row(f"{CPN}?orgId=<organization>&orgId=<organization>", None, 400, GOOD),
    *(
        Row(f"{CPN}?orgId=<organization>&accessTokenValiditySeconds={seconds}", None, 400, GOOD)
        for seconds in ("0", "-1", "2147483648", "9" * 40, "1.5", "1e3", "", "true", "0x10", "01", "+1", "%201", "soon")
    ),
    Row(f"{CPN}?orgId=<organization>&accessTokenValiditySeconds=1&accessTokenValiditySeconds=1", None, 400, GOOD),
    # Grant types and forms.
    *(
        Row(f"{CPN}?orgId=<organization>", b"grant_type=" + grant, 400, GOOD)
        for grant in (b"", b"refresh_token", b"authorization_code", b"client%5Fcredential", b"x" * 129, b"%00", b"%FF")
    ),
    *(
        Row(path, content, 400, GOOD)
        for path in (CSP, CSP_TOKEN)
        for content in (
            b"",
            b"grant_type",
            b"grant_type=",
            b"grant_type=password",
            b"grant_type=authorization_code&code=x",
            b"grant_type=client_delegate",
            b"grant_type=audience_exchange",
            b"grant_type=context_switch",
            b"grant_type=CLIENT_CREDENTIALS",
            b"grant_type=client_credentials%0A",
            b"grantType=client_credentials",
            BY_CLIENT + b"&" + BY_CLIENT,
            BY_CLIENT + b"&scope=org%3Aorg_owner",
            BY_CLIENT + b"&scope=" + b"x" * 513,
            BY_CLIENT + b"&scope=" + b"+".join(b"%d" % number for number in range(257)),
            BY_CLIENT + b"&scope=" + b"x" * 16_385,
            BY_CLIENT + b"&scope=a%00b",
            b"\xff=1",
            b"grant_type=refresh_token",
            BY_REFRESH,
            BY_REFRESH + b"almoner_nobody",
            BY_REFRESH + LONG,
            BY_REFRESH + b"%00",
            BY_REFRESH + b"%F0%9F%92%A3",
        )
    ),
    *(
        Row(CSP, BY_CLIENT + b"&orgId=" + org_id, status, GOOD)
        for org_id, status in ((b"1", 404), (NOWHERE.encode(), 404), (b"%C3%BC", 404), (b"%00", 400), (b"0" * 129, 400))
    ),
    Row(CSP, b'{"grant_type": 1}', 400, GOOD, json=True),
    Row(CSP, b"[]", 400, GOOD, json=True),
    Row(CSP, b"{", 400, GOOD, json=True),
    # API tokens.
    *(
        Row(CSP_EXCHANGE, content, 400)
        for content in (
            None,
            b"",
            b"api_token=",
            b"refresh_token=",
            b"api_token=almoner_nobody",
            b"api_token=" + LONG,
            b"api_token=a&api_token=a",
            b"api_token=a&refresh_token=b",
            b"api_token=a%0Ab",
            b"apiToken=" + ADMIN_TOKEN.encode(),
        )
    ),
    Row(f"{CSP_EXCHANGE}?refresh_token=", None, 400),
    Row(f"{CSP_EXCHANGE}?refresh_token=almoner_nobody", None, 400),
    Row(f"{CSP_EXCHANGE}?refresh_token={'x' * 2_049}", None, 400),
    Row(f"{CSP_EXCHANGE}?refresh_token=a&refresh_token=a", None, 400),
    Row(f"{CSP_EXCHANGE}?refresh_token=a", b"api_token=" + ADMIN_TOKEN.encode(), 400),
    Row(f"{CSP_EXCHANGE}?api_token={ADMIN_TOKEN}", None, 400),
    *(
        Row(CPN_EXCHANGE, content, 400, json=True)
        for content in (
            None,
            b"{}",
            b"[]",
            b"{",
            b"\xff",
            b'{"refreshToken": null}',
            b'{"refreshToken": ""}',
            b'{"refreshToken": 17}',
            b'{"refreshToken": ["a"]}',
            b'{"refreshToken": "almoner_nobody"}',
            b'{"refreshToken": "a\\u0000b"}',
            b'{"refreshToken": "' + LONG + b'"}',
            b'{"RefreshToken": "' + ADMIN_TOKEN.encode() + b'"}',
            b"refreshToken=" + ADMIN_TOKEN.encode(),
        )
    ),
    # Client credentials.
    *(
        Row(path, BY_CLIENT, 401, by)
        for path in (f"{CPN}?orgId=<organization>", CSP, CSP_TOKEN)
        for by in (
            None,
            "",
            "Basic",
            "Basic !",
            "Basic YXBwOnNlY3JldA",
            "Basic YXA6//8=",
            f"Bearer {ADMIN_TOKEN}",
            "Digest x",
            WRONG,
            basic(b"<client>"),
            basic(b"<client>:"),
            basic(b"<client>:<secret>x"),
            basic(b":<secret>"),
            basic(b"nobody:<secret>"),
            basic(b"<provider>:<secret>"),
            basic(b"admin:correct horse battery staple"),
            basic(b"<client>:" + b"s" * 1_025),
            basic(b"c" * 129 + b":<secret>"),
            basic(b"a\nb:<secret>"),
            basic(b"<client>:a\x00b"),
            "Basic " + "A" * 8_000,
        )
    ),
]


@pytest.fixture(autouse=True, scope="module")
async def app(world: World) -> None:
    """A client with a generated secret, which the rows name."""
    client = application_pb2.ClientApplication(
        grant_types=[application_pb2.GRANT_TYPE_CLIENT_CREDENTIALS], allowed_scopes=["openid"]
    )
    application = application_pb2.Application(
        id="asking", name="A", organization_id=world.ids["organization"], client=client
    )
    stub: Any = world.rest.almoner.stub(ApplicationServiceStub)
    request = application_service_pb2.CreateApplicationRequest(application=application)
    made = await stub.CreateApplication(request, metadata=world.rest.almoner.as_admin_token)
    world.ids |= {"client": application.id, "secret": made.client_secret}


def filled(world: World, authorization: str | None) -> str | None:
    """Returns credentials with what they stand for."""
    scheme, _, value = (authorization or "").partition(" ")
    if scheme != "Basic" or len(value) % 4:
        return authorization
    try:
        text = base64.b64decode(value, validate=True).decode()
    except ValueError:
        return authorization
    return basic(world.fill(text).encode())


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.path.rpartition('/')[2][:40]}-{i}" for i, row in enumerate(ROWS)])
@pytest.mark.usefixtures("unchanged")
async def test_it_is_refused(world: World, row: Row) -> None:
    headers = [] if row.json or row.content is None else [FORM]

    answer = await world.rest.send(
        "POST", world.fill(row.path), data=row.content, headers=headers, by=filled(world, row.by)
    )

    body = answer.json()
    assert (answer.status, body["statusCode"]) == (row.status, row.status), answer.content
    assert body.keys() == {
        "statusCode", "traceId", "cspErrorCode", "message", "moduleCode", "requestId", "metadata",
    }  # fmt: skip
    assert body["message"]
    assert ("WWW-Authenticate" in answer.headers) == (row.status == 401)


@pytest.mark.usefixtures("unchanged")
async def test_what_is_asked_for_properly_is_given_and_writes_nothing(world: World) -> None:
    for path in (f"{CPN}?orgId=<organization>", CSP, CSP_TOKEN):
        answer = await world.rest.send("POST", world.fill(path), data=BY_CLIENT, headers=[FORM], by=filled(world, GOOD))

        assert answer.status == 200, answer


@pytest.mark.usefixtures("unchanged")
async def test_requests_that_no_route_takes_are_answered_in_the_same_form(world: World) -> None:
    for method, path, status in (
        ("GET", CPN, 405),
        ("GET", CSP, 405),
        ("DELETE", CSP_EXCHANGE, 405),
        ("POST", f"{CSP}/x", 404),
        ("POST", "/csp/gateway/am/api/auth", 404),
        ("POST", "/cphub/api/auth/v3/authn/authorize", 404),
    ):
        answer = await world.rest.send(method, path, by=None)

        assert (answer.status, answer.json()["statusCode"]) == (status, status), path
    answer = await world.rest.send("POST", CSP, data=b"x" * 2 * 1024 * 1024, headers=[FORM], by=None)
    assert (answer.status, answer.json()["statusCode"]) == (413, 413)


def test_the_table_is_long() -> None:
    assert len(ROWS) > 100
