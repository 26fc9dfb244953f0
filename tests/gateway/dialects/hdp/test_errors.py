# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
import pytest

from gateway.dialects.hdp import HDP
from gateway.dialects.hdp.errors import render
from gateway.failures import Failure, Violation, invalid, not_found
from gateway.routing import Refused, Route


def route(method: str, path: str) -> Route:
    return next(route for route in HDP.routes if (route.method, route.path) == (method, path))


PROFILE = route("GET", "/api/mgmt/oauthprofiles/{id}")
PROFILES = route("POST", "/api/mgmt/oauthprofiles")
APPLICATION = route("GET", "/api/mgmt/oauthapps/{id}")
PERMISSION = route("GET", "/api/admin/permissions/{id}")
USERS = route("POST", "/api/admin/users")


def rendered(failure: Failure, where: Route | None) -> tuple[int, Any]:
    refusal = render(Refused(failure, where, "r-1"))
    return int(refusal.status), msgspec.to_builtins(refusal.body)


def error(code: int | str, text: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": {"lang": "en-US", "value": text}}}


@pytest.mark.parametrize(
    ("failure", "where", "status", "body"),
    [
        (not_found("PROFILE_NOT_FOUND", "30"), PROFILE, 404, error("222207710", "Invalid OAuthProfileId: 30")),
        (
            not_found("APPLICATION_NOT_FOUND", "223344"),
            APPLICATION,
            404,
            error("222207711", "Invalid OAuthApplicationId: 223344"),
        ),
        (
            not_found("PERMISSION_NOT_FOUND", "1234"),
            PERMISSION,
            404,
            error(222208553, "There is no Permission with that id: 1234"),
        ),
    ],
)
def test_documented_failures_are_worded_as_documented(
    failure: Failure, where: Route, status: int, body: dict[str, Any]
) -> None:
    assert rendered(failure, where) == (status, body)


def test_an_unknown_application_in_a_body_is_the_documented_failure_too() -> None:
    failure = Failure(HTTPStatus.CONFLICT, "APPLICATION_NOT_FOUND", "there is none", metadata={"id": "99"})

    assert rendered(failure, PROFILES) == (409, error("222207711", "Invalid OAuthApplicationId: 99"))


def test_an_application_of_another_kind_is_none() -> None:
    failure = Failure(HTTPStatus.CONFLICT, "WRONG_KIND", "oauthAppId: is not a provider registration")

    status, body = rendered(failure, PROFILES)

    assert (status, body["error"]["code"]) == (404, "222207711")


def test_bad_input_names_the_member() -> None:
    failure = invalid("INVALID_BODY", Violation("refreshToken", "is required"))

    assert rendered(failure, PROFILES) == (400, error("222207007", "Invalid JSON Input: refreshToken: is required"))


def test_codes_are_strings_on_the_pages_of_profiles_and_applications_only() -> None:
    failure = Failure(HTTPStatus.FORBIDDEN, "PERMISSION_MISSING", "no")

    codes = {where.path: rendered(failure, where)[1]["error"]["code"] for where in HDP.routes}

    for path, code in codes.items():
        assert code == ("222200403" if "/oauth" in path else 222200403)


def test_wrong_credentials_are_worded_as_documented() -> None:
    failure = Failure(HTTPStatus.UNAUTHORIZED, "CREDENTIALS_INVALID", "expired")

    assert rendered(failure, USERS) == (401, error(222200401, "An invalid user name and/or password was used"))


def test_a_fault_of_the_server_names_the_request() -> None:
    failure = Failure(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL", "internal error")

    assert rendered(failure, USERS) == (500, error(222200500, "internal error; request id r-1"))
