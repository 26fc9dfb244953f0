# SPDX-License-Identifier: Apache-2.0
"""Everything that can go wrong with a request, as one value: refusals of the service and the gateway's own.

The only place that reads a gRPC status. Dialects turn a Failure into their documented body; they never see gRPC.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc import aio
from grpc_status import rpc_status

if TYPE_CHECKING:
    from collections.abc import Mapping

DOMAIN = "almoner"

HTTP_STATUS: Mapping[grpc.StatusCode, HTTPStatus] = MappingProxyType(
    {
        grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
        grpc.StatusCode.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
        grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
        grpc.StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
        grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
        # 409 rather than the 400 of google.rpc.Code: the request is good, the state of the resource is in its way.
        grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.CONFLICT,
        grpc.StatusCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
        grpc.StatusCode.ABORTED: HTTPStatus.CONFLICT,
        grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
        grpc.StatusCode.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
        grpc.StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
        # A stopping service cancels what it cannot finish.
        grpc.StatusCode.CANCELLED: HTTPStatus.SERVICE_UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
        grpc.StatusCode.UNKNOWN: HTTPStatus.INTERNAL_SERVER_ERROR,
        grpc.StatusCode.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
        grpc.StatusCode.DATA_LOSS: HTTPStatus.INTERNAL_SERVER_ERROR,
    }
)
"""HTTP status of each gRPC code, but for the reasons in REASON_STATUS."""

REASON_STATUS: Mapping[str, HTTPStatus] = MappingProxyType({"ETAG_MISMATCH": HTTPStatus.PRECONDITION_FAILED})

MESSAGES: Mapping[HTTPStatus, str] = MappingProxyType(
    {
        HTTPStatus.INTERNAL_SERVER_ERROR: "internal error",
        HTTPStatus.SERVICE_UNAVAILABLE: "the service is not available; try again",
        HTTPStatus.GATEWAY_TIMEOUT: "the service did not answer in time; a change may or may not have been made",
    }
)
"""What is said of a failure that did not come from the service's own rules, whose text could tell too much."""

RETRIED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
DEFAULT_RETRY_AFTER = 1
"""Seconds after which to try again where the service names no time."""

REQUIRED = "is required"
"""Description of a violation by a member that is not there."""


class Violation(NamedTuple):
    """One member of the request at fault, by the dialect's name of it, and what is wrong with it."""

    member: str
    description: str


class Failure(Exception):
    """Why a request is refused.

    Attributes:
        status: HTTP status, unless the dialect has another one for it.
        reason: Value of almoner.v1.ErrorReason without its prefix, or one of the gateway's own.
        message: For people. Never holds a secret.
        violations: The members of the request at fault, if input was.
        metadata: Facts of the message for machines.
        retry_after: Seconds after which trying again makes sense, or None.
        allow: The methods that the resource has, where the method is at fault.
    """

    def __init__(
        self,
        status: HTTPStatus,
        reason: str,
        message: str,
        *,
        violations: tuple[Violation, ...] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after: int | None = None,
        allow: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.violations = violations
        self.metadata = metadata or {}
        self.retry_after = retry_after
        self.allow = allow


def invalid(reason: str, *violations: Violation) -> Failure:
    """Returns the refusal of input for what is wrong with the given members."""
    message = "; ".join(f"{member}: {description}" if member else description for member, description in violations)
    return Failure(HTTPStatus.BAD_REQUEST, reason, message, violations=violations)


def not_found(reason: str, identifier: str) -> Failure:
    """Returns the refusal of a request for something that is not there."""
    return Failure(HTTPStatus.NOT_FOUND, reason, "not found", metadata={"id": identifier})


def unexpected() -> Failure:
    """Returns what a client learns of a fault in the gateway: nothing."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return Failure(status, "INTERNAL", MESSAGES[status])


def from_rpc(error: aio.AioRpcError, members: Mapping[str, str]) -> Failure:
    """Returns what the service's refusal means over HTTP.

    Args:
        error: The refusal.
        members: The dialect's member for each path of a request message that it can set.
    """
    details = _details(error)
    info = error_details_pb2.ErrorInfo()
    _unpack(details, info)
    status = REASON_STATUS.get(info.reason, HTTP_STATUS.get(error.code(), HTTPStatus.INTERNAL_SERVER_ERROR))
    if info.domain != DOMAIN or status == HTTPStatus.INTERNAL_SERVER_ERROR:
        # The transport's text names addresses, an unknown server's text anything.
        return Failure(
            status,
            info.reason if info.domain == DOMAIN else "TRANSPORT",
            MESSAGES.get(status, status.phrase.lower()),
            retry_after=_retry_after(details, status),
        )
    violations = _violations(details, members)
    message = invalid(info.reason, *violations).message if violations else error.details() or status.phrase.lower()
    return Failure(
        status,
        info.reason,
        message,
        violations=violations,
        metadata=dict(info.metadata),
        retry_after=_retry_after(details, status),
    )


def _details(error: aio.AioRpcError) -> status_pb2.Status:
    # from_call wants a synchronous call and reads only what an AioRpcError has too.
    try:
        return rpc_status.from_call(cast("grpc.Call", error)) or status_pb2.Status()
    except (ValueError, DecodeError):
        # A status that contradicts its own details, or no status at all, says nothing.
        return status_pb2.Status()


def _unpack(details: status_pb2.Status, into: Message) -> bool:
    return any(detail.Unpack(into) for detail in details.details)


def _violations(details: status_pb2.Status, members: Mapping[str, str]) -> tuple[Violation, ...]:
    bad_request = error_details_pb2.BadRequest()
    _unpack(details, bad_request)
    return tuple(
        Violation(member_of(violation.field, members), violation.description)
        for violation in bad_request.field_violations
    )


def _retry_after(details: status_pb2.Status, status: HTTPStatus) -> int | None:
    retry = error_details_pb2.RetryInfo()
    if _unpack(details, retry):
        return max(1, retry.retry_delay.seconds + (retry.retry_delay.nanos > 0))
    return DEFAULT_RETRY_AFTER if status in RETRIED else None


_SUBSCRIPT = re.compile(r"\[[^]]*]")


def member_of(path: str, members: Mapping[str, str]) -> str:
    """Returns the dialect's name of a path in a request message; the path itself where the dialect has none.

    `user.role_ids[2]` is looked up without its subscript, which is then put behind the member.
    """
    subscripts = "".join(_SUBSCRIPT.findall(path))
    member = members.get(_SUBSCRIPT.sub("", path))
    return path if member is None else member + subscripts
