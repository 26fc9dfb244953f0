# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI 3.1 document, made from the tables of routes and the types of their bodies, so that it cannot drift.

If-Match is described, not declared as a parameter: only a value from an earlier ETag is a good one, and a schema cannot
say that, so whatever generates requests from the document would be answered 412.
"""

from __future__ import annotations

import re
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.constraints import json_schema_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gateway.routing import Dialect, ErrorForm, Route

Json = dict[str, Any]

REF_TEMPLATE = "#/components/schemas/{name}"

CONDITIONAL = (
    "An If-Match header with the ETag of an earlier answer makes the change conditional (RFC 9110 section 13.1.1): "
    "412 if the resource has changed since."
)

HEADERS: Json = {
    "ETag": {
        "description": "Entity tag of this state of the resource.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "Path of the new resource.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "RequestId": {
        "description": "Id of the request: the one sent in X-Request-Id, or a new one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    },
    "RetryAfter": {
        "description": "Seconds after which to try again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "Challenge": {
        "description": "How to authenticate (RFC 9110 section 11.6.1).",
        "required": True,
        "schema": {"type": "string"},
    },
}


@cache
def document(dialects: tuple[Dialect, ...]) -> bytes:
    """Returns the document that describes the dialects, as JSON; it is made once, however many gateways serve them."""
    schemas = _Schemas(dialects)
    paths: Json = {}
    for dialect in dialects:
        for route in dialect.routes:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(dialect, route, schemas)
    return msgspec.json.encode(
        _with_patterns(
            {
                "openapi": "3.1.1",
                "info": {
                    "title": "Almoner",
                    "summary": "Keeps OAuth applications and OAuth profiles, in the dialects of several vendors.",
                    "version": version("almoner"),
                    "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
                },
                "servers": [{"url": "/"}],
                "tags": [{"name": dialect.name, "description": dialect.title} for dialect in dialects],
                "paths": paths,
                "components": {
                    "schemas": schemas.components,
                    "headers": HEADERS,
                    "securitySchemes": {
                        name: scheme for dialect in dialects for name, scheme in dialect.security.items()
                    },
                },
            }
        )
    )


def _with_patterns(value: Any) -> Any:
    """Returns a part of the document with its patterns as JSON schemas write them."""
    if isinstance(value, list):
        return [_with_patterns(element) for element in value]
    if not isinstance(value, dict):
        return value
    return {
        name: json_schema_pattern(member) if name == "pattern" and isinstance(member, str) else _with_patterns(member)
        for name, member in value.items()
    }


class _Schemas:
    """The JSON schema of every type that the tables name. Parameters are taken apart, the rest are components."""

    def __init__(self, dialects: Sequence[Dialect]) -> None:
        kinds = list(dict.fromkeys(_body_types(dialects)))
        references, self.components = msgspec.json.schema_components(kinds, ref_template=REF_TEMPLATE)
        self._references: dict[Any, Json] = dict(zip(kinds, references, strict=True))
        for dialect in dialects:
            for route in dialect.routes:
                if route.any_case and route.body is not None:
                    self._let_be_null(self.of(route.body))

    def of(self, kind: Any) -> Json:
        return self._references[kind]

    def _let_be_null(self, schema: Any) -> None:
        """Adds null to every member that may be absent, of the type that is referred to and of those within it."""
        for reference in _references_in(schema):
            component = self.components[reference.rpartition("/")[2]]
            properties: Json = component.get("properties", {})
            for name, member in properties.items():
                if name not in component.get("required", ()) and _NULL not in member.get("anyOf", ()):
                    described = {key: member[key] for key in ("description", "default") if key in member}
                    rest = {key: value for key, value in member.items() if key not in described}
                    alternatives = rest["anyOf"] if rest.keys() == {"anyOf"} else [rest]
                    properties[name] = {"anyOf": [*alternatives, _NULL], **described}
                self._let_be_null(member)


_NULL: Json = {"type": "null"}


def _references_in(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _references_in(part)


def _body_types(dialects: Iterable[Dialect]) -> Iterator[Any]:
    for dialect in dialects:
        yield dialect.errors.body
        for route in dialect.routes:
            yield from (kind for kind in (route.body, route.reply) if kind is not None)


def _operation(dialect: Dialect, route: Route, schemas: _Schemas) -> Json:
    operation: Json = {
        "operationId": _operation_id(dialect, route),
        "tags": [dialect.name],
        "summary": route.summary,
        "description": _description(route),
        "responses": {str(int(route.status)): _success(dialect, route, schemas)},
        "security": [] if route.anonymous else [{name: []} for name in dialect.security],
    }
    if route.also is not None:
        operation["responses"][str(int(route.also))] = _success(dialect, route, schemas)
    parameters = [*_parameters(route.path_parameters, "path"), *_parameters(route.query, "query")]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        content = {"schema": {**schemas.of(route.body), **route.body_schema}}
        media_types = ["application/json", *(["application/x-www-form-urlencoded"] if route.form else [])]
        operation["requestBody"] = {
            "required": route.body_required,
            "content": dict.fromkeys(media_types, content),
        }
    for status in _failure_statuses(route):
        operation["responses"][str(int(status))] = _failure(dialect, status, dialect.errors, schemas)
    return operation


def _operation_id(dialect: Dialect, route: Route) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", route.path).strip("_")
    return f"{dialect.name}_{route.method.lower()}_{words}".rstrip("_")


def _description(route: Route) -> str:
    demanded = f"Demands {', '.join(route.demands)}." if route.demands else ""
    scoped = f"An access token needs the scope {', '.join(route.scopes)}." if route.scopes else ""
    sentences = (f"Source: {route.source}.", demanded, scoped, CONDITIONAL if route.conditional else "")
    return " ".join(sentence for sentence in sentences if sentence)


def _parameters(kind: type[msgspec.Struct] | None, place: str) -> Iterator[Json]:
    if kind is None:
        return
    (_,), components = msgspec.json.schema_components([kind])
    schema = components[kind.__name__]
    for name, parameter in schema["properties"].items():
        described = {key: value for key, value in parameter.items() if key != "description"}
        yield {
            "name": name,
            "in": place,
            "required": name in schema.get("required", ()),
            "description": parameter.get("description", name),
            "schema": described,
        }


def _success(dialect: Dialect, route: Route, schemas: _Schemas) -> Json:
    response: Json = {"description": route.status.phrase, "headers": _request_id_headers(dialect)}
    if route.etag:
        always = not dialect.errors.within_success
        response["headers"]["ETag"] = (
            {"$ref": "#/components/headers/ETag"} if always else {**HEADERS["ETag"], "required": False}
        )
    if route.location:
        response["headers"]["Location"] = {"$ref": "#/components/headers/Location"}
    if route.reply is not None:
        response["content"] = {_media_type(dialect.content_type): {"schema": schemas.of(route.reply)}}
    return response


def _failure(dialect: Dialect, status: HTTPStatus, form: ErrorForm, schemas: _Schemas) -> Json:
    headers = _request_id_headers(dialect)
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = {"$ref": "#/components/headers/Challenge"}
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    response: Json = {"description": status.phrase, "headers": headers}
    if status not in form.bodiless:
        response["content"] = {_media_type(form.content_type): {"schema": schemas.of(form.body)}}
    return response


def _failure_statuses(route: Route) -> list[HTTPStatus]:
    statuses = {HTTPStatus.INTERNAL_SERVER_ERROR, *route.refusals}
    calls = not route.anonymous or HTTPStatus.SERVICE_UNAVAILABLE in route.refusals
    if calls:
        statuses |= {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
    if not route.anonymous:
        statuses |= {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
    if route.path_parameters is not None:
        statuses.add(HTTPStatus.NOT_FOUND)
    if route.query is not None or route.body is not None or route.conditional:
        statuses |= {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}
    if route.method != "GET":
        statuses |= {HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT}
    if route.conditional:
        statuses.add(HTTPStatus.PRECONDITION_FAILED)
    if route.body is not None:
        statuses.add(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return sorted(statuses)


def _request_id_headers(dialect: Dialect) -> Json:
    return {name: {"$ref": "#/components/headers/RequestId"} for name in dialect.request_id_headers}


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0]
