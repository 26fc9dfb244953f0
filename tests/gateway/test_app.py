# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import grpc
import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer
from grpc_health.v1.health_pb2 import HealthCheckResponse

from gateway.app import create_app
from gateway.call import Call, Reply
from gateway.dialects import DIALECTS
from gateway.own import OWN
from gateway.problem import PROBLEM
from gateway.routing import Dialect, Route

if TYPE_CHECKING:
    from tests.gateway.conftest import Client, Script

BASIC = {"Authorization": "Basic YWRtaW46YWRtaW4="}
ROUTES = [route for dialect in (*DIALECTS, OWN) for route in dialect.routes]
GUARDED = [route for route in ROUTES if not route.anonymous]


def concrete(route: Route) -> str:
    return re.sub(r"{[^}]*}", "1", route.path)


@pytest.mark.parametrize("route", GUARDED, ids=[f"{r.method} {r.path}" for r in GUARDED])
async def test_without_credentials_nothing_is_called(client: Client, script: Script, route: Route) -> None:
    response = await client.request(route.method, concrete(route), data=b"{")

    assert response.status == 401
    assert response.headers["WWW-Authenticate"].split()[0] in {"Basic", "Bearer"}
    assert script.received == []


@pytest.mark.parametrize("path", sorted({concrete(route) for route in ROUTES}))
async def test_another_method_is_refused_and_told_the_right_ones(client: Client, path: str) -> None:
    response = await client.request("PROPFIND", path)

    assert response.status == 405
    assert set(response.headers["Allow"].split(", ")) - {"HEAD"} == {
        route.method for route in ROUTES if concrete(route) == path
    }


async def test_head_answers_like_get_without_a_body(client: Client) -> None:
    response = await client.head("/healthz")

    assert (response.status, await response.read()) == (200, b"")


@pytest.mark.parametrize(
    ("path", "content_type", "member"),
    [
        ("/api/mgmt/nothing", "application/json", "error"),
        ("/api/admin", "application/json", "error"),
        ("/api/custom_oauth_profiles/1/more", "application/json", "message"),
        ("/api/mgmtx", "application/problem+json", "detail"),
        ("/nothing", "application/problem+json", "detail"),
        ("/api/users%2Fme", "application/json", "message"),
    ],
)
async def test_an_unknown_path_is_refused_in_the_form_of_its_dialect(
    client: Client, path: str, content_type: str, member: str
) -> None:
    response = await client.get(path)

    assert (response.status, response.content_type) == (404, content_type)
    assert member in await response.json()


async def test_the_index_leads_to_everything(client: Client) -> None:
    index = await (await client.get("/")).json()

    assert index["name"] == "almoner"
    assert index["links"] == {
        "openapi": "/openapi.json",
        "health": "/healthz",
        "readiness": "/readyz",
        "jwks": "/.well-known/jwks.json",
    }


async def test_a_process_without_a_service_lives_but_is_not_ready() -> None:
    channel = grpc.aio.insecure_channel("unix:/nowhere/at/all")
    async with TestClient(TestServer(create_app(channel))) as client:
        alive, ready = await client.get("/healthz"), await client.get("/readyz")

    await channel.close()
    assert (alive.status, ready.status) == (200, 503)
    assert ready.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("serving", "status"), [(HealthCheckResponse.SERVING, 200), (HealthCheckResponse.NOT_SERVING, 503)]
)
async def test_readiness_is_the_services(client: Client, script: Script, serving: Any, status: int) -> None:
    script.replies["Check"] = HealthCheckResponse(status=serving)

    assert (await client.get("/readyz")).status == status


class Nothing(msgspec.Struct):
    """An empty body."""


async def echo(call: Call[None, None, None]) -> Reply:
    return Reply({"path": call.request.path})


FOLDING = Dialect(
    name="folding",
    title="A dialect of servers that fold case",
    prefixes=("/vedsdk",),
    routes=(Route("POST", "/vedsdk/OAuth/Update", echo, "Echo", "Test", reply=Nothing, body=Nothing, anonymous=True),),
    errors=PROBLEM,
    ignores_case=True,
)


@pytest.mark.parametrize("path", ["/vedsdk/OAuth/Update", "/VEDSDK/oauth/update", "//vedsdk//OAuth/Update"])
async def test_a_dialect_may_ignore_the_case_of_paths(channel: grpc.aio.Channel, path: str) -> None:
    async with TestClient(TestServer(create_app(channel, dialects=(FOLDING,)))) as client:
        origin = str(client.make_url("/")).removesuffix("/")

        assert (await client.session.post(origin + path, data=b"{}")).status == HTTPStatus.OK
        assert (await client.session.post(origin + path + "x", data=b"{}")).status == HTTPStatus.NOT_FOUND


async def test_a_fault_of_the_gateway_tells_nothing_but_the_request_id(
    channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(call: Call[None, None, None]) -> Reply:
        raise ZeroDivisionError("s3cret")

    dialect = Dialect(
        name="failing",
        title="Failing",
        prefixes=("/fail",),
        routes=(Route("GET", "/fail", fail, "Fail", "Test", anonymous=True),),
        errors=PROBLEM,
    )
    async with TestClient(TestServer(create_app(channel, dialects=(dialect,)))) as client:
        response = await client.get("/fail", headers={"X-Request-Id": "abc"})

        assert response.status == 500
        assert "s3cret" not in await response.text()
    assert "request id abc" in caplog.text


async def test_basic_credentials_reach_the_service(client: Client, script: Script) -> None:
    await client.get("/api/admin/permissions", headers=BASIC)

    assert script.only("WhoAmI").metadata["authorization"] == BASIC["Authorization"]
