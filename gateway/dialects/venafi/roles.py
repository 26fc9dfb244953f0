# SPDX-License-Identifier: Apache-2.0
"""Venafi's OAuth roles (contract sections 1 and 5): built-in roles here, bound to organizations or to applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from grpc import aio
from msgspec import UNSET

from almoner.v1.directory_pb2 import PERMISSION_ADMINISTRATOR, RoleBinding
from almoner.v1.directory_service_pb2 import (
    CreateRoleBindingRequest,
    DeleteRoleBindingRequest,
    GetUserRequest,
    ListRoleBindingsRequest,
    WhoAmIResponse,
)
from gateway.call import Call, Reply
from gateway.decoding import INVALID_BODY
from gateway.dialects.venafi.applications import found_application
from gateway.dialects.venafi.bodies import (
    ApplicationRole,
    AssignedRole,
    Done,
    Nothing,
    OwnRole,
    RoleAssignment,
    RoleQuery,
    RoleReply,
    RolesReply,
)
from gateway.dialects.venafi.identities import caller_of, prefixed_universal, require_somebody, user_id_of
from gateway.dialects.venafi.paging import page_of
from gateway.failures import REQUIRED, Violation, from_rpc, invalid, not_found

if TYPE_CHECKING:
    from collections.abc import Iterable

NO_ROLE: Final = 0
AUDITOR: Final = 1
MAINTAINER: Final = 2
OWNER: Final = 3
MIXED: Final = 4
GRANT_ADMIN: Final = 5
ADMIN: Final = 6

BUILT_IN: Final = {AUDITOR: 5, GRANT_ADMIN: 6, ADMIN: 7, OWNER: 8, MAINTAINER: 9}
"""Ids of the roles here, by Venafi's codes."""

CODES: Final = {role_id: code for code, role_id in BUILT_IN.items()}
OF_APPLICATIONS: Final = (MAINTAINER, OWNER)
BY_PRECEDENCE: Final = (ADMIN, GRANT_ADMIN, AUDITOR)
"""Global roles: whoever has several has the first."""

MEMBERS: Final = {
    "role_binding.user_id": "GranteePrefixedUniversal",
    "role_binding.role_id": "Role",
    "role_binding.application_id": "ApplicationId",
}


async def grant_role(call: Call[None, None, RoleAssignment]) -> Reply:
    """Gives a role: a global one in the organization of the user, or one for an application. Twice is as good."""
    body = call.body
    _require_application(body)
    call = call.demanding("ROLES_BIND")
    user_id = await user_id_of(call, body.grantee_prefixed_universal)
    binding = RoleBinding(user_id=user_id, role_id=BUILT_IN[body.role])
    if body.role in OF_APPLICATIONS:
        binding.application_id = (await found_application(call, body.application_id or "")).id
    else:
        user = (await call.send(call.services.directory.GetUser, GetUserRequest(id=user_id))).user
        binding.organization_id = user.organization_id
    try:
        message = CreateRoleBindingRequest(role_binding=binding)
        await call.send(call.services.directory.CreateRoleBinding, message)
    except aio.AioRpcError as error:
        if from_rpc(error, {}).reason != "ALREADY_EXISTS":
            raise
    return Reply(Done())


async def revoke_role(call: Call[None, None, RoleAssignment]) -> Reply:
    """Takes a role away: a global one wherever it is bound, or one for an application."""
    body = call.body
    _require_application(body)
    of_application = body.role in OF_APPLICATIONS
    # Whoever only binds roles for applications does not get to know who has a global one.
    call = call.demanding("ROLES_BIND") if of_application else call.demanding("ROLES_BIND", "USERS_VIEW")
    if of_application:
        await found_application(call, body.application_id or "")
    user_id = await user_id_of(call, body.grantee_prefixed_universal)
    bindings = await _bindings(call, f"user_id = {user_id} AND role_id = {BUILT_IN[body.role]}")
    wanted = (body.application_id or "") if of_application else ""
    found = [binding for binding in bindings if binding.application_id == wanted]
    if not found:
        await require_somebody(call, user_id)
        raise not_found("ROLE_BINDING_NOT_FOUND", "")
    for binding in found:
        await call.send(call.services.directory.DeleteRoleBinding, DeleteRoleBindingRequest(id=binding.id))
    return Reply(Done())


async def list_roles(call: Call[None, None, RoleQuery]) -> Reply:
    """Lists the roles that people have, as far as the caller sees them."""
    # Maintainers bind roles and are not told who has which: they lack this.
    call = call.demanding("RULES_VIEW")
    grantee = call.body.grantee_prefixed_universal
    user_id = 0 if grantee is None else await user_id_of(call, grantee)
    bindings = await _bindings(call, f"user_id = {user_id}" if user_id else "")
    if not bindings and user_id:
        await require_somebody(call, user_id)
    return Reply(RolesReply(roles=[_assigned(binding) for binding in bindings if binding.role_id in CODES]))


async def get_role(call: Call[None, None, Nothing]) -> Reply:
    """Says which role the caller has."""
    return Reply(RoleReply(role=role_of(await caller_of(call))))


def role_of(me: WhoAmIResponse) -> OwnRole:
    """Returns the role of a caller. A global one overrides those of applications; administrators are Admins."""
    everywhere = {CODES.get(binding.role_id) for binding in me.role_bindings if not binding.application_id}
    if PERMISSION_ADMINISTRATOR in me.permissions:
        everywhere.add(ADMIN)
    for code in BY_PRECEDENCE:
        if code in everywhere:
            return OwnRole(role=code)
    return _role_of_applications(me.role_bindings)


def _role_of_applications(bindings: Iterable[RoleBinding]) -> OwnRole:
    owned = sorted(
        {
            (binding.application_id, CODES[binding.role_id])
            for binding in bindings
            if binding.application_id and CODES.get(binding.role_id) in OF_APPLICATIONS
        }
    )
    codes = {code for _, code in owned}
    return OwnRole(
        owned_applications=[ApplicationRole(application_id, code) for application_id, code in owned],
        permitted_applications=sorted({application_id for application_id, _ in owned}),
        role=MIXED if len(codes) > 1 else next(iter(codes), NO_ROLE),
    )


def _require_application(body: RoleAssignment) -> None:
    if body.role in OF_APPLICATIONS and body.application_id is None:
        raise invalid(INVALID_BODY, Violation("ApplicationId", REQUIRED))


async def _bindings(call: Call[Any, Any, Any], wanted: str) -> list[RoleBinding]:
    message = ListRoleBindingsRequest(filter=wanted)
    return await page_of(call, call.services.directory.ListRoleBindings, message, "role_bindings")


def _assigned(binding: RoleBinding) -> AssignedRole:
    return AssignedRole(
        application_id=binding.application_id or UNSET,
        grantee=prefixed_universal(binding.user_id),
        role=CODES[binding.role_id],
    )
