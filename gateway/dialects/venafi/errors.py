# SPDX-License-Identifier: Apache-2.0
"""Failures in Venafi's two forms (contract section 1).

`{"error", "error_description"}` for what is wrong with a request or its caller, whose text the status line repeats;
`{"Error", "Result", "Success"}` with 200 for what is wrong with the things that it is about.
"""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.dialects.venafi.bodies import Done, ErrorBody
from gateway.dialects.venafi.scopes import INVALID_SCOPE
from gateway.routing import ErrorForm, Refusal, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.failures import Failure

API_KEY_DEPRECATED: Final = "API_KEY_DEPRECATED"
"""Reason of the gateway's own for credentials in X-Venafi-Api-Key."""


class Wording(NamedTuple):
    """How Venafi says one thing.

    Attributes:
        status: HTTP status.
        error: The word for machines.
        text: For people, with the places {message} and {scope}.
    """

    status: HTTPStatus
    error: str
    text: str = "{message}"


# Recorded from real servers.
INVALID_TOKEN = "The access token provided is expired, revoked, malformed, or invalid for other reasons"  # noqa: S105
MISSING_SCOPE = (
    "Grant rejected scope '{scope}'. Call POST Authorize/OAuth with the correct scope and restriction. "
    "Update the header with the new token and retry."
)

_BAD_TOKEN = Wording(HTTPStatus.UNAUTHORIZED, "invalid_token", INVALID_TOKEN)
_LOW_ROLE = Wording(HTTPStatus.UNAUTHORIZED, "insufficient_rights")
_BAD_REQUEST = Wording(HTTPStatus.BAD_REQUEST, "invalid_request")

WORDINGS: Mapping[str, Wording] = MappingProxyType(
    {
        "CREDENTIALS_MISSING": _BAD_TOKEN,
        "CREDENTIALS_INVALID": _BAD_TOKEN,
        API_KEY_DEPRECATED: Wording(HTTPStatus.UNAUTHORIZED, "invalid_token"),
        "PERMISSION_MISSING": _LOW_ROLE,
        "PERMISSION_ESCALATION": _LOW_ROLE,
        "SCOPE_MISSING": Wording(HTTPStatus.FORBIDDEN, "insufficient_scope", MISSING_SCOPE),
        # Inferred: browsers are no clients of this API.
        "CROSS_ORIGIN": Wording(HTTPStatus.FORBIDDEN, "access_denied"),
    }
)
"""What is said anywhere. Whatever is in no table is said by the name of its status, but for 400: invalid_request."""


class Result(NamedTuple):
    """A logical failure: its code, and a text if the service's own will not do."""

    code: int
    text: str = "{message}"


_APPLICATION_NOT_FOUND = Result(2, "The requested application could not be found")
_INVALID_PARAMETERS = 6

RESULTS: Mapping[str, Result] = MappingProxyType(
    {
        "APPLICATION_NOT_FOUND": _APPLICATION_NOT_FOUND,
        # Inferred: Venafi has no applications of another kind.
        "WRONG_KIND": _APPLICATION_NOT_FOUND,
        "GRANT_NOT_FOUND": Result(3, "The requested grant could not be found"),
        "ACCESS_RULE_NOT_FOUND": Result(4, "The requested rule could not be found"),
        INVALID_SCOPE: Result(17, "A requested scope was invalid: {message}"),
        # Inferred, all of them: no code is named for these.
        "ALREADY_EXISTS": Result(_INVALID_PARAMETERS),
        "USER_NOT_FOUND": Result(_INVALID_PARAMETERS, "Invalid parameters were provided: there is no such identity"),
        "JWT_MAPPING_NOT_FOUND": Result(_INVALID_PARAMETERS, "Invalid parameters were provided: no such JWT mapping"),
        "ORGANIZATION_NOT_FOUND": Result(_INVALID_PARAMETERS),
        "ROLE_BINDING_NOT_FOUND": Result(1, "The role is not granted"),
        "BUILT_IN": Result(1),
        "APPLICATION_IN_USE": Result(1),
    }
)
"""Failures with 200 at every route under /vedsdk (contract section 1, OAuth result codes)."""


def render(refused: Refused) -> Refusal:
    """Words a failure as Venafi does."""
    failure = refused.failure
    result = RESULTS.get(failure.reason)
    if result is not None:
        return Refusal(HTTPStatus.OK, Done(result.text.format(message=failure.message), result.code, success=False))
    status, error, text = WORDINGS.get(failure.reason) or _usual(failure)
    text = text.format(message=failure.message, scope=failure.metadata.get("scope", ""))
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        text = f"{text}; request id {refused.request_id}"
    return Refusal(status, ErrorBody(error, text), text)


def _usual(failure: Failure) -> Wording:
    if failure.status == HTTPStatus.BAD_REQUEST:
        return _BAD_REQUEST
    return Wording(failure.status, failure.status.name.lower())


ERRORS = ErrorForm(body=ErrorBody, render=render, challenge='Bearer realm="almoner"', within_success=True)
