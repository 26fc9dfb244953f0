# SPDX-License-Identifier: Apache-2.0
"""What a call was refused with: the status and its details, as a client reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from google.rpc import error_details_pb2
from grpc.aio import AioRpcError
from grpc_status import rpc_status

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from grpc import StatusCode


class Refusal(NamedTuple):
    """A status that is not OK.

    Attributes:
        code: Its code.
        reason: Reason of its ErrorInfo.
        metadata: Metadata of its ErrorInfo.
        fields: The members at fault, in order.
        retry_after: Seconds of its RetryInfo; 0: there is none.
    """

    code: StatusCode
    reason: str
    metadata: dict[str, str]
    fields: list[str]
    retry_after: int = 0


def read_refusal(error: AioRpcError) -> Refusal:
    """Returns what an error says."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None, error
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(request)
        detail.Unpack(retry)
    assert info.domain == "almoner"
    fields = [violation.field for violation in request.field_violations]
    return Refusal(error.code(), info.reason, dict(info.metadata), fields, retry.retry_delay.seconds)


async def refusal_of(call: Awaitable[Any]) -> Refusal:
    """Returns what a call is refused with; it is a failure of the test if it is not."""
    with pytest.raises(AioRpcError) as raised:
        await call
    return read_refusal(raised.value)
