# SPDX-License-Identifier: Apache-2.0
"""Failures in Workato's form (contract section 7): `{"message"}`, and `errors` by member where input is at fault."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING

from gateway.dialects.workato.bodies import WorkatoErrorBody
from gateway.failures import REQUIRED, Failure
from gateway.routing import ErrorForm, Refusal, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

# Documented, but for 429, whose body is not.
MESSAGES: Mapping[HTTPStatus, str] = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: "Unauthorized",
        HTTPStatus.NOT_FOUND: "Not found",
        HTTPStatus.TOO_MANY_REQUESTS: "Too many requests",
        HTTPStatus.INTERNAL_SERVER_ERROR: "Server error",
    }
)
"""Messages that are always the same."""

STATUSES: Mapping[str, HTTPStatus] = MappingProxyType(
    {
        # Observed: a client role without the privilege is answered like a bad token.
        "PERMISSION_MISSING": HTTPStatus.UNAUTHORIZED,
        # Inferred: what answers the deletion of a profile in use is not documented.
        "PROFILE_IN_USE": HTTPStatus.BAD_REQUEST,
    }
)
"""Statuses that differ from the usual ones, by reason."""

VALIDATION_FAILED = "Validation failed"
BLANK = "can't be blank"
EMPTY = "expected str of length >= 1"


def render(refused: Refused) -> Refusal:
    """Words a failure as Workato does."""
    failure = refused.failure
    status = STATUSES.get(failure.reason, failure.status)
    body = WorkatoErrorBody(MESSAGES.get(status, failure.message), errors=_errors(failure))
    if status == HTTPStatus.BAD_REQUEST and body.errors:
        body.message = VALIDATION_FAILED
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        body.id = _uuid(refused.request_id)
    return Refusal(status, body)


def _uuid(request_id: str) -> str:
    """Returns a request id of ours as the UUID that is documented; one of the client's may be anything."""
    try:
        return str(uuid.UUID(request_id))
    except ValueError:
        return request_id


def _errors(failure: Failure) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for member, description in failure.violations:
        if member:
            errors.setdefault(member, []).append(BLANK if description in {REQUIRED, EMPTY} else description)
    return errors


ERRORS = ErrorForm(
    body=WorkatoErrorBody,
    render=render,
    challenge='Bearer realm="almoner"',
    content_type="application/json; charset=utf-8",
)
