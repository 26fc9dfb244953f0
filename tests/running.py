# SPDX-License-Identifier: Apache-2.0
"""A running service, as tests use it."""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

import grpc
import protovalidate

from almoner.v1 import directory_pb2, directory_service_pb2, directory_service_pb2_grpc
from service.clock import system_clock
from service.rpc.interceptors import ValidationInterceptor
from service.server import Service, open_service
from tests.databases import ADMIN_PASSWORD, ADMIN_TOKEN, CHEAP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from service.clock import Clock
    from service.crypto.passwords import Cost
    from service.settings import Settings
    from tests.databases import Template

Stub = TypeVar("Stub")
Metadata = tuple[tuple[str, str], ...]


def basic(username: str, password: str) -> str:
    """Returns the authorization value of a user name and a password."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def as_user(username: str, password: str) -> Metadata:
    """Returns the metadata of a call by a user with a password."""
    return (("authorization", basic(username, password)),)


@dataclass
class Almoner:
    """A running service and a channel to it.

    Attributes:
        service: The service.
        channel: What stubs take.
        settings: The settings that it runs with.
    """

    service: Service
    channel: grpc.aio.Channel
    settings: Settings

    as_admin: ClassVar[Metadata] = as_user("admin", ADMIN_PASSWORD)
    as_admin_token: ClassVar[Metadata] = (("authorization", f"Bearer {ADMIN_TOKEN}"),)

    def stub(self, stub_class: Callable[[grpc.aio.Channel], Stub]) -> Stub:
        """Returns a stub over the channel: `almoner.stub(ProfileServiceStub)`."""
        return stub_class(self.channel)

    @property
    def directory(self) -> Any:
        """A stub of the directory, with which tests set people up."""
        return directory_service_pb2_grpc.DirectoryServiceStub(self.channel)

    async def organization(self, name: str) -> directory_pb2.Organization:
        """Makes an organization."""
        request = directory_service_pb2.CreateOrganizationRequest(
            organization=directory_pb2.Organization(display_name=name)
        )
        reply = await self.directory.CreateOrganization(request, metadata=self.as_admin)
        return cast("directory_pb2.Organization", reply.organization)

    async def user(self, username: str, password: str = "", **members: Any) -> directory_pb2.User:
        """Makes a user; `members` are fields of the User message (organization_id, role_ids, permissions…)."""
        user = directory_pb2.User(username=username, password=password or f"password of {username}", **members)
        request = directory_service_pb2.CreateUserRequest(user=user)
        reply = await self.directory.CreateUser(request, metadata=self.as_admin)
        return cast("directory_pb2.User", reply.user)

    @staticmethod
    def as_(username: str, password: str = "") -> Metadata:
        """Returns the metadata of a call by a user that `user` made."""
        return as_user(username, password or f"password of {username}")


_VALIDATOR: Final = protovalidate.Validator()


def _share_compiled_rules(service: Service) -> None:
    """Gives a service the rules of messages that earlier ones have compiled, which takes longer than most tests."""
    for interceptor in service.interceptors:
        if isinstance(interceptor, ValidationInterceptor):
            interceptor._validator = _VALIDATOR


@asynccontextmanager
async def running(
    template: Template,
    directory: Path,
    *,
    over_grpc: bool = False,
    clock: Clock = system_clock,
    password_cost: Cost = CHEAP,
    **overrides: Any,
) -> AsyncIterator[Almoner]:
    """Runs a service on a copy of a database, reached in process or over a real gRPC socket."""
    async with (
        template.copy(directory / "data", **overrides) as settings,
        running_on(settings, over_grpc=over_grpc, clock=clock, password_cost=password_cost) as almoner,
    ):
        yield almoner


@asynccontextmanager
async def running_on(
    settings: Settings, *, over_grpc: bool = False, clock: Clock = system_clock, password_cost: Cost = CHEAP
) -> AsyncIterator[Almoner]:
    """Runs a service on the database that the settings name."""
    service = open_service(settings, clock, password_cost=password_cost)
    _share_compiled_rules(service)
    await service.background.start()
    try:
        if not over_grpc:
            yield Almoner(service, cast("grpc.aio.Channel", service.local_channel()), settings)
            return
        server = service.grpc_server()
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Almoner(service, channel, settings)
        await server.stop(None)
    finally:
        await service.close()
