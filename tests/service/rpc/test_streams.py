# SPDX-License-Identifier: Apache-2.0
"""Methods that stream their replies: the same interceptors for as long as the stream lasts, over each transport."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from grpc import StatusCode
from grpc.aio import EOF, AioRpcError
from prometheus_client import REGISTRY

from almoner.v1.directory_service_pb2 import WhoAmIRequest, WhoAmIResponse
from service.errors import NotFound, Reason
from service.rpc.call import current_call, current_caller
from tests.refusals import read_refusal
from tests.service.rpc.conftest import RPC_TIMEOUT
from tests.service.rpc.fakes import streaming

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.running import Almoner

SECRET = "s3cr3t-m4rk"


def named(username: str) -> WhoAmIResponse:
    reply = WhoAmIResponse()
    reply.user.username = username
    return reply


async def count_to_three(_request: WhoAmIRequest, _context: Any) -> AsyncGenerator[WhoAmIResponse, None]:
    for number in range(1, 4):
        yield named(str(number))


class Endless:
    """A method that says one thing and then nothing, and remembers that it has ended."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def method(self) -> Any:
        async def say_and_wait(_request: WhoAmIRequest, _context: Any) -> AsyncGenerator[WhoAmIResponse, None]:
            try:
                yield named("first")
                await asyncio.Event().wait()
            finally:
                self.ended.set()

        return say_and_wait


async def names_of(call: Any) -> list[str]:
    return [reply.user.username async for reply in call]


async def refusal_of(call: Any) -> Any:
    with pytest.raises(AioRpcError) as raised:
        await names_of(call)
    return read_refusal(raised.value)


def counted(method: str, code: str) -> float:
    labels = {"method": method, "code": code}
    return REGISTRY.get_sample_value("almoner_rpc_duration_seconds_count", labels) or 0


async def test_messages_come_in_order_and_then_the_end(served: Almoner, *, over_grpc: bool) -> None:
    async with streaming(served.service, count_to_three, over_grpc=over_grpc) as fake:
        call = fake.stream()
        assert await names_of(call) == ["1", "2", "3"]
        assert await call.code() == StatusCode.OK
        assert (call.done(), call.cancelled()) == (True, False)


async def test_messages_can_be_read_one_by_one(served: Almoner, *, over_grpc: bool) -> None:
    async with streaming(served.service, count_to_three, over_grpc=over_grpc) as fake:
        call = fake.stream()
        assert [(await call.read()).user.username for _ in range(3)] == ["1", "2", "3"]
        assert [await call.read(), await call.read()] == [EOF, EOF]


async def test_a_refusal_comes_after_the_messages_before_it(served: Almoner, *, over_grpc: bool) -> None:
    async def refuse(_request: WhoAmIRequest, _context: Any) -> AsyncGenerator[WhoAmIResponse, None]:
        yield named("before")
        raise NotFound(Reason.PROFILE_NOT_FOUND, "there is no profile 7", metadata={"id": "7"})

    async with streaming(served.service, refuse, over_grpc=over_grpc) as fake:
        call = fake.stream()
        assert (await call.read()).user.username == "before"
        with pytest.raises(AioRpcError) as raised:
            await call.read()
        assert (await call.code(), await call.details()) == (StatusCode.NOT_FOUND, "there is no profile 7")
        assert len(tuple(await call.trailing_metadata())) == 1
    assert read_refusal(raised.value).reason == "PROFILE_NOT_FOUND"


async def test_the_text_of_an_exception_never_reaches_the_client(served: Almoner, *, over_grpc: bool) -> None:
    async def fail(_request: WhoAmIRequest, _context: Any) -> AsyncGenerator[WhoAmIResponse, None]:
        yield named("before")
        raise ValueError(SECRET)

    async with streaming(served.service, fail, over_grpc=over_grpc) as fake:
        with structlog.testing.capture_logs() as logs, pytest.raises(AioRpcError) as raised:
            await names_of(fake.stream((("x-request-id", "the-request"),)))
    refusal = read_refusal(raised.value)
    assert (refusal.code, refusal.metadata) == (StatusCode.INTERNAL, {"request_id": "the-request"})
    assert SECRET not in repr(raised.value) + str(raised.value.trailing_metadata())
    assert [entry["error"] for entry in logs if entry["event"] == "rpc.failed"] == ["ValueError"]


async def test_a_stream_of_the_api_needs_credentials_and_knows_its_caller(served: Almoner, *, over_grpc: bool) -> None:
    async def answer(_request: WhoAmIRequest, _context: Any) -> AsyncGenerator[WhoAmIResponse, None]:
        yield named(current_caller().username)
        yield named(current_call().request_id)

    async with streaming(served.service, answer, over_grpc=over_grpc, package="almoner.v1") as fake:
        assert (await refusal_of(fake.stream())).reason == "CREDENTIALS_MISSING"
        call = fake.stream((*served.as_admin_token, ("x-request-id", "the-request")))
        assert await names_of(call) == ["admin", "the-request"]


