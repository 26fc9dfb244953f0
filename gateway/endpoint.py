# SPDX-License-Identifier: Apache-2.0
"""Serves one route: identify, read, call, answer; and any failure on the way in the dialect's form.

All that depends on the route alone is worked out when the endpoint is made, nothing of it for each request.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from aiohttp import hdrs, web
from grpc import aio
from multidict import CIMultiDict, istr

from almoner.v1.directory_service_pb2 import WhoAmIRequest
from gateway import decoding
from gateway.answer import Answer, Head
from gateway.call import REQUIRED_PERMISSIONS, Call, Metadata, Reply, Services
from gateway.failures import Failure, Violation, from_rpc, invalid, unexpected
from gateway.routing import Dialect, Refused, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.settings import GatewaySettings

LOG = logging.getLogger(__name__)

X_REQUEST_ID = istr("X-Request-Id")
SEC_FETCH_SITE = istr("Sec-Fetch-Site")
TRACEPARENT = istr("traceparent")
TRACE_HEADERS = (TRACEPARENT, istr("tracestate"))
LONGEST_TRACE = 2048
"""Characters of a trace header that is forwarded: W3C Trace Context section 3.3.1.5 asks for 512. A longer one is left
out, because beside long credentials it would be more than gRPC takes, and the request is worth more than its trace."""

SERVER = "almoner"
AUTHORIZATION = "authorization"
REQUEST_ID = "x-request-id"
REQUIRED_SCOPES = "almoner-required-scopes"
ON_BEHALF_OF = "almoner-on-behalf-of"

# Unique like a UUID, but without asking the kernel for randomness at every request: an id is no secret.
_PROCESS = os.urandom(8).hex()
_NUMBERS = itertools.count(1)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_NOT_PHRASE = re.compile(r"[^ -~]")
_LONGEST_PHRASE = 1024


def request_id_of(request: web.BaseRequest) -> str:
    """Returns the id that the client gave the request, or a new one."""
    given = request.headers.get(X_REQUEST_ID)
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return f"{_PROCESS}{next(_NUMBERS):016x}"


def trace_id_of(request: web.BaseRequest) -> str:
    """Returns the trace that the client says the request is part of (W3C Trace Context section 3.2); empty: none."""
    found = _TRACEPARENT.fullmatch(request.headers.get(TRACEPARENT, ""))
    return found[1] if found else ""


def is_metadata(value: str) -> bool:
    """Whether gRPC carries the value as it is: printable ASCII."""
    return value.isascii() and value.isprintable()


def phrase_of(text: str) -> str | None:
    """Returns a text as the reason phrase of a status line (RFC 9112 section 4); None for the usual one.

    What is not printable ASCII becomes a question mark, so that no text can end the line.
    """
    return _NOT_PHRASE.sub("?", text[:_LONGEST_PHRASE]) or None


def refuse(dialect: Dialect, refused: Refused) -> web.Response:
    """Returns the dialect's answer to a failure."""
    failure = refused.failure
    status, body, reason = dialect.errors.render(refused)
    headers = {
        hdrs.CONTENT_TYPE: dialect.errors.content_type,
        hdrs.CACHE_CONTROL: "no-store",
        hdrs.SERVER: SERVER,
        **dialect.headers,
        **dict.fromkeys(dialect.request_id_headers, refused.request_id),
    }
    if status == HTTPStatus.UNAUTHORIZED:
        headers[hdrs.WWW_AUTHENTICATE] = dialect.errors.challenge
    if failure.retry_after is not None:
        headers[hdrs.RETRY_AFTER] = str(failure.retry_after)
    if failure.allow:
        headers[hdrs.ALLOW] = failure.allow
    if body is None:
        del headers[hdrs.CONTENT_TYPE]
    content = None if body is None else dialect.errors.encode(body)
    return web.Response(status=status, reason=phrase_of(reason), body=content, headers=headers)


