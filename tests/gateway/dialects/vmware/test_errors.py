# SPDX-License-Identifier: Apache-2.0
"""How VMware words failures."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
import pytest

from gateway.dialects.vmware.errors import WORDINGS, render
from gateway.failures import Failure, Violation, invalid
from gateway.routing import Refused

TRACE = "95e83a84d839d920017b47f0ea480e7f"


def rendered(failure: Failure, trace_id: str = TRACE) -> dict[str, object]:
    refusal = render(Refused(failure, None, "request-1", trace_id))
    body: dict[str, object] = msgspec.to_builtins(refusal.body)
    assert body["statusCode"] == int(refusal.status)
    return body


def test_missing_credentials_are_said_as_recorded() -> None:
    failure = Failure(HTTPStatus.UNAUTHORIZED, "CREDENTIALS_MISSING", "said")

    assert rendered(failure) == {
        "statusCode": 401,
        "traceId": TRACE,
        "cspErrorCode": "250.100",
        "message": "Missing mandatory request header: authorization",
        "moduleCode": 250,
        "requestId": "request-1",
        "metadata": None,
    }


@pytest.mark.parametrize(
    ("reason", "status", "code", "message"),
    [
        ("CREDENTIALS_INVALID", HTTPStatus.UNAUTHORIZED, "250.401", "said"),
        ("CLIENT_INVALID", HTTPStatus.UNAUTHORIZED, "250.401", "invalid_client: said"),
        ("PERMISSION_MISSING", HTTPStatus.FORBIDDEN, "250.403", "said"),
        ("PERMISSION_ESCALATION", HTTPStatus.FORBIDDEN, "250.403", "said"),
        ("SECRET_ROTATION_REFUSED", HTTPStatus.FORBIDDEN, "250.403", "said"),
        ("CROSS_ORIGIN", HTTPStatus.FORBIDDEN, "300.403", "said"),
        ("APPLICATION_NOT_FOUND", HTTPStatus.NOT_FOUND, "300.404", "said"),
        ("MEMBERSHIP_NOT_FOUND", HTTPStatus.NOT_FOUND, "300.404", "said"),
        ("ORGANIZATION_NOT_FOUND", HTTPStatus.NOT_FOUND, "300.404", "Organization with this identifier is not found."),
        ("ROUTE_NOT_FOUND", HTTPStatus.NOT_FOUND, "300.404", "said"),
        ("METHOD_NOT_ALLOWED", HTTPStatus.METHOD_NOT_ALLOWED, "300.405", "said"),
        ("ALREADY_EXISTS", HTTPStatus.CONFLICT, "300.409", "said"),
        ("SECRET_LIMIT", HTTPStatus.CONFLICT, "300.409", "said"),
        ("ETAG_MISMATCH", HTTPStatus.PRECONDITION_FAILED, "300.412", "said"),
        ("BODY_TOO_LARGE", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "300.413", "said"),
        ("TOO_MANY_ATTEMPTS", HTTPStatus.TOO_MANY_REQUESTS, "300.429", "said"),
        ("INTERNAL", HTTPStatus.INTERNAL_SERVER_ERROR, "300.500", "said"),
        ("STORAGE_UNAVAILABLE", HTTPStatus.SERVICE_UNAVAILABLE, "300.503", "said"),
    ],
)
def test_a_code_is_a_module_and_a_number(reason: str, status: HTTPStatus, code: str, message: str) -> None:
    body = rendered(Failure(status, reason, "said"))

    assert (body["statusCode"], body["cspErrorCode"], body["message"]) == (int(status), code, message)
    assert body["moduleCode"] == int(code.partition(".")[0])
    assert body["metadata"] is None


def test_an_application_of_another_kind_is_not_there() -> None:
    assert rendered(Failure(HTTPStatus.CONFLICT, "WRONG_KIND", "application 7 is a provider"))["statusCode"] == 404


def test_members_at_fault_are_metadata() -> None:
    failure = invalid("INVALID_BODY", Violation("accessTokenTTL", "expected int >= 60"), Violation("", "is odd"))

    body = rendered(failure)

    assert body["message"] == "accessTokenTTL: expected int >= 60; is odd"
    assert body["metadata"] == {
        "violations": [
            {"member": "accessTokenTTL", "description": "expected int >= 60"},
            {"member": "", "description": "is odd"},
        ]
    }


def test_a_request_outside_every_trace_is_its_own() -> None:
    assert rendered(Failure(HTTPStatus.NOT_FOUND, "ROUTE_NOT_FOUND", "said"), trace_id="")["traceId"] == "request-1"


@pytest.mark.parametrize("reason", WORDINGS)
def test_braces_in_a_message_stay(reason: str) -> None:
    message = rendered(Failure(HTTPStatus.BAD_REQUEST, reason, "{x} {0}"))["message"]

    assert "{message}" not in str(message)
