# SPDX-License-Identifier: Apache-2.0
"""The one way from a domain error to a gRPC status with google.rpc details (AIP-193)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from service.errors import DomainError, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.errors import Violation

DOMAIN = "almoner"
DETAILS_KEY = "grpc-status-details-bin"

# A status travels in headers, as percent-encoded text and in base64, and many clients bound headers to 8 KiB together.
LONGEST_TEXT = 512
"""Bytes of UTF-8 of a message, a path or a value; longer ones are cut."""

MOST_VIOLATIONS = 16
VIOLATIONS_SIZE = 2560
"""Bytes of all violations together; there is one at least."""


Detail: TypeAlias = error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo


class AbortWith(NamedTuple):
    """The arguments of `context.abort`."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def to_abort(error: DomainError) -> AbortWith:
    """Returns the status of a domain error: its code, its message, and details for machines."""
    code = grpc.StatusCode[error.code]
    message = _short(error.message)
    details: list[Detail] = [_error_info(error.reason, error.metadata)]
    if error.violations:
        details.append(_bad_request(error.violations))
    if error.retry_after:
        details.append(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=error.retry_after)))
    return _abort(code, message, details)


def internal(request_id: str) -> AbortWith:
    """Returns the status of a fault of ours. It says nothing but where to look."""
    info = _error_info(Reason.INTERNAL, {"request_id": request_id})
    return _abort(grpc.StatusCode.INTERNAL, "internal error", [info])


def _abort(code: grpc.StatusCode, message: str, details: Sequence[Detail]) -> AbortWith:
    packed = [any_pb2.Any() for _ in details]
    for box, detail in zip(packed, details, strict=True):
        box.Pack(detail)
    status = status_pb2.Status(code=code.value[0], message=message, details=packed)
    return AbortWith(code, message, ((DETAILS_KEY, status.SerializeToString()),))


def _error_info(reason: Reason, metadata: dict[str, str]) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(
        reason=reason.value, domain=DOMAIN, metadata={key: _short(value) for key, value in metadata.items()}
    )


def _bad_request(violations: Sequence[Violation]) -> error_details_pb2.BadRequest:
    request, size = error_details_pb2.BadRequest(), 0
    for violation in violations[:MOST_VIOLATIONS]:
        shown = error_details_pb2.BadRequest.FieldViolation(
            field=_short(violation.field), description=_short(violation.description)
        )
        size += shown.ByteSize()
        if request.field_violations and size > VIOLATIONS_SIZE:
            break
        request.field_violations.append(shown)
    return request


def _short(text: str) -> str:
    encoded = text.encode()
    if len(encoded) <= LONGEST_TEXT:
        return text
    return encoded[: LONGEST_TEXT - len("…".encode())].decode(errors="ignore") + "…"
