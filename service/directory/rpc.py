# SPDX-License-Identifier: Apache-2.0
"""DirectoryService: from messages to rules and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
from typing_extensions import override

from almoner.v1 import directory_service_pb2, directory_service_pb2_grpc
from service.directory import api_tokens, bindings, identity, organizations, roles, users
from service.directory import rpc_messages as messages
from service.rpc.masks import members_of

if TYPE_CHECKING:
    from service.crypto.passwords import PasswordHasher
    from service.rpc.units import Units
    from service.work import Work

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

_ORGANIZATION_PATHS: Final = {name: frozenset({name}) for name in organizations.MEMBERS}
_USER_PATHS: Final = {
    **{name: frozenset({name}) for name in users.MEMBERS - {"password_expires"}},
    "password_expire_time": frozenset({"password_expires"}),
}
_ROLE_PATHS: Final = {name: frozenset({name}) for name in roles.MEMBERS}


class DirectoryServicer(directory_service_pb2_grpc.DirectoryServiceServicer):
    """Serves organizations, users, roles, bindings and API tokens."""

    def __init__(self, units: Units, passwords: PasswordHasher) -> None:
        self._units = units
        self._passwords = passwords

    @override
    async def WhoAmI(
        self, request: directory_service_pb2.WhoAmIRequest, context: Context
    ) -> directory_service_pb2.WhoAmIResponse:
        found = await self._units.read(identity.who_am_i)
        return directory_service_pb2.WhoAmIResponse(
            user=messages.user_message(found.user),
            organization=messages.organization_message(found.organization),
            permissions=messages.permission_values(found.permissions),
            actor=messages.user_message(found.actor) if found.actor else None,
            role_bindings=map(messages.binding_message, found.bindings),
            scoped=found.scopes is not None,
            scopes=sorted(found.scopes or ()),
        )

    @override
    async def CreateOrganization(
        self, request: directory_service_pb2.CreateOrganizationRequest, context: Context
    ) -> directory_service_pb2.CreateOrganizationResponse:
        draft = messages.organization_draft(request.organization)

        def rule(work: Work) -> directory_service_pb2.CreateOrganizationResponse:
            return directory_service_pb2.CreateOrganizationResponse(
                organization=messages.organization_message(organizations.create(work, draft, request.imported_role_ids))
            )

        return await self._units.write_once(request, directory_service_pb2.CreateOrganizationResponse, rule)

    @override
    async def GetOrganization(
        self, request: directory_service_pb2.GetOrganizationRequest, context: Context
    ) -> directory_service_pb2.GetOrganizationResponse:
        organization = await self._units.read(lambda work: organizations.get(work, request.id or request.number))
        return directory_service_pb2.GetOrganizationResponse(organization=messages.organization_message(organization))

    @override
    async def ListOrganizations(
        self, request: directory_service_pb2.ListOrganizationsRequest, context: Context
    ) -> directory_service_pb2.ListOrganizationsResponse:
        page = await self._units.page(request, organizations.page)
        return directory_service_pb2.ListOrganizationsResponse(
            organizations=[messages.organization_message(row) for row in page.rows],
            next_page_token=page.next_page_token,
        )

    @override
    async def UpdateOrganization(
        self, request: directory_service_pb2.UpdateOrganizationRequest, context: Context
    ) -> directory_service_pb2.UpdateOrganizationResponse:
        wanted = request.organization
        draft = messages.organization_draft(wanted)
        members = members_of(request.update_mask, wanted, _ORGANIZATION_PATHS)
        organization = await self._units.write(
            lambda work: organizations.update(work, wanted.id or wanted.number, draft, members, request.etag)
        )
        return directory_service_pb2.UpdateOrganizationResponse(
            organization=messages.organization_message(organization)
        )

    @override
    async def DeleteOrganization(
        self, request: directory_service_pb2.DeleteOrganizationRequest, context: Context
    ) -> directory_service_pb2.DeleteOrganizationResponse:
        await self._units.write(lambda work: organizations.delete(work, request.id or request.number, request.etag))
        return directory_service_pb2.DeleteOrganizationResponse()

    @override
    async def CreateUser(
        self, request: directory_service_pb2.CreateUserRequest, context: Context
    ) -> directory_service_pb2.CreateUserResponse:
        draft = messages.user_draft(request.user, await self._digest(request.user.password))

        def rule(work: Work) -> directory_service_pb2.CreateUserResponse:
            return directory_service_pb2.CreateUserResponse(
                user=messages.user_message(users.create(work, request.user.organization_id, draft))
            )

        return await self._units.write_once(request, directory_service_pb2.CreateUserResponse, rule)

    @override
    async def GetUser(
        self, request: directory_service_pb2.GetUserRequest, context: Context
    ) -> directory_service_pb2.GetUserResponse:
        user = await self._units.read(lambda work: users.get(work, request.username or request.id))
        return directory_service_pb2.GetUserResponse(user=messages.user_message(user))

    @override
    async def ListUsers(
        self, request: directory_service_pb2.ListUsersRequest, context: Context
    ) -> directory_service_pb2.ListUsersResponse:
        page = await self._units.page(request, lambda work, query: users.page(work, request.organization_id, query))
        return directory_service_pb2.ListUsersResponse(
            users=[messages.user_message(row) for row in page.rows], next_page_token=page.next_page_token
        )

    @override
    async def UpdateUser(
        self, request: directory_service_pb2.UpdateUserRequest, context: Context
    ) -> directory_service_pb2.UpdateUserResponse:
        members = members_of(request.update_mask, request.user, _USER_PATHS)
        digest = await self._digest(request.user.password) if "password" in members else ""
        draft = messages.user_draft(request.user, digest)
        user = await self._units.write(lambda work: users.update(work, request.user.id, draft, members, request.etag))
        return directory_service_pb2.UpdateUserResponse(user=messages.user_message(user))

    @override
    async def DeleteUser(
        self, request: directory_service_pb2.DeleteUserRequest, context: Context
    ) -> directory_service_pb2.DeleteUserResponse:
        await self._units.sweep(
            lambda work: users.delete(work, request.username or request.id, request.etag, cascade=request.cascade)
        )
        return directory_service_pb2.DeleteUserResponse()

    @override
    async def CreateRole(
        self, request: directory_service_pb2.CreateRoleRequest, context: Context
    ) -> directory_service_pb2.CreateRoleResponse:
        draft = messages.role_draft(request.role)

        def rule(work: Work) -> directory_service_pb2.CreateRoleResponse:
            return directory_service_pb2.CreateRoleResponse(
                role=messages.role_message(roles.create(work, request.role.organization_id, draft))
            )

        return await self._units.write_once(request, directory_service_pb2.CreateRoleResponse, rule)

    @override
    async def GetRole(
        self, request: directory_service_pb2.GetRoleRequest, context: Context
    ) -> directory_service_pb2.GetRoleResponse:
        role = await self._units.read(lambda work: roles.get(work, request.id))
        return directory_service_pb2.GetRoleResponse(role=messages.role_message(role))

    @override
    async def ListRoles(
        self, request: directory_service_pb2.ListRolesRequest, context: Context
    ) -> directory_service_pb2.ListRolesResponse:
        page = await self._units.page(request, lambda work, query: roles.page(work, request.organization_id, query))
        return directory_service_pb2.ListRolesResponse(
            roles=[messages.role_message(row) for row in page.rows], next_page_token=page.next_page_token
        )

    @override
    async def UpdateRole(
        self, request: directory_service_pb2.UpdateRoleRequest, context: Context
    ) -> directory_service_pb2.UpdateRoleResponse:
        draft = messages.role_draft(request.role)
        members = members_of(request.update_mask, request.role, _ROLE_PATHS)
        role = await self._units.write(lambda work: roles.update(work, request.role.id, draft, members, request.etag))
        return directory_service_pb2.UpdateRoleResponse(role=messages.role_message(role))

    @override
    async def DeleteRole(
        self, request: directory_service_pb2.DeleteRoleRequest, context: Context
    ) -> directory_service_pb2.DeleteRoleResponse:
        await self._units.write(lambda work: roles.delete(work, request.id, request.etag))
        return directory_service_pb2.DeleteRoleResponse()

    @override
    async def CreateRoleBinding(
        self, request: directory_service_pb2.CreateRoleBindingRequest, context: Context
    ) -> directory_service_pb2.CreateRoleBindingResponse:
        draft = messages.binding_draft(request.role_binding)

        def rule(work: Work) -> directory_service_pb2.CreateRoleBindingResponse:
            return directory_service_pb2.CreateRoleBindingResponse(
                role_binding=messages.binding_message(bindings.create(work, draft))
            )

        return await self._units.write_once(request, directory_service_pb2.CreateRoleBindingResponse, rule)

    @override
    async def GetRoleBinding(
        self, request: directory_service_pb2.GetRoleBindingRequest, context: Context
    ) -> directory_service_pb2.GetRoleBindingResponse:
        role_binding = await self._units.read(lambda work: bindings.get(work, request.id))
        return directory_service_pb2.GetRoleBindingResponse(role_binding=messages.binding_message(role_binding))

    @override
    async def ListRoleBindings(
        self, request: directory_service_pb2.ListRoleBindingsRequest, context: Context
    ) -> directory_service_pb2.ListRoleBindingsResponse:
        page = await self._units.page(request, lambda work, query: bindings.page(work, request.organization_id, query))
        return directory_service_pb2.ListRoleBindingsResponse(
            role_bindings=[messages.binding_message(row) for row in page.rows], next_page_token=page.next_page_token
        )

    @override
    async def DeleteRoleBinding(
        self, request: directory_service_pb2.DeleteRoleBindingRequest, context: Context
    ) -> directory_service_pb2.DeleteRoleBindingResponse:
        await self._units.write(lambda work: bindings.delete(work, request.id, request.etag))
        return directory_service_pb2.DeleteRoleBindingResponse()

    @override
    async def CreateApiToken(
        self, request: directory_service_pb2.CreateApiTokenRequest, context: Context
    ) -> directory_service_pb2.CreateApiTokenResponse:
        draft = messages.api_token_draft(request.api_token)

        def rule(work: Work) -> directory_service_pb2.CreateApiTokenResponse:
            created = api_tokens.create(work, draft)
            return directory_service_pb2.CreateApiTokenResponse(
                api_token=messages.api_token_message(created.stored), token=created.value
            )

        return await self._units.write_once(request, directory_service_pb2.CreateApiTokenResponse, rule)

    @override
    async def ListApiTokens(
        self, request: directory_service_pb2.ListApiTokensRequest, context: Context
    ) -> directory_service_pb2.ListApiTokensResponse:
        page = await self._units.page(
            request, lambda work, query: api_tokens.page(work, request.organization_id, query)
        )
        return directory_service_pb2.ListApiTokensResponse(
            api_tokens=[messages.api_token_message(row) for row in page.rows], next_page_token=page.next_page_token
        )

    @override
    async def RevokeApiToken(
        self, request: directory_service_pb2.RevokeApiTokenRequest, context: Context
    ) -> directory_service_pb2.RevokeApiTokenResponse:
        await self._units.write(lambda work: api_tokens.revoke(work, request.id, request.etag))
        return directory_service_pb2.RevokeApiTokenResponse()

    async def _digest(self, password: str) -> str:
        return await self._passwords.hash(password) if password else ""
