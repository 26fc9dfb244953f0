# SPDX-License-Identifier: Apache-2.0
"""How Venafi words failures."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
import pytest

from gateway.dialects.venafi.errors import render
from gateway.failures import Failure
from gateway.routing import Refused

INVALID_TOKEN = "The access token provided is expired, revoked, malformed, or invalid for other reasons"


def rendered(failure: Failure) -> tuple[int, object, str]:
    refusal = render(Refused(failure, None, "request-1"))
    return int(refusal.status), msgspec.to_builtins(refusal.body), refusal.reason


@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [
        ("APPLICATION_NOT_FOUND", HTTPStatus.NOT_FOUND, 2),
        ("WRONG_KIND", HTTPStatus.CONFLICT, 2),
        ("GRANT_NOT_FOUND", HTTPStatus.NOT_FOUND, 3),
        ("ACCESS_RULE_NOT_FOUND", HTTPStatus.NOT_FOUND, 4),
        ("ALREADY_EXISTS", HTTPStatus.CONFLICT, 6),
        ("USER_NOT_FOUND", HTTPStatus.NOT_FOUND, 6),
        ("JWT_MAPPING_NOT_FOUND", HTTPStatus.NOT_FOUND, 6),
        ("INVALID_SCOPE", HTTPStatus.BAD_REQUEST, 17),
        ("BUILT_IN", HTTPStatus.CONFLICT, 1),
    ],
)
def test_a_logical_failure_is_a_result(reason: str, status: HTTPStatus, code: int) -> None:
    found, body, phrase = rendered(Failure(status, reason, "what is wrong"))

    assert (found, phrase) == (200, "")
    assert isinstance(body, dict)
    assert list(body) == ["Error", "Result", "Success"]
    assert (body["Result"], body["Success"]) == (code, False)


@pytest.mark.parametrize(
    ("reason", "given", "status", "error", "text"),
    [
        ("INVALID_BODY", HTTPStatus.BAD_REQUEST, 400, "invalid_request", "said"),
        ("INVALID_FIELD", HTTPStatus.BAD_REQUEST, 400, "invalid_request", "said"),
        ("MALFORMED_BODY", HTTPStatus.BAD_REQUEST, 400, "invalid_request", "said"),
        ("CREDENTIALS_MISSING", HTTPStatus.UNAUTHORIZED, 401, "invalid_token", INVALID_TOKEN),
        ("CREDENTIALS_INVALID", HTTPStatus.UNAUTHORIZED, 401, "invalid_token", INVALID_TOKEN),
        ("PERMISSION_MISSING", HTTPStatus.FORBIDDEN, 401, "insufficient_rights", "said"),
        ("PERMISSION_ESCALATION", HTTPStatus.FORBIDDEN, 401, "insufficient_rights", "said"),
        ("ROUTE_NOT_FOUND", HTTPStatus.NOT_FOUND, 404, "not_found", "said"),
        ("METHOD_NOT_ALLOWED", HTTPStatus.METHOD_NOT_ALLOWED, 405, "method_not_allowed", "said"),
        ("ETAG_MISMATCH", HTTPStatus.PRECONDITION_FAILED, 412, "precondition_failed", "said"),
        ("BODY_TOO_LARGE", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, 413, "request_entity_too_large", "said"),
        ("TOO_MANY_ATTEMPTS", HTTPStatus.TOO_MANY_REQUESTS, 429, "too_many_requests", "said"),
        ("INTERNAL", HTTPStatus.INTERNAL_SERVER_ERROR, 500, "internal_server_error", "said; request id request-1"),
        ("STORAGE_UNAVAILABLE", HTTPStatus.SERVICE_UNAVAILABLE, 503, "service_unavailable", "said"),
    ],
)
def test_any_other_failure_has_a_word_and_a_text_that_the_status_line_repeats(
    reason: str, given: HTTPStatus, status: int, error: str, text: str
) -> None:
    failure = Failure(given, reason, "said")

    assert rendered(failure) == (status, {"error": error, "error_description": text}, text)


def test_a_scope_that_is_missing_is_named_as_the_vendor_does() -> None:
    failure = Failure(HTTPStatus.FORBIDDEN, "SCOPE_MISSING", "said", metadata={"scope": "admin"})
    text = (
        "Grant rejected scope 'admin'. Call POST Authorize/OAuth with the correct scope and restriction. "
        "Update the header with the new token and retry."
    )

    assert rendered(failure) == (403, {"error": "insufficient_scope", "error_description": text}, text)