async def test_a_stream_outlasts_the_servers_limit_of_a_call(quick: Almoner, *, over_grpc: bool) -> None:
    async def wait_long(_request: WhoAmIRequest, _context: Any) -> AsyncGenerator[WhoAmIResponse, None]:
        yield named("before")
        await asyncio.sleep(2 * RPC_TIMEOUT)
        yield named("after")

    async with streaming(quick.service, wait_long, over_grpc=over_grpc) as fake:
        assert await names_of(fake.stream()) == ["before", "after"]


async def test_the_clients_deadline_ends_a_stream(served: Almoner, *, over_grpc: bool) -> None:
    endless = Endless()
    async with streaming(served.service, endless.method(), over_grpc=over_grpc) as fake:
        started = time.monotonic()
        with pytest.raises(AioRpcError) as raised:
            await names_of(fake.stream(timeout=0.1))
        assert time.monotonic() - started >= 0.1
        await asyncio.wait_for(endless.ended.wait(), 5)
    assert raised.value.code() == StatusCode.DEADLINE_EXCEEDED


async def test_a_client_may_cancel_a_stream(served: Almoner, *, over_grpc: bool) -> None:
    endless = Endless()
    async with streaming(served.service, endless.method(), over_grpc=over_grpc) as fake:
        call = fake.stream()
        assert (await call.read()).user.username == "first"
        assert call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.read()
        assert await call.code() == StatusCode.CANCELLED
        assert call.cancelled()
        await asyncio.wait_for(endless.ended.wait(), 5)
        async with asyncio.timeout(5):
            while not counted(fake.method, "CANCELLED"):  # noqa: ASYNC110 - a counter tells nobody
                await asyncio.sleep(0.001)


async def test_a_reader_who_gives_up_ends_the_stream(served: Almoner, *, over_grpc: bool) -> None:
    endless = Endless()
    async with streaming(served.service, endless.method(), over_grpc=over_grpc) as fake:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await names_of(fake.stream())
        await asyncio.wait_for(endless.ended.wait(), 5)


async def test_in_process_a_stream_that_nobody_has_any_more_ends(served: Almoner) -> None:
    endless = Endless()
    async with streaming(served.service, endless.method(), over_grpc=False) as fake:
        call = fake.stream()
        await call.read()
        del call
        gc.collect()
        await asyncio.wait_for(endless.ended.wait(), 5)


async def test_a_stream_is_being_served_until_its_end(served: Almoner, *, over_grpc: bool) -> None:
    endless = Endless()
    async with streaming(served.service, endless.method(), over_grpc=over_grpc) as fake:
        call = fake.stream()
        await call.read()
        assert (counted(fake.method, "OK"), counted(fake.method, "CANCELLED")) == (0, 0)
        call.cancel()
        await asyncio.wait_for(endless.ended.wait(), 5)


async def test_a_slow_reader_holds_its_stream_up(served: Almoner, *, over_grpc: bool) -> None:
    """What is made and not read yet is bounded by the flow control of the transport."""
    made = 0
    large = named("x" * 100_000)

    async def make_many(_request: WhoAmIRequest, _context: Any) -> AsyncGenerator[WhoAmIResponse, None]:
        nonlocal made
        for _ in range(10_000):
            made += 1
            yield large

    async with streaming(served.service, make_many, over_grpc=over_grpc) as fake:
        call = fake.stream()
        await call.read()
        before = -1
        while made != before:
            before = made
            await asyncio.sleep(0.1)
        assert made < 500
        call.cancel()


async def test_an_unknown_stream_is_unimplemented(served: Almoner, *, over_grpc: bool) -> None:
    channel: Any = served.channel if over_grpc else served.service.local_channel()
    call = channel.unary_stream("/almoner.v1.ProfileService/Nonsense", request_serializer=lambda _: b"")(None)
    with pytest.raises(AioRpcError) as raised:
        await names_of(call)
    assert (raised.value.code(), raised.value.details()) == (StatusCode.UNIMPLEMENTED, "Method not found!")


async def test_a_request_that_is_no_message_is_the_clients_fault(served: Almoner) -> None:
    async with streaming(served.service, count_to_three, over_grpc=True) as fake:
        raw: Any = fake.channel.unary_stream(fake.method, request_serializer=None, response_deserializer=None)
        with pytest.raises(AioRpcError) as raised:
            _ = [message async for message in raw(b"\xff\xff\xff\xff")]
    assert read_refusal(raised.value).reason == "INVALID_FIELD"
