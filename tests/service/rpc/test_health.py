# SPDX-License-Identifier: Apache-2.0
"""The services that are not our own: health, which anybody may ask, and reflection, which can be switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from service.server import SERVICES
from tests.running import running

if TYPE_CHECKING:
    from pathlib import Path

    import grpc

    from tests.databases import SqliteTemplate
    from tests.running import Almoner

SERVING = health_pb2.HealthCheckResponse.SERVING


def health(channel: grpc.aio.Channel) -> Any:
    return health_pb2_grpc.HealthStub(channel)


@pytest.mark.parametrize("authorization", ["", "Bearer test-api-token-of-admin", "Bearer nonsense", "nonsense"])
async def test_anybody_may_ask_for_health(served: Almoner, authorization: str, *, over_grpc: bool) -> None:
    channel: Any = served.channel if over_grpc else served.service.local_channel()
    reply = await health(channel).Check(health_pb2.HealthCheckRequest(), metadata=(("authorization", authorization),))
    assert reply.status == SERVING


async def test_the_health_of_an_unknown_service_is_not_known(served: Almoner, *, over_grpc: bool) -> None:
    channel: Any = served.channel if over_grpc else served.service.local_channel()
    with pytest.raises(AioRpcError) as raised:
        await health(channel).Check(health_pb2.HealthCheckRequest(service="nonsense"))
    assert raised.value.code() == StatusCode.NOT_FOUND


async def test_health_can_be_watched(served: Almoner, *, over_grpc: bool) -> None:
    channel: Any = served.channel if over_grpc else served.service.local_channel()
    watch = health(channel).Watch(health_pb2.HealthCheckRequest())
    async for reply in watch:
        assert reply.status == SERVING
        break
    watch.cancel()


def reflection(channel: Any) -> Any:
    return reflection_pb2_grpc.ServerReflectionStub(channel)


async def reflected(channel: grpc.aio.Channel) -> set[str]:
    stub = reflection(channel)
    calls = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    return {service.name async for reply in calls for service in reply.list_services_response.service}


async def test_reflection_lists_the_services_of_the_api(served: Almoner) -> None:
    assert await reflected(served.channel) >= {*SERVICES, "grpc.reflection.v1alpha.ServerReflection"}


async def test_reflection_describes_them_with_all_that_they_import(served: Almoner) -> None:
    stub = reflection(served.channel)
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol="almoner.v1.ProfileService")
    (reply,) = [reply async for reply in stub.ServerReflectionInfo(iter([request]))]
    files = b"".join(reply.file_descriptor_response.file_descriptor_proto)
    for name in (b"almoner/v1/profile_service.proto", b"almoner/v1/profile.proto", b"buf/validate/validate.proto"):
        assert name in files


async def test_reflection_can_be_switched_off(sqlite_template: SqliteTemplate, tmp_path: Path) -> None:
    async with running(sqlite_template, tmp_path, over_grpc=True, reflection=False) as almoner:
        with pytest.raises(AioRpcError) as raised:
            await reflected(almoner.channel)
        assert raised.value.code() == StatusCode.UNIMPLEMENTED
        assert (await health(almoner.channel).Check(health_pb2.HealthCheckRequest())).status == SERVING
