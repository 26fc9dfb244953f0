# SPDX-License-Identifier: Apache-2.0
"""Failures of the token server: OAuth's (RFC 6749 section 5.2), with the texts that the vendor's server has."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.dialects.venafi.bodies import ErrorBody
from gateway.dialects.venafi.scopes import INVALID_SCOPE
from gateway.routing import ErrorForm, Refusal, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.failures import Failure

UNSUPPORTED_GRANT_TYPE: Final = "UNSUPPORTED_GRANT_TYPE"
"""Reason of the gateway's own for a grant type that there is not."""

MALFORMED = "The request is missing a required parameter or is otherwise malformed"
REFRESH_FAILED = "Grant has been revoked, has expired, or the refresh token is invalid"
REUSED = f"{REFRESH_FAILED}: it was used before, so its grant is revoked now"
OF_ANOTHER_CLIENT = (
    "The client_id value being requested with the refresh token does not match the client_id of the access token "
    "making the call"
)
TOKEN_FAILED = "The access token provided is expired, revoked, malformed, or invalid for other reasons"  # noqa: S105
NOT_ALLOWED = "Failed to issue grant: User is not authorized for the requested scope"


class Wording(NamedTuple):
    """How a failure is said.

    Attributes:
        error: The code.
        text: The description; empty: what the failure says itself.
        phrase: Reason phrase of the status line; empty: the usual one.
    """

    error: str
    text: str = ""
    phrase: str = ""


GRANTS: Mapping[str, Wording] = MappingProxyType(
    {
        INVALID_SCOPE: Wording("invalid_scope"),
        UNSUPPORTED_GRANT_TYPE: Wording("unsupported_grant_type"),
        "CLIENT_INVALID": Wording("invalid_client"),
        "CREDENTIALS_INVALID": Wording("invalid_grant"),
        # Of a certificate, by a gateway in another process than the service, which does not take its word.
        "CREDENTIALS_MISSING": Wording("invalid_grant", "Client certificates are not taken by a gateway of its own"),
        "ASSERTION_INVALID": Wording("invalid_grant"),
        "GRANT_TYPE_REFUSED": Wording("unauthorized_client"),
        "TOKEN_INVALID": Wording("invalid_grant", REFRESH_FAILED, REFRESH_FAILED),
        "REFRESH_TOKEN_REUSED": Wording("invalid_grant", REUSED, REFRESH_FAILED),
        "AUTHORIZATION_PENDING": Wording("authorization_pending"),
        "SLOW_DOWN": Wording("slow_down"),
        "AUTHORIZATION_DENIED": Wording("access_denied"),
        "DEVICE_CODE_EXPIRED": Wording("expired_token"),
    }
)
"""Refusals to give tokens, by reason. All are 400, those of clients and users too (RFC 6749 section 5.2)."""

STATUSES: Mapping[HTTPStatus, Wording] = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: Wording("invalid_token", TOKEN_FAILED),
        HTTPStatus.NOT_FOUND: Wording("not_found"),
        HTTPStatus.METHOD_NOT_ALLOWED: Wording("method_not_allowed"),
        HTTPStatus.TOO_MANY_REQUESTS: Wording("temporarily_unavailable"),
        HTTPStatus.INTERNAL_SERVER_ERROR: Wording("server_error"),
        HTTPStatus.SERVICE_UNAVAILABLE: Wording("temporarily_unavailable"),
        HTTPStatus.GATEWAY_TIMEOUT: Wording("temporarily_unavailable"),
    }
)
"""Everything else, by status. What is not here is a malformed request."""

BODILESS = (HTTPStatus.FORBIDDEN,)
"""Statuses whose failures say all in the status line: recorded of the vendor's server."""


def render(refused: Refused) -> Refusal:
    """Words a failure as an OAuth token server does."""
    failure = refused.failure
    if failure.status in BODILESS:
        return Refusal(failure.status, None, _forbidden(failure))
    if refused.route is not None and refused.route.method == "POST":
        wording = GRANTS.get(failure.reason)
        if failure.reason == "TOKEN_INVALID" and "client_id" in failure.metadata:
            wording = Wording("invalid_grant", OF_ANOTHER_CLIENT)
        if wording is not None:
            return _refusal(HTTPStatus.BAD_REQUEST, wording, failure)
    return _refusal(failure.status, STATUSES.get(failure.status, Wording("invalid_request")), failure)


def _refusal(status: HTTPStatus, wording: Wording, failure: Failure) -> Refusal:
    text = wording.text or failure.message
    if status == HTTPStatus.BAD_REQUEST and wording.error == "invalid_request":
        text = f"{MALFORMED}: {text}"
    return Refusal(status, ErrorBody(wording.error, text), wording.phrase)


def _forbidden(failure: Failure) -> str:
    return NOT_ALLOWED if failure.reason in {"GRANT_REFUSED", "SCOPE_REFUSED"} else failure.message


ERRORS = ErrorForm(
    body=ErrorBody,
    render=render,
    challenge='Bearer realm="almoner", error="invalid_token"',
    bodiless=BODILESS,
)
