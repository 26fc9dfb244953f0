# SPDX-License-Identifier: Apache-2.0
"""Failures outside every dialect: problem details (RFC 9457)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from gateway.routing import ErrorForm, Refusal, Refused

if TYPE_CHECKING:
    from gateway.failures import Failure


class InvalidMember(msgspec.Struct):
    """A member of the request at fault."""

    member: str
    detail: str


class Problem(msgspec.Struct, omit_defaults=True):
    """Problem details (RFC 9457 section 3), with extension members of our own."""

    title: str
    status: Annotated[int, msgspec.Meta(ge=400, le=599)]
    detail: str
    reason: str
    request_id: str
    type: str = "about:blank"
    errors: list[InvalidMember] = []


def problem(failure: Failure, request_id: str) -> Problem:
    """Returns the problem details of a failure."""
    return Problem(
        title=failure.status.phrase,
        status=int(failure.status),
        detail=failure.message,
        reason=failure.reason,
        request_id=request_id,
        errors=[InvalidMember(member, description) for member, description in failure.violations],
    )


def render(refused: Refused) -> Refusal:
    """Words a failure as problem details."""
    return Refusal(refused.failure.status, problem(refused.failure, refused.request_id))


PROBLEM = ErrorForm(
    body=Problem,
    render=render,
    challenge='Bearer realm="almoner"',
    content_type="application/problem+json",
)
