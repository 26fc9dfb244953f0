# SPDX-License-Identifier: Apache-2.0
"""Failures in the form of VMware's Cloud Services Platform (contract section 6), which serves for both products.

`cspErrorCode` is the code of a module and a number within it. Recorded are 250.100 and the module 340 of refused tokens;
everywhere else the number is the HTTP status.
"""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.dialects.vmware.bodies import CspErrorBody, CspErrorMetadata, CspViolation
from gateway.routing import ErrorForm, Refusal, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.failures import Failure

CREDENTIALS: Final = 250
TOKENS: Final = 340
EVERYTHING_ELSE: Final = 300

ALREADY_MEMBER: Final = "ALREADY_MEMBER"
"""Reason of the gateway's own for clients that the organization has already."""

CLIENTS_NOT_FOUND: Final = "CLIENTS_NOT_FOUND"
"""Reason of the gateway's own for clients of which some are not there."""

UNSUPPORTED_GRANT_TYPE: Final = "UNSUPPORTED_GRANT_TYPE"
"""Reason of the gateway's own for a grant type that there is not."""

TOKEN_FAILED: Final = "invalid_grant: Invalid refresh token: it is unknown or has expired, or its user may not log in"  # noqa: S105
"""What is said of an API token, whose beginning is recorded."""


class Wording(NamedTuple):
    """How VMware says one thing.

    Attributes:
        module: Code of the module.
        number: Number within it; 0: the HTTP status.
        text: For people, with the place {message}.
        status: HTTP status; None: the usual one.
    """

    module: int
    number: int = 0
    text: str = "{message}"
    status: HTTPStatus | None = None


WORDINGS: Mapping[str, Wording] = MappingProxyType(
    {
        # Recorded.
        "CREDENTIALS_MISSING": Wording(CREDENTIALS, 100, "Missing mandatory request header: authorization"),
        "CREDENTIALS_INVALID": Wording(CREDENTIALS),
        "CLIENT_INVALID": Wording(CREDENTIALS, text="invalid_client: {message}"),
        "GRANT_TYPE_REFUSED": Wording(TOKENS, text="unauthorized_client: {message}", status=HTTPStatus.BAD_REQUEST),
        "SCOPE_REFUSED": Wording(TOKENS, text="invalid_scope: {message}", status=HTTPStatus.BAD_REQUEST),
        "TOKEN_INVALID": Wording(TOKENS, text=TOKEN_FAILED, status=HTTPStatus.BAD_REQUEST),
        UNSUPPORTED_GRANT_TYPE: Wording(TOKENS, text="unsupported_grant_type: {message}"),
        "PERMISSION_MISSING": Wording(CREDENTIALS),
        "PERMISSION_ESCALATION": Wording(CREDENTIALS),
        "SECRET_ROTATION_REFUSED": Wording(CREDENTIALS),
        # Inferred: there are no applications of another kind.
        "WRONG_KIND": Wording(EVERYTHING_ELSE, text="not found", status=HTTPStatus.NOT_FOUND),
        # Documented text.
        "ORGANIZATION_NOT_FOUND": Wording(EVERYTHING_ELSE, text="Organization with this identifier is not found."),
    }
)
"""What is said of reasons. Whatever is not here is of no module in particular."""

_USUAL: Final = Wording(EVERYTHING_ELSE)


def render(refused: Refused) -> Refusal:
    """Words a failure as the Cloud Services Platform does."""
    failure = refused.failure
    wording = WORDINGS.get(failure.reason, _USUAL)
    status = wording.status or failure.status
    body = CspErrorBody(
        status_code=int(status),
        trace_id=refused.trace_id or refused.request_id,
        csp_error_code=f"{wording.module}.{wording.number or int(status)}",
        message=wording.text.format(message=failure.message),
        module_code=wording.module,
        request_id=refused.request_id,
        metadata=_metadata(failure),
    )
    return Refusal(status, body)


def _metadata(failure: Failure) -> CspErrorMetadata | None:
    if not failure.violations:
        return None
    return CspErrorMetadata([CspViolation(member, description) for member, description in failure.violations])


ERRORS: Final = ErrorForm(
    body=CspErrorBody,
    render=render,
    challenge='Bearer realm="almoner"',
    missing_reference=HTTPStatus.NOT_FOUND,
)
