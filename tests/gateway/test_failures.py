# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc.aio import AioRpcError, Metadata

from gateway.failures import HTTP_STATUS, from_rpc, member_of

if TYPE_CHECKING:
    from google.protobuf.message import Message


def refusal(code: grpc.StatusCode, text: str, *details: Message) -> AioRpcError:
    status = status_pb2.Status(code=code.value[0], message=text)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    trailing = Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return AioRpcError(code, Metadata(), trailing, text)


def info(reason: str, **metadata: str) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain="almoner", metadata=metadata)


def test_every_code_but_ok_has_a_status() -> None:
    assert set(HTTP_STATUS) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", 400),
        (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID", 401),
        (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING", 403),
        (grpc.StatusCode.NOT_FOUND, "PROFILE_NOT_FOUND", 404),
        (grpc.StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS", 409),
        (grpc.StatusCode.FAILED_PRECONDITION, "BUILT_IN", 409),
        (grpc.StatusCode.ABORTED, "ETAG_MISMATCH", 412),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS", 429),
        (grpc.StatusCode.INTERNAL, "INTERNAL", 500),
        (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE", 503),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", 504),
    ],
)
def test_a_refusal_has_the_status_of_its_code_and_keeps_its_reason(
    code: grpc.StatusCode, reason: str, status: int
) -> None:
    failure = from_rpc(refusal(code, "text", info(reason)), {})

    assert (failure.status, failure.reason) == (HTTPStatus(status), reason)


def test_violations_are_told_by_the_members_of_the_dialect() -> None:
    bad_request = error_details_pb2.BadRequest()
    bad_request.field_violations.add(field="profile.application_number", description="must be greater than 0")
    bad_request.field_violations.add(field="profile.owner_id", description="is output only")
    error = refusal(
        grpc.StatusCode.INVALID_ARGUMENT, "profile.application_number: …", info("INVALID_FIELD"), bad_request
    )

    failure = from_rpc(error, {"profile.application_number": "oauthAppId"})

    assert failure.message == "oauthAppId: must be greater than 0; profile.owner_id: is output only"
    assert [member for member, _ in failure.violations] == ["oauthAppId", "profile.owner_id"]


def test_what_the_transport_says_is_not_passed_on() -> None:
    error = AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), Metadata(), "connect to 10.0.0.7:50051 failed")

    failure = from_rpc(error, {})

    assert failure.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "10.0.0.7" not in failure.message
    assert failure.retry_after == 1


def test_the_text_of_an_internal_error_is_not_passed_on() -> None:
    failure = from_rpc(refusal(grpc.StatusCode.INTERNAL, "s3cret", info("INTERNAL")), {})

    assert failure.message == "internal error"


def test_another_servers_details_are_not_passed_on() -> None:
    other = error_details_pb2.ErrorInfo(reason="X", domain="elsewhere.example")

    failure = from_rpc(refusal(grpc.StatusCode.NOT_FOUND, "host elsewhere", other), {})

    assert (failure.status, failure.reason, failure.message) == (404, "TRANSPORT", "not found")


def test_a_retry_delay_is_rounded_up_to_seconds() -> None:
    retry = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=2, nanos=1))

    failure = from_rpc(refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "wait", info("TOO_MANY_ATTEMPTS"), retry), {})

    assert failure.retry_after == 3


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("user.role_ids", "permissions.roles"),
        ("user.role_ids[2]", "permissions.roles[2]"),
        ("user.email", "user.email"),
        ('link.attributes["folder_id"]', 'link.attributes["folder_id"]'),
    ],
)
def test_a_path_becomes_the_member_it_was_set_from(path: str, member: str) -> None:
    assert member_of(path, {"user.role_ids": "permissions.roles"}) == member
