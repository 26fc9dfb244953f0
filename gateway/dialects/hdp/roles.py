# SPDX-License-Identifier: Apache-2.0
"""Roles in HDP's terms (contract section 4)."""

from __future__ import annotations

from google.protobuf.field_mask_pb2 import FieldMask
from msgspec import UNSET

from almoner.v1.directory_pb2 import Role
from almoner.v1.directory_service_pb2 import (
    CreateRoleRequest,
    DeleteRoleRequest,
    GetRoleRequest,
    ListRolesRequest,
    UpdateRoleRequest,
)
from gateway.call import Call, Reply
from gateway.dialects.hdp.bodies import ById, HdpRole, RoleBody, RoleChange, RoleList, RoleListElement
from gateway.dialects.hdp.permissions import numbers_of, permissions_of
from gateway.dialects.hdp.tenants import check_tenant, organization_id
from gateway.paging import EVERY_ORGANIZATION, pages

COLLECTION = "/api/admin/roles"
NOT_FOUND = "ROLE_NOT_FOUND"

MEMBERS = {
    "role.name": "name",
    "role.description": "description",
    "role.organization_id": "tenantId",
    "role.permissions": "permissions",
    "role.user_ids": "users",
}


async def list_roles(call: Call[None, None, None]) -> Reply:
    """Lists the roles that the caller may see."""
    roles = [
        _element(role)
        async for page in pages(
            call, call.services.directory.ListRoles, ListRolesRequest(organization_id=EVERY_ORGANIZATION)
        )
        for role in page.roles
    ]
    return Reply(RoleList(roles))


async def create_role(call: Call[None, None, RoleBody]) -> Reply:
    """Creates a role, of the caller's tenant unless another one is named."""
    body = call.body
    role = Role(
        organization_id=await organization_id(call, body.tenant_id),
        name=body.name,
        description=body.description or "",
        permissions=permissions_of(body.permissions),
        user_ids=body.users,
    )
    created = (await call.send(call.services.directory.CreateRole, CreateRoleRequest(role=role))).role
    return Reply(_role(created), etag=created.etag, location=f"{COLLECTION}/{created.id}")


async def get_role(call: Call[ById, None, None]) -> Reply:
    """Reads a role."""
    role = (await call.send(call.services.directory.GetRole, GetRoleRequest(id=call.path.id))).role
    return Reply(_role(role), etag=role.etag)


async def update_role(call: Call[ById, None, RoleChange]) -> Reply:
    """Changes a role; its tenant stays."""
    if call.body.tenant_id is not None:
        current = await call.send(call.services.directory.GetRole, GetRoleRequest(id=call.path.id))
        check_tenant(call.body.tenant_id, current.role.organization_number)
    role, mask = _change(call.path.id, call.body)
    message = UpdateRoleRequest(role=role, update_mask=mask, etag=call.if_match)
    updated = (await call.send(call.services.directory.UpdateRole, message)).role
    return Reply(_role(updated), etag=updated.etag)


async def delete_role(call: Call[ById, None, None]) -> Reply:
    """Deletes a role."""
    await call.send(call.services.directory.DeleteRole, DeleteRoleRequest(id=call.path.id, etag=call.if_match))
    return Reply()


def _change(number: int, body: RoleChange) -> tuple[Role, FieldMask]:
    role = Role(id=number, name=body.name)
    mask = FieldMask(paths=["name"])
    if body.description is not UNSET:
        role.description = body.description
        mask.paths.append("description")
    if body.permissions is not UNSET:
        role.permissions.extend(permissions_of(body.permissions))
        mask.paths.append("permissions")
    if body.users is not UNSET:
        role.user_ids.extend(body.users)
        mask.paths.append("user_ids")
    return role, mask


def _element(role: Role) -> RoleListElement:
    return RoleListElement(
        id=role.id,
        name=role.name,
        tenant_id=role.organization_number,
        description=role.description,
        permissions=numbers_of(role.permissions),
    )


def _role(role: Role) -> HdpRole:
    return HdpRole(
        id=role.id,
        name=role.name,
        tenant_id=role.organization_number,
        description=role.description,
        permissions=numbers_of(role.permissions),
        users=list(role.user_ids),
    )
