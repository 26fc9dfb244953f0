# SPDX-License-Identifier: Apache-2.0
"""The directory, for whoever has the files: its own servicer on the database, called in process by the operator.

The same checks and rules as for any caller apply, and the audit trail names `operator`; only who calls is not asked.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import grpc
from typing_extensions import override

from almoner.v1 import directory_service_pb2 as messages
from almoner.v1.directory_service_pb2_grpc import DirectoryServiceStub, add_DirectoryServiceServicer_to_server
from service import logs
from service.access.caller import SERVER, SYSTEM, Caller, Held
from service.access.permissions import ALL
from service.audit import rules as audit
from service.clock import system_clock
from service.command.failures import CommandError
from service.command.opening import opened, said_plainly
from service.command.parsing import settings_of
from service.crypto.passwords import PasswordHasher
from service.directory.rpc import DirectoryServicer
from service.local_channel import LocalChannel
from service.rpc.call import current_call
from service.rpc.interceptors import (
    Behavior,
    CallInterceptor,
    Context,
    ErrorInterceptor,
    TelemetryInterceptor,
    ValidationInterceptor,
)
from service.rpc.units import Units
from service.work import Work

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Mapping

    from almoner.v1.directory_pb2 import Organization, Role, User
    from almoner.v1.directory_service_pb2_grpc import DirectoryServiceAsyncStub
    from service.command.opening import Opened
    from service.crypto.keyring import Keyring
    from service.storage.store import Tx

    Directory: TypeAlias = DirectoryServiceAsyncStub

OPERATOR: Final = Caller(0, "operator", SYSTEM, (Held(SERVER, ALL),))
"""Whoever has the database and the keyring may do everything anyway. No stored user has the id 0."""

_PAGE: Final = 1000


def administer(options: argparse.Namespace, action: Callable[[Directory], Awaitable[None]]) -> int:
    """Runs an action on the directory of the settings' database, and returns the exit code.

    Raises:
        UsageError: the settings cannot be used.
        CommandError: the database cannot be opened, or the directory refuses.
    """
    return with_database(options, lambda found: _administer(found, action))


def with_database(options: argparse.Namespace, action: Callable[[Opened], Awaitable[int]]) -> int:
    """Runs an action on the settings' database and keyring, and returns its exit code.

    Raises:
        UsageError: the settings cannot be used.
        CommandError: the database or the keyring cannot be used.
    """
    settings = settings_of(options)
    logs.configure(settings.log_level, settings.log_format)

    async def run() -> int:
        with said_plainly(settings):
            async with opened(settings) as found:
                return await action(found)

    return asyncio.run(run())


def operators_work(tx: Tx, keyring: Keyring) -> Work:
    """Returns a unit of work of the operator."""
    return Work(tx, OPERATOR, system_clock(), keyring, uuid.uuid4().hex)


async def record(found: Opened, action: str, changes: Mapping[str, object]) -> None:
    """Writes into the audit trail what the operator did to the keyring."""

    def write(tx: Tx) -> None:
        audit.record(operators_work(tx, found.keyring), action, "keyring", SYSTEM, changes)

    await found.store.write(write)


async def every(list_method: Any, request_type: Callable[..., Any], members: str, **request: object) -> list[Any]:
    """Returns all resources of a List method.

    Args:
        list_method: The method of the stub.
        request_type: Its request.
        members: The field of its response that has the resources.
        request: Fields of the request.
    """
    found: list[Any] = []
    token = ""
    while True:
        reply = await list_method(request_type(page_size=_PAGE, page_token=token, **request))
        found += getattr(reply, members)
        token = reply.next_page_token
        if not token:
            return found


async def organization(directory: Directory, key: str) -> Organization:
    """Returns an organization by its number or UUID."""
    request = (
        messages.GetOrganizationRequest(number=int(key)) if key.isdecimal() else messages.GetOrganizationRequest(id=key)
    )
    return (await directory.GetOrganization(request)).organization


async def organization_id(directory: Directory, key: str | None) -> str:
    """Returns the id of an organization by its number or UUID, and what stands for all of them where none is named."""
    return (await organization(directory, key)).id if key else "-"


async def user(directory: Directory, username: str) -> User:
    """Returns a user by name."""
    return (await directory.GetUser(messages.GetUserRequest(username=username))).user


async def role(directory: Directory, key: str, place: Organization) -> Role:
    """Returns a role by its id, or by its name among the roles for an organization.

    Raises:
        CommandError: there is none of that name, or more than one.
    """
    if key.isdecimal():
        return (await directory.GetRole(messages.GetRoleRequest(id=int(key)))).role
    everywhere = await every(directory.ListRoles, messages.ListRolesRequest, "roles", organization_id="-")
    # An organization's own come before the first organization's, which are there for all.
    for number in dict.fromkeys((place.number, SYSTEM)):
        named = [found for found in everywhere if found.name == key and found.organization_number == number]
        if len(named) > 1:
            raise CommandError(f"there are {len(named)} roles {key!r}: name one by its id")
        if named:
            return cast("Role", named[0])
    raise CommandError(f"there is no role {key!r} for organization {place.number} (see almoner roles list)")


class _OperatorInterceptor(CallInterceptor):
    """Makes every call the operator's."""

    @override
    def around(self, method: str, behavior: Behavior) -> Behavior:
        async def call(request: Any, context: Context) -> Any:
            current_call().caller = OPERATOR
            return await behavior(request, context)

        return call


async def _administer(found: Opened, action: Callable[[Directory], Awaitable[None]]) -> int:
    passwords = PasswordHasher()
    channel = LocalChannel(
        (TelemetryInterceptor(), ErrorInterceptor(), _OperatorInterceptor(), ValidationInterceptor())
    )
    servicer = DirectoryServicer(Units(found.store, found.keyring, system_clock), passwords)
    add_DirectoryServiceServicer_to_server(servicer, cast("grpc.aio.Server", channel))
    try:
        await action(DirectoryServiceStub(cast("grpc.aio.Channel", channel)))
    except grpc.aio.AioRpcError as error:
        raise CommandError(error.details() or error.code().name) from None
    finally:
        passwords.close()
    return 0
