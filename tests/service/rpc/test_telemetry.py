# SPDX-License-Identifier: Apache-2.0
"""What an operator sees of the calls: metrics, the access log, spans; all under one request id."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from grpc import StatusCode
from grpc.aio import AioRpcError
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from almoner.v1.directory_service_pb2 import GetUserRequest, WhoAmIRequest, WhoAmIResponse
from service.rpc import interceptors
from tests.refusals import refusal_of
from tests.running import running
from tests.service.rpc.fakes import faking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.databases import SqliteTemplate
    from tests.running import Almoner, Metadata

WHO_AM_I = "/almoner.v1.DirectoryService/WhoAmI"
GET_USER = "/almoner.v1.DirectoryService/GetUser"


def counted(method: str, code: str) -> float:
    labels = {"method": method, "code": code}
    return REGISTRY.get_sample_value("almoner_rpc_duration_seconds_count", labels) or 0


def refused(reason: str) -> float:
    return REGISTRY.get_sample_value("almoner_authentication_refused_total", {"reason": reason}) or 0


def being_served() -> float:
    return REGISTRY.get_sample_value("almoner_rpc_running") or 0


async def who_am_i(almoner: Almoner, metadata: Metadata) -> Any:
    return await almoner.directory.WhoAmI(WhoAmIRequest(), metadata=metadata)


async def test_every_call_is_counted_and_timed_by_method_and_code(local: Almoner) -> None:
    before = counted(WHO_AM_I, "OK"), counted(WHO_AM_I, "UNAUTHENTICATED"), counted(GET_USER, "NOT_FOUND")
    await who_am_i(local, local.as_admin_token)
    await who_am_i(local, local.as_admin_token)
    await refusal_of(who_am_i(local, ()))
    await refusal_of(local.directory.GetUser(GetUserRequest(id=2**40), metadata=local.as_admin_token))
    after = counted(WHO_AM_I, "OK"), counted(WHO_AM_I, "UNAUTHENTICATED"), counted(GET_USER, "NOT_FOUND")
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1, 1]
    seconds = REGISTRY.get_sample_value("almoner_rpc_duration_seconds_sum", {"method": WHO_AM_I, "code": "OK"})
    assert seconds is not None
    assert 0 < seconds < 60


async def test_calls_that_are_being_served_are_shown(
    sqlite_template: SqliteTemplate, tmp_path: Path, *, over_grpc: bool
) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        started.set()
        await go_on.wait()
        return WhoAmIResponse()

    # The gauge is the newest service's, which in a process of its own is the only one.
    async with (
        running(sqlite_template, tmp_path) as almoner,
        faking(almoner.service, wait, over_grpc=over_grpc) as fake,
    ):
        call = asyncio.create_task(fake.call())
        await started.wait()
        assert being_served() == 1
        go_on.set()
        await call
        assert being_served() == 0


async def test_a_cancelled_call_is_counted_as_such(served: Almoner, *, over_grpc: bool) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def wait(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    async with faking(served.service, wait, over_grpc=over_grpc) as fake:
        call = asyncio.create_task(fake.call())
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await ended.wait()
        await asyncio.sleep(0)
    assert (counted(fake.method, "CANCELLED"), counted(fake.method, "OK")) == (1, 0)


async def test_refused_credentials_are_counted_by_reason(local: Almoner) -> None:
    before = refused("CREDENTIALS_MISSING"), refused("CREDENTIALS_INVALID")
    await refusal_of(who_am_i(local, ()))
    await refusal_of(who_am_i(local, (("authorization", "Bearer nonsense"),)))
    await refusal_of(who_am_i(local, (("authorization", "Bearer nonsense"),)))
    after = refused("CREDENTIALS_MISSING"), refused("CREDENTIALS_INVALID")
    assert (after[0] - before[0], after[1] - before[1]) == (1, 2)


async def test_names_of_methods_that_do_not_exist_make_no_metrics(served: Almoner) -> None:
    """A stranger could make as many as they like."""
    call: Any = served.channel.unary_unary("/almoner.v1.DirectoryService/Invented", request_serializer=None)
    with pytest.raises(AioRpcError):
        await call(b"")
    assert "Invented" not in str(list(REGISTRY.collect()))


async def test_the_access_log_says_who_called_what_and_how_it_ended(local: Almoner) -> None:
    with structlog.testing.capture_logs() as logs:
        await who_am_i(local, (*local.as_admin_token, ("x-request-id", "the-request")))
        await refusal_of(who_am_i(local, (("x-request-id", "another"),)))
    lines = [entry for entry in logs if entry["event"] == "rpc.served"]
    assert [(entry["method"], entry["code"], entry["user"], entry["request_id"]) for entry in lines] == [
        (WHO_AM_I, "OK", "admin", "the-request"),
        (WHO_AM_I, "UNAUTHENTICATED", None, "another"),
    ]
    assert all(0 < entry["milliseconds"] < 10_000 for entry in lines)
    assert "test-api-token" not in str(logs)


async def test_without_an_access_log_nothing_is_logged(almoner: Almoner) -> None:
    with structlog.testing.capture_logs() as logs:
        await who_am_i(almoner, almoner.as_admin_token)
    assert logs == []


@pytest.mark.parametrize("given", ["a", "The-Request.1_2", "x" * 128, "60c635c0-734e-4e85-bb33-ea1b94d2e898"])
async def test_a_request_id_of_the_right_form_is_kept(local: Almoner, given: str) -> None:
    with structlog.testing.capture_logs() as logs:
        await who_am_i(local, (*local.as_admin_token, ("x-request-id", given)))
    assert [entry["request_id"] for entry in logs] == [given]


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "<script>", "a/b", '"a"', "a=b"])
async def test_another_request_id_is_replaced(local: Almoner, given: str) -> None:
    """What stands in a log line is not for a client to make up."""
    with structlog.testing.capture_logs() as logs:
        await who_am_i(local, (*local.as_admin_token, ("x-request-id", given)))
    (entry,) = logs
    assert uuid.UUID(hex=entry["request_id"]).hex == entry["request_id"]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The spans that an operator's own provider would get."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(interceptors, "_TRACER", provider.get_tracer("almoner"))
    yield exporter
    provider.shutdown()


async def test_with_a_provider_every_call_has_a_span(
    served: Almoner, spans: InMemorySpanExporter, *, over_grpc: bool
) -> None:
    async def answer(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        return WhoAmIResponse()

    async with faking(served.service, answer, over_grpc=over_grpc) as fake:
        await fake.call()
    (span,) = spans.get_finished_spans()
    assert (span.name, span.kind) == (fake.method, trace.SpanKind.SERVER)
    assert span.attributes is not None
    assert span.attributes["rpc.response.status_code"] == "OK"
    assert span.attributes["rpc.method"] == fake.method.removeprefix("/")


async def test_a_span_ends_with_the_status_and_holds_no_secret(
    served: Almoner, spans: InMemorySpanExporter, *, over_grpc: bool
) -> None:
    async def fail(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        raise ValueError("s3cr3t-m4rk")

    async with faking(served.service, fail, over_grpc=over_grpc) as fake:
        refusal = await refusal_of(fake.call((("authorization", "Bearer s3cr3t-m4rk"),)))
        assert refusal.code == StatusCode.INTERNAL
        # The client has the status before the method has ended.
        async with asyncio.timeout(10):
            while not spans.get_finished_spans():  # noqa: ASYNC110 - an exporter tells nobody
                await asyncio.sleep(0.001)
    (span,) = spans.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["rpc.response.status_code"] == "INTERNAL"
    assert "s3cr3t" not in span.to_json()
