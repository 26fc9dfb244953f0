# SPDX-License-Identifier: Apache-2.0
"""To a stub, the in-process channel is a real one: the same replies, statuses, details and trailing metadata."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc.aio import AioRpcError
from grpc_health.v1 import health_pb2, health_pb2_grpc

from almoner.v1 import application_service_pb2_grpc as a
from almoner.v1 import directory_pb2, profile_pb2
from almoner.v1 import directory_service_pb2_grpc as d
from almoner.v1 import profile_service_pb2_grpc as p
from almoner.v1.application_service_pb2 import GetApplicationRequest, ListApplicationsRequest
from almoner.v1.directory_service_pb2 import (
    CreateUserRequest,
    DeleteOrganizationRequest,
    DeleteRoleRequest,
    GetUserRequest,
    ListUsersRequest,
    UpdateUserRequest,
    WhoAmIRequest,
    WhoAmIResponse,
)
from almoner.v1.profile_service_pb2 import (
    CreateProfileRequest,
    DeleteProfileRequest,
    GetProfileRequest,
    ListProfilesRequest,
    UpdateProfileRequest,
)
from service.rpc.call import current_call, current_caller
from tests.running import Almoner, as_user, running
from tests.service.profiles.desk import own
from tests.service.rpc.fakes import faking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message

    from tests.databases import SqliteTemplate
    from tests.running import Metadata


class Both(NamedTuple):
    """One service, over a real socket and in process."""

    real: Almoner
    local: Any


@pytest.fixture(scope="module")
async def both(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    async with running(sqlite_template, tmp_path_factory.mktemp("both"), over_grpc=True) as almoner:
        yield Both(almoner, almoner.service.local_channel())


class Outcome(NamedTuple):
    """What a client sees of a call."""

    reply: Message | None
    code: grpc.StatusCode = grpc.StatusCode.OK
    details: str | None = ""
    trailing: tuple[tuple[str, str | bytes], ...] = ()


async def outcome_of(channel: Any, stub: Any, method: str, request: Message, **options: Any) -> Outcome:
    try:
        return Outcome(await getattr(stub(channel), method)(request, **options))
    except AioRpcError as error:
        return Outcome(None, error.code(), error.details(), tuple(error.trailing_metadata()))


ADMIN = Almoner.as_admin_token
PROFILE = profile_pb2.Profile

CALLS: dict[str, tuple[Any, str, Message, Metadata]] = {
    "a reply": (d.DirectoryServiceStub, "WhoAmI", WhoAmIRequest(), ADMIN),
    "a reply to a password": (d.DirectoryServiceStub, "WhoAmI", WhoAmIRequest(), Almoner.as_admin),
    "an empty list": (p.ProfileServiceStub, "ListProfiles", ListProfilesRequest(), ADMIN),
    "a list": (d.DirectoryServiceStub, "ListUsers", ListUsersRequest(organization_id="-", order_by="id desc"), ADMIN),
    "no credentials": (d.DirectoryServiceStub, "WhoAmI", WhoAmIRequest(), ()),
    "wrong credentials": (d.DirectoryServiceStub, "WhoAmI", WhoAmIRequest(), as_user("admin", "wrong")),
    "nothing there": (p.ProfileServiceStub, "GetProfile", GetProfileRequest(id=70), ADMIN),
    "nothing there by name": (a.ApplicationServiceStub, "GetApplication", GetApplicationRequest(id="ü"), ADMIN),
    "nothing to delete": (p.ProfileServiceStub, "DeleteProfile", DeleteProfileRequest(id=70), ADMIN),
    "a missing member": (p.ProfileServiceStub, "CreateProfile", CreateProfileRequest(), ADMIN),
    "members at fault": (
        p.ProfileServiceStub, "CreateProfile",
        CreateProfileRequest(profile=own("x" * 300, description="\0", access_token="a\nb"), request_id="x"), ADMIN,
    ),
    "a required member": (p.ProfileServiceStub, "CreateProfile", CreateProfileRequest(profile=PROFILE()), ADMIN),
    "no such path": (
        p.ProfileServiceStub, "UpdateProfile",
        UpdateProfileRequest(profile=PROFILE(id=70), update_mask=FieldMask(paths=["ünï"])), ADMIN,
    ),
    "no filter": (p.ProfileServiceStub, "ListProfiles", ListProfilesRequest(filter="name = ("), ADMIN),
    "no order": (a.ApplicationServiceStub, "ListApplications", ListApplicationsRequest(order_by="x"), ADMIN),
    "no page": (p.ProfileServiceStub, "ListProfiles", ListProfilesRequest(page_token="x"), ADMIN),
    "nobody to act for": (
        p.ProfileServiceStub, "ListProfiles", ListProfilesRequest(), (*ADMIN, ("almoner-on-behalf-of", "%C3%BC")),
    ),
    "a permission too few": (
        p.ProfileServiceStub, "ListProfiles", ListProfilesRequest(),
        (*ADMIN, ("almoner-required-permissions", "NONSENSE")),
    ),
    "a name that is taken": (
        d.DirectoryServiceStub, "CreateUser", CreateUserRequest(user=directory_pb2.User(username="admin")), ADMIN,
    ),
    "an old etag": (
        d.DirectoryServiceStub, "UpdateUser",
        UpdateUserRequest(user=directory_pb2.User(id=1, display_name="x"), etag='"70"'), ADMIN,
    ),
    "a state that does not allow it": (d.DirectoryServiceStub, "DeleteRole", DeleteRoleRequest(id=1), ADMIN),
    "an organization that is no UUID": (
        d.DirectoryServiceStub, "DeleteOrganization", DeleteOrganizationRequest(id="x"), ADMIN,
    ),
    "health": (health_pb2_grpc.HealthStub, "Check", health_pb2.HealthCheckRequest(), ()),
    "health of nothing": (health_pb2_grpc.HealthStub, "Check", health_pb2.HealthCheckRequest(service="x"), ()),
}  # fmt: skip


@pytest.mark.parametrize(("stub", "method", "request_message", "metadata"), CALLS.values(), ids=CALLS)
async def test_a_call_ends_alike(both: Both, stub: Any, method: str, request_message: Message, metadata: Any) -> None:
    real = await outcome_of(both.real.channel, stub, method, request_message, metadata=metadata)
    local = await outcome_of(both.local, stub, method, request_message, metadata=metadata)
    assert local == real


@pytest.mark.parametrize(
    "metadata",
    [(), (("a", "1"), ("a", "2"), ("b-bin", b"\x00\xff")), grpc.aio.Metadata(("a", "1"), ("b-bin", b"\x00"))],
    ids=["none", "a tuple", "Metadata"],
)
async def test_a_method_gets_the_same_metadata(both: Both, metadata: Any) -> None:
    seen: list[list[Any]] = []

    async def look(_request: WhoAmIRequest, context: Any) -> WhoAmIResponse:
        seen.append([pair for pair in context.invocation_metadata() if pair[0] != "user-agent"])
        return WhoAmIResponse()

    for over_grpc in (True, False):
        async with faking(both.real.service, look, over_grpc=over_grpc) as fake:
            await fake.call(metadata)
    assert [tuple(pair) for pair in seen[1]] == [tuple(pair) for pair in seen[0]]


async def test_a_method_may_end_in_every_way_that_grpc_has(both: Both) -> None:
    async def set_code(_request: WhoAmIRequest, context: Any) -> WhoAmIResponse:
        context.set_code(grpc.StatusCode.DATA_LOSS)
        context.set_details("lost")
        context.set_trailing_metadata((("key", "value"), ("key-bin", b"\x00")))
        return WhoAmIResponse()

    async def abort(_request: WhoAmIRequest, context: Any) -> WhoAmIResponse:
        await context.abort(grpc.StatusCode.DATA_LOSS, "lost", (("key", "value"), ("key-bin", b"\x00")))
        raise AssertionError

    async def abort_plainly(_request: WhoAmIRequest, context: Any) -> WhoAmIResponse:
        await context.abort(grpc.StatusCode.DATA_LOSS)
        raise AssertionError

    for behavior in (set_code, abort, abort_plainly):
        ends = []
        for over_grpc in (True, False):
            async with faking(both.real.service, behavior, over_grpc=over_grpc) as fake:
                with pytest.raises(AioRpcError) as raised:
                    await fake.call()
            error = raised.value
            ends.append((error.code(), error.details(), tuple(error.trailing_metadata())))
        assert ends[1] == ends[0]


async def test_a_method_knows_how_long_it_has(both: Both) -> None:
    remaining: list[float | None] = []

    async def look(_request: WhoAmIRequest, context: Any) -> WhoAmIResponse:
        remaining.append(context.time_remaining())
        return WhoAmIResponse()

    for over_grpc in (True, False):
        async with faking(both.real.service, look, over_grpc=over_grpc) as fake:
            await fake.call()
            await fake.call(timeout=10)
    endless, ten, endless_too, ten_too = remaining
    assert endless is endless_too is None
    for left in (ten, ten_too):
        assert left is not None
        assert 9 < left < 10.5  # gRPC rounds


async def test_an_unknown_method_ends_alike(both: Both) -> None:
    ends = []
    for channel in (both.real.channel, both.local):
        call: Any = channel.unary_unary("/almoner.v1.ProfileService/Nonsense", request_serializer=lambda _: b"")
        with pytest.raises(AioRpcError) as raised:
            await call(None)
        ends.append((raised.value.code(), raised.value.details(), tuple(raised.value.trailing_metadata())))
    assert ends[0] == ends[1]


async def test_options_that_only_a_socket_needs_are_taken(both: Both) -> None:
    for channel in (both.real.channel, both.local):
        reply = await d.DirectoryServiceStub(channel).WhoAmI(
            WhoAmIRequest(), metadata=ADMIN, timeout=10, wait_for_ready=True, compression=grpc.Compression.Gzip
        )
        assert reply.user.username == "admin"


async def test_a_reply_is_the_callers_own(both: Both) -> None:
    stub: Any = d.DirectoryServiceStub(both.local)
    first = await stub.GetUser(GetUserRequest(id=1), metadata=ADMIN)
    first.user.username = "changed"
    second = await stub.GetUser(GetUserRequest(id=1), metadata=ADMIN)
    assert second.user.username == "admin"


async def test_a_stub_can_be_called_again_and_by_many_at_once(both: Both) -> None:
    stub: Any = d.DirectoryServiceStub(both.local)
    replies = await asyncio.gather(*(stub.WhoAmI(WhoAmIRequest(), metadata=ADMIN) for _ in range(100)))
    assert {reply.user.username for reply in replies} == {"admin"}


async def test_errors_of_some_do_not_reach_the_others(both: Both) -> None:
    stub: Any = d.DirectoryServiceStub(both.local)
    calls = [stub.WhoAmI(WhoAmIRequest(), metadata=ADMIN if n % 2 else ()) for n in range(50)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(result, AioRpcError) for result in results] == [n % 2 == 0 for n in range(50)]


async def test_cancelling_a_caller_cancels_their_call_and_no_other(both: Both) -> None:
    started, ended = asyncio.Semaphore(0), []
    go_on = asyncio.Event()

    async def wait(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        started.release()
        try:
            await go_on.wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        ended.append("answered")
        return WhoAmIResponse()

    async with faking(both.real.service, wait, over_grpc=False) as fake:
        one, other = asyncio.create_task(fake.call()), asyncio.create_task(fake.call())
        for _ in range(2):
            await started.acquire()
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        go_on.set()
        assert await other == WhoAmIResponse()
    assert ended == ["cancelled", "answered"]


async def test_the_channel_can_be_closed_and_the_service_stays(both: Both) -> None:
    channel = both.real.service.local_channel()
    await channel.close()
    assert (await outcome_of(both.local, d.DirectoryServiceStub, "WhoAmI", WhoAmIRequest(), metadata=ADMIN)).reply


# What a call leaves behind in the caller's own context.


async def test_a_call_leaves_no_call_behind(both: Both) -> None:
    await outcome_of(both.local, d.DirectoryServiceStub, "WhoAmI", WhoAmIRequest(), metadata=ADMIN)
    await outcome_of(both.local, d.DirectoryServiceStub, "WhoAmI", WhoAmIRequest())
    with pytest.raises(LookupError):
        current_call()


async def test_a_cancelled_call_leaves_no_call_behind(both: Both) -> None:
    async def wait(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with faking(both.real.service, wait, over_grpc=False) as fake:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await fake.call()
    with pytest.raises(LookupError):
        current_call()


async def test_a_call_inside_a_call_gives_the_outer_one_back(both: Both) -> None:
    seen: list[tuple[str, str]] = []

    async def inner(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        seen.append((current_call().request_id, current_caller().username))
        return WhoAmIResponse()

    async with faking(both.real.service, inner, over_grpc=False, package="almoner.v1") as inside:

        async def outer(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
            for _ in range(2):
                seen.append((current_call().request_id, "outer"))
                await inside.call((*ADMIN, ("x-request-id", "inside")))
            return WhoAmIResponse()

        async with faking(both.real.service, outer, over_grpc=False) as outside:
            await outside.call((("x-request-id", "outside"),))
    assert seen == [("outside", "outer"), ("inside", "admin")] * 2


async def test_context_variables_of_one_call_are_not_seen_by_another(both: Both) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    seen = []
    together = asyncio.Barrier(2)

    async def look(_request: WhoAmIRequest, context: Any) -> WhoAmIResponse:
        await together.wait()
        seen.append((dict(context.invocation_metadata())["name"], current_call().text("name"), variable.get()))
        variable.set(current_call().text("name"))
        await together.wait()
        return WhoAmIResponse()

    async with faking(both.real.service, look, over_grpc=False) as fake:
        for _ in range(2):
            await asyncio.gather(*(fake.call((("name", name),)) for name in ("one", "other")))
    assert sorted(seen) == [("one", "one", "none")] * 2 + [("other", "other", "none")] * 2
    assert variable.get() == "none"
