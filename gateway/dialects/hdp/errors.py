# SPDX-License-Identifier: Apache-2.0
"""Failures in HDP's form (contract section 5): `{"error": {"code", "message": {"lang", "value"}}}`.

Documented are 222207004 to 222207711 and 222208553; for everything else the code is 222200000 plus the HTTP status, a
range that HDP does not use.
"""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from gateway.decoding import INVALID_BODY, MALFORMED_BODY
from gateway.dialects.hdp.bodies import Error, HdpErrorBody, Message
from gateway.routing import ErrorForm, Refusal, Refused, Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.failures import Failure

LANGUAGE = "en-US"
OWN_CODES = 222200000

PERMISSION_NOT_FOUND = "PERMISSION_NOT_FOUND"
"""Reason of the gateway's own for a permission number that HDP does not have."""


class Wording(NamedTuple):
    """How HDP says one thing: code, text with the places {id} and {message}, and status if it is not the reason's."""

    code: int
    text: str
    status: HTTPStatus | None = None


WORDINGS: Mapping[str, Wording] = MappingProxyType(
    {
        # Documented. Inferred is the status: 404, for an id in the path and for one in the body (oauthAppId).
        "PROFILE_NOT_FOUND": Wording(222207710, "Invalid OAuthProfileId: {id}"),
        "APPLICATION_NOT_FOUND": Wording(222207711, "Invalid OAuthApplicationId: {id}"),
        PERMISSION_NOT_FOUND: Wording(222208553, "There is no Permission with that id: {id}"),
        # Inferred: HDP has no applications of another kind.
        "WRONG_KIND": Wording(222207711, "Invalid OAuthApplicationId: {id}", HTTPStatus.NOT_FOUND),
        # Documented for JSON that cannot be read; that it also covers members against their rules is inferred.
        MALFORMED_BODY: Wording(222207007, "Invalid JSON Input: {message}"),
        INVALID_BODY: Wording(222207007, "Invalid JSON Input: {message}"),
        "INVALID_FIELD": Wording(222207007, "Invalid JSON Input: {message}"),
        # Inferred, after the text of the permissions page.
        "USER_NOT_FOUND": Wording(OWN_CODES + 404, "There is no User with that id: {id}"),
        "ROLE_NOT_FOUND": Wording(OWN_CODES + 404, "There is no Role with that id: {id}"),
        "ORGANIZATION_NOT_FOUND": Wording(OWN_CODES + 404, "There is no Tenant with that id: {id}"),
        # Documented texts (http-error-messages); the code is our own.
        "CREDENTIALS_MISSING": Wording(OWN_CODES + 401, "An invalid user name and/or password was used"),
        "CREDENTIALS_INVALID": Wording(OWN_CODES + 401, "An invalid user name and/or password was used"),
    }
)

STRING_CODES = ("/api/mgmt/oauthprofiles", "/api/mgmt/oauthapps")
"""Paths whose pages show the code as a string."""


def render(refused: Refused) -> Refusal:
    """Words a failure as HDP does."""
    failure, route = refused.failure, refused.route
    wording = WORDINGS.get(failure.reason)
    code = wording.code if wording else OWN_CODES + int(failure.status)
    text = wording.text.format(id=_id(failure), message=failure.message) if wording else failure.message
    if failure.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        text = f"{text}; request id {refused.request_id}"
    return Refusal(
        (wording and wording.status) or failure.status,
        HdpErrorBody(Error(code=str(code) if _is_string(route) else code, message=Message(LANGUAGE, text))),
    )


def _id(failure: Failure) -> str:
    return failure.metadata.get("id", "")


def _is_string(route: Route | None) -> bool:
    return route is not None and route.path.startswith(STRING_CODES)


ERRORS = ErrorForm(
    body=HdpErrorBody,
    render=render,
    challenge='Basic realm="almoner", charset="UTF-8"',
    missing_reference=HTTPStatus.NOT_FOUND,
)
