# SPDX-License-Identifier: Apache-2.0
"""One request as its handler sees it, and what the handler gives back. Knows the service's stubs, no dialect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, Self, TypeVar, cast

from grpc_health.v1 import health_pb2, health_pb2_grpc

from almoner.v1 import (
    application_service_pb2_grpc,
    directory_service_pb2_grpc,
    grant_service_pb2_grpc,
    profile_service_pb2_grpc,
    token_service_pb2_grpc,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http import HTTPStatus

    from aiohttp import web
    from grpc import aio

PathT = TypeVar("PathT")
QueryT = TypeVar("QueryT")
BodyT = TypeVar("BodyT")
RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

Metadata = tuple[tuple[str, str], ...]

REQUIRED_PERMISSIONS = "almoner-required-permissions"


class HealthStub(Protocol):
    """The stub of grpc.health.v1.Health, whose published types leave its methods out."""

    Check: aio.UnaryUnaryMultiCallable[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]


@dataclass(frozen=True, slots=True)
class Services:
    """The stubs of the service, made once over one channel."""

    profiles: profile_service_pb2_grpc.ProfileServiceAsyncStub
    applications: application_service_pb2_grpc.ApplicationServiceAsyncStub
    directory: directory_service_pb2_grpc.DirectoryServiceAsyncStub
    grants: grant_service_pb2_grpc.GrantServiceAsyncStub
    tokens: token_service_pb2_grpc.TokenServiceAsyncStub
    health: HealthStub

    @classmethod
    def over(cls, channel: aio.Channel) -> Self:
        """Returns stubs that call over the channel."""
        return cls(
            profiles=profile_service_pb2_grpc.ProfileServiceStub(channel),
            applications=application_service_pb2_grpc.ApplicationServiceStub(channel),
            directory=directory_service_pb2_grpc.DirectoryServiceStub(channel),
            grants=grant_service_pb2_grpc.GrantServiceStub(channel),
            tokens=token_service_pb2_grpc.TokenServiceStub(channel),
            health=cast("HealthStub", health_pb2_grpc.HealthStub(channel)),
        )


@dataclass(slots=True, repr=False)
class Call(Generic[PathT, QueryT, BodyT]):
    """A request whose parameters and body have been read.

    Attributes:
        services: The service.
        metadata: What every call on behalf of this request carries.
        timeout: Deadline of each call, in seconds.
        path: Path parameters.
        query: Query parameters.
        body: The body.
        if_match: The If-Match header as it came, several joined by commas; empty: none.
        request: The request, for what none of the above says.
    """

    services: Services
    metadata: Metadata
    timeout: float
    path: PathT
    query: QueryT
    body: BodyT
    if_match: str
    request: web.Request

    def send(
        self, method: aio.UnaryUnaryMultiCallable[RequestT, ResponseT], message: RequestT
    ) -> aio.UnaryUnaryCall[RequestT, ResponseT]:
        """Calls a method of the service; await the result for its reply.

        Raises (when awaited):
            aio.AioRpcError: The service refuses.
        """
        return method(message, metadata=self.metadata, timeout=self.timeout)

    def demanding(self, *permissions: str) -> Self:
        """Returns the same request, of a caller who must also hold these permissions somewhere.

        `Route.demands` is looked at before the body is, this with the calls that are sent.
        """
        return replace(self, metadata=(*self.metadata, (REQUIRED_PERMISSIONS, ",".join(permissions))))


class StatusLine(NamedTuple):
    """A status with a phrase of its own.

    Attributes:
        status: The status.
        phrase: The reason phrase, which some clients read; empty: the usual one.
    """

    status: HTTPStatus
    phrase: str = ""


class Reply(NamedTuple):
    """The answer of a handler.

    Attributes:
        body: What becomes the body; None: no body.
        etag: Entity tag of the one resource that the body shows; empty: none.
        location: Path of the resource that was created; empty: none.
        status_line: In place of the route's status; None: that one.
        headers: Further headers; None: no others.
    """

    body: object = None
    etag: str = ""
    location: str = ""
    status_line: StatusLine | None = None
    headers: Mapping[str, str] | None = None
