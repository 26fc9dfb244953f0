# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.dialects import DIALECTS
from gateway.openapi import document
from gateway.own import OWN

if TYPE_CHECKING:
    from gateway.routing import Dialect, Route

EVERY = (*DIALECTS, OWN)
OPERATIONS = [(dialect, route) for dialect in EVERY for route in dialect.routes]


@pytest.fixture(scope="module")
def openapi() -> Any:
    return msgspec.json.decode(document(EVERY))


def test_the_document_is_valid(openapi: Any) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(openapi).iter_errors()] == []


def test_the_document_has_exactly_the_routes_of_the_tables(openapi: Any) -> None:
    described = {(method.upper(), path) for path, operations in openapi["paths"].items() for method in operations}

    assert described == {(route.method, route.path) for _, route in OPERATIONS}


def test_operation_ids_are_unique(openapi: Any) -> None:
    ids = [operation["operationId"] for item in openapi["paths"].values() for operation in item.values()]

    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("dialect", "route"), OPERATIONS, ids=[f"{r.method} {r.path}" for _, r in OPERATIONS])
def test_every_operation_states_its_failures_in_the_form_of_its_dialect(
    openapi: Any, dialect: Dialect, route: Route
) -> None:
    operation = openapi["paths"][route.path][route.method.lower()]
    statuses = {int(status) for status in operation["responses"]}

    assert int(route.status) in statuses
    assert {500} <= statuses
    assert route.anonymous or {401, 403, 429, 503, 504} <= statuses
    assert route.body is None or {400, 413} <= statuses
    assert route.path_parameters is None or 404 in statuses
    assert not route.conditional or 412 in statuses
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            media_types = {dialect.errors.content_type.partition(";")[0]}
            assert set(response.get("content", ())) == (
                set() if int(status) in dialect.errors.bodiless else media_types
            )


@pytest.mark.parametrize(("dialect", "route"), OPERATIONS, ids=[f"{r.method} {r.path}" for _, r in OPERATIONS])
def test_credentials_are_asked_for_wherever_they_are_demanded(openapi: Any, dialect: Dialect, route: Route) -> None:
    security = openapi["paths"][route.path][route.method.lower()]["security"]

    assert security == ([] if route.anonymous else [{name: []} for name in dialect.security])


def test_the_limits_of_the_messages_are_stated(openapi: Any) -> None:
    schemas = openapi["components"]["schemas"]

    profile = schemas["ProfileBody"]
    assert profile["properties"]["name"]["pattern"] == "^[A-Za-z0-9_]+$"
    assert profile["properties"]["name"]["maxLength"] == 255
    assert profile["properties"]["refreshToken"]["minLength"] == 1
    assert set(profile["required"]) == {"name", "oauthAppId", "refreshToken"}


def test_types_of_different_dialects_have_different_names(openapi: Any) -> None:
    # msgspec qualifies names that clash with the module, which would become class names of generated clients.
    assert [name for name in openapi["components"]["schemas"] if "." in name] == []
