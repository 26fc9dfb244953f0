# SPDX-License-Identifier: Apache-2.0
"""What a dialect is made of: a table of routes and a form for errors. Router and OpenAPI document come from the table."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from aiohttp import hdrs
from multidict import CIMultiDictProxy

from gateway.call import Call, Reply

if TYPE_CHECKING:
    from gateway.failures import Failure

Handler = Callable[[Call[Any, Any, Any]], Awaitable[Reply]]
Credentials = Callable[[CIMultiDictProxy[str]], str | None]
Encode = Callable[[Any], bytes]

JSON = "application/json"
ENCODE_JSON: Encode = msgspec.json.Encoder().encode

_SLASHES = re.compile("/+")


@dataclass(frozen=True, slots=True)
class Route:
    """One documented operation.

    Attributes:
        method: HTTP method.
        path: Path with parameters in braces.
        handler: Answers a request whose parameters and body have been read.
        summary: What it does, in one line.
        source: The document, or the section of the dialect's contract, that describes it.
        reply: Type of the body of the answer; None: no body.
        status: Status of a success.
        also: Another status of a success; None: none.
        path_parameters: Type of the path parameters.
        query: Type of the query parameters.
        body: Type of the body.
        body_required: Whether an empty body is refused; else it is read as an empty object.
        form: Whether the body may also be an HTML form, as its Content-Type says.
        resource: Reason of the failure when the path names nothing, for example PROFILE_NOT_FOUND.
        demands: Permissions that the caller must hold beside those of the calls made.
        scopes: Scopes that the caller's access token must have, if it is one that was issued here.
        any_case: Whether members of the body are found in any case of letters, and null is as good as absent.
        body_schema: Keywords of JSON Schema that hold of the body beyond its type; the handler sees to them.
        on_behalf_of: The query parameter that names the user to act for; empty: none.
        anonymous: Whether it is served without credentials.
        etag: Whether a success carries an ETag.
        location: Whether a success carries a Location.
        conditional: Whether If-Match is honoured.
        refusals: Statuses of failures beyond those that every route of its kind has.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    source: str
    reply: Any = None
    status: HTTPStatus = HTTPStatus.OK
    also: HTTPStatus | None = None
    path_parameters: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    body_required: bool = True
    form: bool = False
    resource: str = "NOT_FOUND"
    demands: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    any_case: bool = False
    body_schema: Mapping[str, Any] = field(default_factory=dict)
    on_behalf_of: str = ""
    anonymous: bool = False
    etag: bool = False
    location: bool = False
    conditional: bool = False
    refusals: tuple[HTTPStatus, ...] = ()


class Refusal(NamedTuple):
    """A failure in a dialect's form.

    Attributes:
        status: HTTP status.
        body: What becomes the body; None: no body.
        reason: Reason phrase of the status line; empty: the usual one.
    """

    status: HTTPStatus
    body: object
    reason: str = ""


class Refused(NamedTuple):
    """What a dialect needs to know to word a failure.

    Attributes:
        failure: What went wrong.
        route: Where; None: at a path of the dialect that has no route.
        request_id: Id of the request, which the log has too.
        trace_id: Trace that the client says the request is part of (W3C traceparent); empty: none.
    """

    failure: Failure
    route: Route | None
    request_id: str
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """How a dialect says what went wrong.

    Attributes:
        body: Type of the body, for the OpenAPI document.
        render: Words a failure.
        challenge: WWW-Authenticate header of a 401 (RFC 9110 section 11.6.1).
        content_type: Media type of the body.
        encode: Makes the body.
        bodiless: Statuses whose failures have no body.
        missing_reference: Status where a body refers to what does not exist.
        within_success: Whether some failures have the status of a success and its type of body.
    """

    body: Any
    render: Callable[[Refused], Refusal]
    challenge: str
    content_type: str = JSON
    encode: Encode = ENCODE_JSON
    bodiless: tuple[HTTPStatus, ...] = ()
    missing_reference: HTTPStatus = HTTPStatus.CONFLICT
    within_success: bool = False


def authorization_header(headers: CIMultiDictProxy[str]) -> str | None:
    """Returns the Authorization header, which the service reads (RFC 7617, RFC 6750)."""
    return headers.get(hdrs.AUTHORIZATION)


@dataclass(frozen=True, slots=True, eq=False)
class Dialect:
    """One vendor's API.

    Attributes:
        name: Short name.
        title: Name for people.
        prefixes: Paths under which everything is this dialect's, failures of unknown paths too.
        routes: The table.
        errors: The form of failures.
        members: The dialect's member for each path of a request message that its routes set.
        security: Security schemes of the OpenAPI document; any one of them suffices.
        credentials: Finds the value of the authorization metadata in the headers.
        content_type: Media type of successful bodies.
        encode: Makes successful bodies.
        headers: Headers of every answer beside those that all dialects have.
        request_id_headers: Headers that carry the request id back.
        ignores_case: Whether paths without parameters are found in any spelling, doubled slashes included.
    """

    name: str
    title: str
    prefixes: tuple[str, ...]
    routes: tuple[Route, ...]
    errors: ErrorForm
    members: Mapping[str, str] = field(default_factory=dict)
    security: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    credentials: Credentials = authorization_header
    content_type: str = JSON
    encode: Encode = ENCODE_JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    request_id_headers: tuple[str, ...] = ("X-Request-Id",)
    ignores_case: bool = False

    def serves(self, path: str) -> bool:
        """Whether the path is this dialect's."""
        path = self.folded(path)
        return any(path == prefix or path.startswith(prefix + "/") for prefix in map(self.folded, self.prefixes))

    def folded(self, path: str) -> str:
        """Returns the one spelling of all that are the same path to this dialect."""
        return _SLASHES.sub("/", path).lower() if self.ignores_case else path
