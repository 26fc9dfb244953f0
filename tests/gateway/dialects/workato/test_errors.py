# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any

import msgspec
import pytest

from gateway.dialects.workato.errors import render
from gateway.failures import Failure, Violation, invalid
from gateway.routing import Refused

REQUEST_ID = "0123456789abcdef0123456789abcdef"


def rendered(failure: Failure, request_id: str = REQUEST_ID) -> tuple[int, Any]:
    refusal = render(Refused(failure, None, request_id))
    return int(refusal.status), msgspec.json.decode(msgspec.json.encode(refusal.body))


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (HTTPStatus.UNAUTHORIZED, "CREDENTIALS_INVALID", (401, {"message": "Unauthorized"})),
        (HTTPStatus.FORBIDDEN, "PERMISSION_MISSING", (401, {"message": "Unauthorized"})),
        (HTTPStatus.FORBIDDEN, "ON_BEHALF_REFUSED", (403, {"message": "text"})),
        (HTTPStatus.NOT_FOUND, "PROFILE_NOT_FOUND", (404, {"message": "Not found"})),
        (HTTPStatus.CONFLICT, "PROFILE_IN_USE", (400, {"message": "text"})),
        (HTTPStatus.CONFLICT, "ALREADY_EXISTS", (409, {"message": "text"})),
        (HTTPStatus.PRECONDITION_FAILED, "ETAG_MISMATCH", (412, {"message": "text"})),
        (HTTPStatus.TOO_MANY_REQUESTS, "TOO_MANY_ATTEMPTS", (429, {"message": "Too many requests"})),
    ],
)
def test_failures_have_the_documented_messages(
    status: HTTPStatus, reason: str, expected: tuple[int, dict[str, str]]
) -> None:
    assert rendered(Failure(status, reason, "text")) == expected


def test_input_at_fault_is_told_by_member() -> None:
    failure = invalid(
        "INVALID_BODY",
        Violation("name", "is required"),
        Violation("data.client_id", "expected str of length >= 1"),
        Violation("provider", "expected str, got int"),
    )

    assert rendered(failure) == (
        400,
        {
            "message": "Validation failed",
            "errors": {
                "name": ["can't be blank"],
                "data.client_id": ["can't be blank"],
                "provider": ["expected str, got int"],
            },
        },
    )


def test_a_body_that_cannot_be_read_has_no_member_at_fault() -> None:
    failure = invalid("MALFORMED_BODY", Violation("", "the body is not UTF-8"))

    assert rendered(failure) == (400, {"message": "the body is not UTF-8"})


def test_an_unknown_profile_in_a_body_is_told_by_its_member() -> None:
    violation = Violation("custom_oauth_profile_id", "there is no such profile")
    failure = Failure(HTTPStatus.CONFLICT, "PROFILE_NOT_FOUND", ": ".join(violation), violations=(violation,))

    assert rendered(failure) == (
        409,
        {
            "message": "custom_oauth_profile_id: there is no such profile",
            "errors": {"custom_oauth_profile_id": ["there is no such profile"]},
        },
    )


@pytest.mark.parametrize(("request_id", "shown"), [(REQUEST_ID, str(uuid.UUID(REQUEST_ID))), ("mine", "mine")])
def test_a_fault_of_the_server_has_an_id(request_id: str, shown: str) -> None:
    failure = Failure(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL", "internal error")

    assert rendered(failure, request_id) == (500, {"message": "Server error", "id": shown})
