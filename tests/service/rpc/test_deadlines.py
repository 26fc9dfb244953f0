# SPDX-License-Identifier: Apache-2.0
"""How long a call may take: as long as its client gives it, and never longer than the server does."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from almoner.v1.directory_pb2 import Organization
from almoner.v1.directory_service_pb2 import (
    CreateOrganizationRequest,
    ListOrganizationsRequest,
    WhoAmIRequest,
    WhoAmIResponse,
)
from tests.refusals import refusal_of
from tests.running import running
from tests.service.rpc.conftest import RPC_TIMEOUT
from tests.service.rpc.fakes import faking

if TYPE_CHECKING:
    from pathlib import Path

    from service.storage.store import Tx
    from tests.databases import SqliteTemplate
    from tests.running import Almoner


class Dawdler:
    """A method that does not end by itself, and remembers how it ended."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self, _request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        raise AssertionError


@pytest.fixture
def dawdler() -> Dawdler:
    return Dawdler()


async def test_the_server_ends_a_call_that_has_no_deadline(
    quick: Almoner, dawdler: Dawdler, *, over_grpc: bool
) -> None:
    async with faking(quick.service, dawdler, over_grpc=over_grpc) as fake:
        started = time.monotonic()
        refusal = await refusal_of(fake.call())
        elapsed = time.monotonic() - started
    assert (refusal.code, refusal.reason) == (StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    assert elapsed >= RPC_TIMEOUT
    assert dawdler.ended.is_set()


async def test_the_server_ends_a_call_whose_deadline_is_too_far(
    quick: Almoner, dawdler: Dawdler, *, over_grpc: bool
) -> None:
    async with faking(quick.service, dawdler, over_grpc=over_grpc) as fake:
        refusal = await refusal_of(fake.call(timeout=3600))
    assert (refusal.code, refusal.reason) == (StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")


async def test_the_clients_deadline_ends_a_call_sooner(quick: Almoner, dawdler: Dawdler, *, over_grpc: bool) -> None:
    async with faking(quick.service, dawdler, over_grpc=over_grpc) as fake:
        started = time.monotonic()
        with pytest.raises(AioRpcError) as raised:
            await fake.call(timeout=0.05)
        elapsed = time.monotonic() - started
        await asyncio.wait_for(dawdler.ended.wait(), 5)
    assert raised.value.code() == StatusCode.DEADLINE_EXCEEDED
    assert 0.05 <= elapsed < RPC_TIMEOUT


async def test_a_deadline_that_has_passed_already(quick: Almoner, dawdler: Dawdler, *, over_grpc: bool) -> None:
    async with faking(quick.service, dawdler, over_grpc=over_grpc) as fake:
        with pytest.raises(AioRpcError) as raised:
            await fake.call(timeout=0)
    assert raised.value.code() == StatusCode.DEADLINE_EXCEEDED


async def test_a_call_in_time_is_not_disturbed_later(quick: Almoner, *, over_grpc: bool) -> None:
    async def quickly(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        return WhoAmIResponse()

    async with faking(quick.service, quickly, over_grpc=over_grpc) as fake:
        await fake.call(timeout=0.1)
        await asyncio.sleep(0.15)
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


async def test_a_method_may_have_short_deadlines_of_its_own(quick: Almoner, *, over_grpc: bool) -> None:
    async def try_and_give_up(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return WhoAmIResponse()
        raise AssertionError

    async with faking(quick.service, try_and_give_up, over_grpc=over_grpc) as fake:
        assert await fake.call() == WhoAmIResponse()


async def test_a_cancelled_call_is_cancelled_and_not_late(quick: Almoner, dawdler: Dawdler, *, over_grpc: bool) -> None:
    async with faking(quick.service, dawdler, over_grpc=over_grpc) as fake:
        call = asyncio.create_task(fake.call())
        await dawdler.started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(dawdler.ended.wait(), 5)


async def test_an_outer_timeout_stays_what_it_is(quick: Almoner, dawdler: Dawdler, *, over_grpc: bool) -> None:
    async with faking(quick.service, dawdler, over_grpc=over_grpc) as fake:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await fake.call()
        await asyncio.wait_for(dawdler.ended.wait(), 5)


async def test_a_task_that_is_being_cancelled_can_still_call(
    quick: Almoner, dawdler: Dawdler, *, over_grpc: bool
) -> None:
    """As one does that cleans up after itself."""
    codes: list[StatusCode] = []

    async def clean_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            with pytest.raises(AioRpcError) as raised:
                await fake.call(timeout=0.05)
            codes.append(raised.value.code())

    async with faking(quick.service, dawdler, over_grpc=over_grpc) as fake:
        task = asyncio.create_task(clean_up())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert codes == [StatusCode.DEADLINE_EXCEEDED]


async def test_a_write_whose_deadline_passes_before_its_turn_is_not_done(
    sqlite_template: SqliteTemplate, tmp_path: Path
) -> None:
    async with running(sqlite_template, tmp_path) as almoner:
        held_up, begun, loop = threading.Event(), asyncio.Event(), asyncio.get_running_loop()

        def hold_up(_tx: Tx) -> None:
            loop.call_soon_threadsafe(begun.set)
            held_up.wait(5)

        holder = asyncio.create_task(almoner.service.store.sweep(hold_up))
        await begun.wait()
        request = CreateOrganizationRequest(organization=Organization(display_name="late"))
        refusal = await refusal_of(
            almoner.directory.CreateOrganization(request, metadata=almoner.as_admin_token, timeout=0.05)
        )
        held_up.set()
        await holder
        await almoner.organization("in time")
        listed = await almoner.directory.ListOrganizations(ListOrganizationsRequest(), metadata=almoner.as_admin_token)
    assert refusal.reason == "DEADLINE_EXCEEDED"
    assert [organization.display_name for organization in listed.organizations] == ["System", "in time"]
