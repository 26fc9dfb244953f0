# SPDX-License-Identifier: Apache-2.0
"""What a client gets to hear of an error: its status and its details, and nothing that was not meant for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import grpc
import pytest
import structlog
from google.rpc import error_details_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_status import rpc_status
from sqlalchemy.exc import IntegrityError, ProgrammingError

from almoner.v1 import application_service_pb2, directory_service_pb2, profile_service_pb2
from almoner.v1.directory_service_pb2 import WhoAmIRequest, WhoAmIResponse
from service import errors
from service.errors import DomainError, InvalidField, NotFound, Reason, Violation
from service.rpc import status
from tests.refusals import read_refusal, refusal_of
from tests.service.rpc.fakes import faking

if TYPE_CHECKING:
    from tests.running import Almoner

SECRET = "s3cr3t-m4rk"

BUGS = {
    "a bug": ValueError(SECRET),
    "a missing key": KeyError(SECRET),
    "a failed assertion": AssertionError(SECRET),
    "a database's own text": ProgrammingError(f"SELECT '{SECRET}'", {"p": SECRET}, Exception(SECRET)),
    "a broken constraint": IntegrityError(f"INSERT '{SECRET}'", {"p": SECRET}, Exception(SECRET)),
    "a file that is not there": FileNotFoundError(2, SECRET, SECRET),
    "an exhausted iterator": StopAsyncIteration(SECRET),
    "an end of time of its own": TimeoutError(SECRET),
    "several at once": ExceptionGroup(SECRET, [ValueError(SECRET)]),
}


@pytest.mark.parametrize("error", BUGS.values(), ids=BUGS)
async def test_the_text_of_an_exception_never_reaches_the_client(
    served: Almoner, error: Exception, *, over_grpc: bool
) -> None:
    async def fail(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        raise error

    async with faking(served.service, fail, over_grpc=over_grpc) as fake:
        with structlog.testing.capture_logs() as logs, pytest.raises(AioRpcError) as raised:
            await fake.call((("x-request-id", "the-request"),))

    refusal = read_refusal(raised.value)
    assert (refusal.code, refusal.reason) == (StatusCode.INTERNAL, "INTERNAL")
    assert refusal.metadata == {"request_id": "the-request"}
    assert raised.value.details() == "internal error"
    assert SECRET not in repr(raised.value) + str(raised.value) + str(raised.value.trailing_metadata())
    (logged,) = [entry for entry in logs if entry["event"] == "rpc.failed"]
    assert (logged["request_id"], logged["error"]) == ("the-request", type(error).__name__)


async def test_a_fault_has_a_request_id_even_if_the_client_gave_none(served: Almoner, *, over_grpc: bool) -> None:
    async def fail(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        raise ValueError

    async with faking(served.service, fail, over_grpc=over_grpc) as fake:
        first, second = await refusal_of(fake.call()), await refusal_of(fake.call())
    assert len(first.metadata["request_id"]) == 32
    assert first.metadata != second.metadata


def _subclasses(of: type[DomainError]) -> set[type[DomainError]]:
    return {of, *(found for each in of.__subclasses__() for found in _subclasses(each))}


def _example(kind: type[DomainError]) -> DomainError:
    special: dict[type[DomainError], tuple[Any, ...]] = {
        errors.InvalidField: (Violation("profile.name", "is required"),),
        errors.InvalidUpdateMask: ("id",),
        errors.InvalidFilter: ("is no filter", 3),
        errors.InvalidOrderBy: ("takes id",),
        errors.EtagMismatch: ('"2"',),
        errors.SlowDown: (5,),
        errors.IssuerUnavailable: ("https://issuer.example",),
        errors.ProviderUnavailable: ("http_503", 7),
        errors.ConsentLost: ("unanswered",),
        errors.ProviderRefused: ("invalid_client",),
    }
    own = "__init__" in vars(kind)
    return kind(*special.get(kind, () if own else (Reason.BUILT_IN, "no")))


KINDS = sorted(_subclasses(DomainError) - {DomainError}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_domain_error_is_told_as_it_is(served: Almoner, kind: type[DomainError], *, over_grpc: bool) -> None:
    error = _example(kind)

    async def refuse(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        raise error

    async with faking(served.service, refuse, over_grpc=over_grpc) as fake:
        with pytest.raises(AioRpcError) as raised:
            await fake.call()
    refusal = read_refusal(raised.value)
    assert refusal == (
        StatusCode[error.code],
        error.reason,
        error.metadata,
        [violation.field for violation in error.violations],
        error.retry_after,
    )
    assert raised.value.details() == error.message


async def test_a_status_that_a_method_chose_itself_passes(served: Almoner, *, over_grpc: bool) -> None:
    async def abort(_request: WhoAmIRequest, context: Any) -> WhoAmIResponse:
        await context.abort(StatusCode.DATA_LOSS, "gone", (("key", "value"),))
        raise AssertionError

    async with faking(served.service, abort, over_grpc=over_grpc) as fake:
        with pytest.raises(AioRpcError) as raised:
            await fake.call()
    assert (raised.value.code(), raised.value.details()) == (StatusCode.DATA_LOSS, "gone")
    assert ("key", "value") in list(raised.value.trailing_metadata())


METHODS = {
    f"/{service.full_name}/{method.name}": method
    for module in (profile_service_pb2, application_service_pb2, directory_service_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


@pytest.mark.parametrize("method", METHODS)
async def test_a_request_that_is_no_message_is_the_clients_fault(served: Almoner, method: str) -> None:
    raw: Any = served.channel.unary_unary(method, request_serializer=None, response_deserializer=None)
    for nonsense in (b"\xff\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe" if _starts_with_text(method) else b"\x07"):
        refusal = await refusal_of(raw(nonsense, metadata=served.as_admin_token))
        assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


def _starts_with_text(method: str) -> bool:
    """Whether field 1 of the request is text, which must be UTF-8."""
    field = METHODS[method].input_type.fields_by_number.get(1)
    return field is not None and field.type == field.TYPE_STRING


async def test_text_that_is_no_utf8_is_the_clients_fault(served: Almoner) -> None:
    raw: Any = served.channel.unary_unary(
        "/almoner.v1.ProfileService/CreateProfile", request_serializer=None, response_deserializer=None
    )
    name_of_ff = b"\x0a\x04\x32\x02\xff\xff"
    refusal = await refusal_of(raw(name_of_ff, metadata=served.as_admin_token))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_members_of_a_later_version_are_ignored(served: Almoner) -> None:
    raw: Any = served.channel.unary_unary(
        "/almoner.v1.DirectoryService/WhoAmI", response_deserializer=WhoAmIResponse.FromString
    )
    reply = await raw(b"\xfa\x7f\x05hello", metadata=served.as_admin_token)
    assert reply.user.username == "admin"


async def test_a_request_that_is_too_large_is_refused_unread(served: Almoner) -> None:
    raw: Any = served.channel.unary_unary("/almoner.v1.DirectoryService/WhoAmI")
    with pytest.raises(AioRpcError) as raised:
        await raw(b"\x00" * (served.settings.max_body_bytes + 1), metadata=served.as_admin_token)
    assert raised.value.code() == StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    "method",
    [
        "/almoner.v1.ProfileService/Nonsense",
        "/almoner.v1.Nonsense/GetProfile",
        "/almoner.v1.ProfileService/",
        "/nonsense",
        "/almoner.v2.ProfileService/GetProfile",
    ],
)
async def test_an_unknown_method_is_unimplemented(served: Almoner, method: str, *, over_grpc: bool) -> None:
    channel: Any = served.channel if over_grpc else served.service.local_channel()
    call = channel.unary_unary(method, request_serializer=None, response_deserializer=None)
    for metadata in ((), served.as_admin_token):
        with pytest.raises(AioRpcError) as raised:
            await call(b"", metadata=metadata)
        assert (raised.value.code(), raised.value.details()) == (StatusCode.UNIMPLEMENTED, "Method not found!")


def test_a_status_has_its_details_in_one_trailing_member() -> None:
    abort = status.to_abort(NotFound(Reason.PROFILE_NOT_FOUND, "there is no profile 7", metadata={"id": "7"}))
    assert (abort.code, abort.details) == (StatusCode.NOT_FOUND, "there is no profile 7")
    ((key, _),) = abort.trailing_metadata
    assert key == "grpc-status-details-bin"


def _details(abort: status.AbortWith) -> list[Any]:
    error = AioRpcError(abort.code, grpc.aio.Metadata(), grpc.aio.Metadata(*abort.trailing_metadata), abort.details)
    found = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert found is not None
    unpacked = []
    for detail in found.details:
        kind = getattr(error_details_pb2, detail.TypeName().rpartition(".")[2])()
        detail.Unpack(kind)
        unpacked.append(kind)
    return unpacked


@pytest.mark.parametrize(("error", "seconds"), [(errors.TooManyAttempts(), 1), (errors.SlowDown(5), 5)])
def test_who_asks_too_often_is_told_when_to_come_back(error: DomainError, seconds: int) -> None:
    info, retry = _details(status.to_abort(error))
    assert info.reason == error.reason
    assert retry.retry_delay.seconds == seconds


def test_as_many_violations_are_told_as_there_is_room_for() -> None:
    many = [Violation(f"user.role_ids[{n}]", "must be greater than 0") for n in range(500)]
    _, request = _details(status.to_abort(InvalidField(*many)))
    assert [violation.field for violation in request.field_violations] == [
        violation.field for violation in many[: status.MOST_VIOLATIONS]
    ]
    long = [Violation("x" * 5000, "y" * 5000) for _ in range(500)]
    abort = status.to_abort(InvalidField(*long))
    _, request = _details(abort)
    assert [len(violation.field) for violation in request.field_violations] == [510, 510]
    assert request.field_violations[0].field.endswith("x…")
    assert len(abort.details.encode()) == status.LONGEST_TEXT


@pytest.mark.parametrize("letter", ["x", "ü", "\N{GRINNING FACE}", '"', "\n", "%"])
async def test_a_status_fits_into_headers_however_much_is_wrong(
    served: Almoner, letter: str, *, over_grpc: bool
) -> None:
    """A client that counts 8 KiB of headers may refuse longer ones, and some tries in a thousand would not show it."""
    text = letter * 5000
    violations = tuple(Violation(text, text) for _ in range(500))
    error = NotFound(Reason.PROFILE_NOT_FOUND, text, metadata={"id": text, "user": text}, violations=violations)

    async def refuse(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        raise error

    async with faking(served.service, refuse, over_grpc=over_grpc) as fake:
        assert (await refusal_of(fake.call())).reason == "PROFILE_NOT_FOUND"
    abort = status.to_abort(error)
    in_base64 = sum(-(-len(value) // 3) * 4 for _, value in abort.trailing_metadata)
    assert in_base64 + len(quote(abort.details)) < 8 * 1024 - 256


async def test_text_for_people_may_have_any_letters(served: Almoner, *, over_grpc: bool) -> None:
    error = NotFound(Reason.USER_NOT_FOUND, "no “Ünï” \N{GRINNING FACE}\n%41", metadata={"id": "Ü\n"})

    async def refuse(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        raise error

    async with faking(served.service, refuse, over_grpc=over_grpc) as fake:
        with pytest.raises(AioRpcError) as raised:
            await fake.call()
    assert raised.value.details() == error.message
    assert read_refusal(raised.value).metadata == {"id": "Ü\n"}


async def test_a_cancelled_call_is_not_an_error(served: Almoner, *, over_grpc: bool) -> None:
    started = asyncio.Event()

    async def wait(_request: WhoAmIRequest, _context: Any) -> WhoAmIResponse:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    with structlog.testing.capture_logs() as logs:
        async with faking(served.service, wait, over_grpc=over_grpc) as fake:
            call = asyncio.create_task(fake.call())
            await started.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
    assert [entry for entry in logs if entry["event"] == "rpc.failed"] == []