class Endpoint:
    """Serves one route of one dialect."""

    def __init__(self, route: Route, dialect: Dialect, services: Services, settings: GatewaySettings) -> None:
        self._route = route
        self._dialect = dialect
        self._services = services
        self._settings = settings
        self._writes = route.method != hdrs.METH_GET
        self._encode = dialect.encode
        headers = CIMultiDict({hdrs.CACHE_CONTROL: "no-store", hdrs.SERVER: SERVER, **dialect.headers})
        if route.reply is not None:
            headers[hdrs.CONTENT_TYPE] = dialect.content_type
        self._head = Head(route.status, headers)
        self._demands: Metadata = tuple(
            (key, ",".join(names))
            for key, names in ((REQUIRED_PERMISSIONS, route.demands), (REQUIRED_SCOPES, route.scopes))
            if names
        )
        self._read_path = _maybe(route.path_parameters, lambda kind: decoding.path_parameters(kind, route.resource))
        self._read_query = _maybe(route.query, decoding.query_string)
        self._no_query = None if route.query is None else _default(route.query)
        self._read_json = _maybe(route.body, lambda kind: decoding.json_body(kind, any_case=route.any_case))
        self._read_form = _maybe(route.body if route.form else None, decoding.form_body)

    async def serve(self, request: web.Request, parameters: Mapping[str, str]) -> web.Response:
        """Answers a request, given the parameters of its path."""
        request_id = request_id_of(request)
        try:
            metadata = self._metadata(request, request_id)
            try:
                reply = await self._answer(request, parameters, metadata)
            except Failure:
                await self._require_known_caller(metadata)
                raise
            return self._response(reply, request_id)
        except Failure as failure:
            return self._refuse(failure, request, request_id)
        except aio.AioRpcError as error:
            return self._refuse(self._failure(error), request, request_id)
        # A fault in the gateway itself. The client learns the request id and nothing else; the log has the rest.
        except Exception:
            LOG.exception("%s %s failed, request id %s", self._route.method, self._route.path, request_id)
            return self._refuse(unexpected(), request, request_id)

    def _response(self, reply: Reply, request_id: str) -> web.Response:
        headers = dict.fromkeys(self._dialect.request_id_headers, request_id)
        if reply.etag:
            headers[hdrs.ETAG] = reply.etag
        if reply.location:
            headers[hdrs.LOCATION] = reply.location
        body = None if reply.body is None else self._encode(reply.body)
        if body is not None and reply.status_line is None and reply.headers is None:
            return Answer(self._head, headers, body)
        response = web.Response(status=self._head.status, body=body, headers={**self._head.headers, **headers})
        if reply.status_line is not None:
            response.set_status(reply.status_line.status, phrase_of(reply.status_line.phrase))
        if reply.headers is not None:
            response.headers.update(reply.headers)
        return response

    def _refuse(self, failure: Failure, request: web.Request, request_id: str) -> web.Response:
        return refuse(self._dialect, Refused(failure, self._route, request_id, trace_id_of(request)))

    def _failure(self, error: aio.AioRpcError) -> Failure:
        failure = from_rpc(error, self._dialect.members)
        is_reference = self._route.body is not None and failure.reason != self._route.resource
        if failure.status == HTTPStatus.NOT_FOUND and is_reference:
            failure.status = self._dialect.errors.missing_reference
        return failure

    async def _require_known_caller(self, metadata: Metadata) -> None:
        """Has a caller whom the service does not know be told that, and nothing else that the gateway has found out.

        Raises:
            aio.AioRpcError: they are not known.
        """
        if not self._route.anonymous:
            await self._services.directory.WhoAmI(
                WhoAmIRequest(), metadata=metadata, timeout=self._settings.rpc_timeout
            )

    async def _answer(self, request: web.Request, parameters: Mapping[str, str], metadata: Metadata) -> Reply:
        if self._writes and request.headers.get(SEC_FETCH_SITE, "none") not in {"none", "same-origin"}:
            # A browser adds cached Basic credentials to what any page sends, so a page elsewhere could write here.
            raise Failure(HTTPStatus.FORBIDDEN, "CROSS_ORIGIN", "requests from pages of another origin are refused")
        query = self._query(request)
        if self._route.on_behalf_of:
            user = getattr(query, self._route.on_behalf_of)
            if user is not msgspec.UNSET:
                metadata = (*metadata, (ON_BEHALF_OF, quote(user, safe="")))
        call = Call(
            services=self._services,
            metadata=metadata,
            timeout=self._settings.rpc_timeout,
            path=None if self._read_path is None else self._read_path(parameters),
            query=query,
            body=None if self._read_json is None else await self._body(request),
            if_match=self._if_match(request),
            request=request,
        )
        return await self._route.handler(call)

    def _metadata(self, request: web.Request, request_id: str) -> Metadata:
        headers = request.headers
        metadata: Metadata = ((REQUEST_ID, request_id), *self._demands)
        authorization = self._dialect.credentials(headers)
        if authorization is None:
            if not self._route.anonymous:
                raise Failure(HTTPStatus.UNAUTHORIZED, "CREDENTIALS_MISSING", "the request carries no credentials")
        elif is_metadata(authorization):
            metadata = ((AUTHORIZATION, authorization), *metadata)
        else:
            raise Failure(HTTPStatus.UNAUTHORIZED, "CREDENTIALS_INVALID", "the credentials are not printable ASCII")
        for name in TRACE_HEADERS:
            value = headers.get(name)
            if value is not None and len(value) <= LONGEST_TRACE and is_metadata(value):
                metadata = (*metadata, (str(name), value))
        return metadata

    def _query(self, request: web.Request) -> Any:
        if self._read_query is None or (self._no_query is not None and not request.query_string):
            return self._no_query
        parameters = dict(request.query)
        if len(parameters) != len(request.query):
            raise invalid(decoding.INVALID_PARAMETER, Violation("", "a query parameter is given twice"))
        return self._read_query(parameters)

    def _if_match(self, request: web.Request) -> str:
        if not self._route.conditional or hdrs.IF_MATCH not in request.headers:
            return ""
        value = ", ".join(request.headers.getall(hdrs.IF_MATCH))
        if not value.strip() or not is_metadata(value):
            raise invalid(decoding.INVALID_PARAMETER, Violation("If-Match", "expected entity tags in printable ASCII"))
        return value

    async def _body(self, request: web.Request) -> Any:
        try:
            content = await request.read()
        except web.HTTPRequestEntityTooLarge:
            limit = self._settings.max_body_bytes
            message = f"the body is longer than {limit} bytes"
            raise Failure(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "BODY_TOO_LARGE", message) from None
        except (web.RequestPayloadError, ConnectionError):
            raise invalid(
                decoding.MALFORMED_BODY,
                Violation("", "the body ends early or does not fit its encoding"),
            ) from None
        if self._read_form is not None and request.content_type == "application/x-www-form-urlencoded":
            return self._read_form(content)
        if not content and not self._route.body_required:
            content = b"{}"
        return None if self._read_json is None else self._read_json(content)


def _maybe(kind: type[msgspec.Struct] | None, make: Callable[[type[msgspec.Struct]], Any]) -> Any:
    return None if kind is None else make(kind)


def _default(kind: type[msgspec.Struct]) -> msgspec.Struct | None:
    """Returns the parameters of an empty query string, or None where one is required."""
    return None if any(field.required for field in msgspec.structs.fields(kind)) else kind()
