# SPDX-License-Identifier: Apache-2.0
"""Tenants in HDP's terms: organizations by their numbers (contract section 4)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from msgspec import UNSET

from almoner.v1.directory_pb2 import Organization
from almoner.v1.directory_service_pb2 import (
    CreateOrganizationRequest,
    DeleteOrganizationRequest,
    GetOrganizationRequest,
    ListOrganizationsRequest,
    UpdateOrganizationRequest,
)
from gateway.call import Call, Reply
from gateway.dialects.hdp.bodies import ById, Tenant, TenantBody, TenantChange, TenantList
from gateway.failures import Failure, Violation, not_found
from gateway.paging import pages

COLLECTION = "/api/admin/tenants"
NOT_FOUND = "ORGANIZATION_NOT_FOUND"
SYSTEM_TENANT = 1
TENANT_FIXED = "TENANT_FIXED"

MEMBERS = {
    "organization.display_name": "name",
    "organization.description": "description",
    "organization.disabled": "status",
    "imported_role_ids": "importedRoles",
}


async def organization_id(call: Call[Any, Any, Any], number: int | None) -> str:
    """Returns the id of a tenant; empty, which means the caller's own, for none."""
    if number is None:
        return ""
    response = await call.send(call.services.directory.GetOrganization, GetOrganizationRequest(number=number))
    return response.organization.id


async def organization_id_by_name(call: Call[Any, Any, Any], name: str) -> str:
    """Returns the id of the tenant with the name; the first one's, should there be several."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    message = ListOrganizationsRequest(filter=f'display_name = "{quoted}"')
    response = await call.send(call.services.directory.ListOrganizations, message)
    # The filter's = takes an asterisk for a wildcard.
    found = [organization.id for organization in response.organizations if organization.display_name == name]
    if not found:
        raise not_found(NOT_FOUND, name[:64])
    return found[0]


def check_tenant(asked: int | None, current: int) -> None:
    """Refuses to move something to another tenant."""
    if asked not in {None, current}:
        violation = Violation("tenantId", f"cannot be changed; it is {current}")
        raise Failure(HTTPStatus.CONFLICT, TENANT_FIXED, ": ".join(violation), violations=(violation,))


async def list_tenants(call: Call[None, None, None]) -> Reply:
    """Lists the tenants that the caller may see."""
    tenants = [
        _tenant(organization)
        async for page in pages(call, call.services.directory.ListOrganizations, ListOrganizationsRequest())
        for organization in page.organizations
    ]
    return Reply(TenantList(tenants))


async def create_tenant(call: Call[None, None, TenantBody]) -> Reply:
    """Creates a tenant with copies of roles."""
    body = call.body
    message = CreateOrganizationRequest(
        organization=Organization(
            display_name=body.name, description=body.description or "", disabled=body.status == 0
        ),
        imported_role_ids=body.imported_roles,
    )
    organization = (await call.send(call.services.directory.CreateOrganization, message)).organization
    return Reply(_tenant(organization), etag=organization.etag, location=f"{COLLECTION}/{organization.number}")


async def get_tenant(call: Call[ById, None, None]) -> Reply:
    """Reads a tenant."""
    message = GetOrganizationRequest(number=call.path.id)
    organization = (await call.send(call.services.directory.GetOrganization, message)).organization
    return Reply(_tenant(organization), etag=organization.etag)


async def update_tenant(call: Call[ById, None, TenantChange]) -> Reply:
    """Changes a tenant."""
    body = call.body
    organization = Organization(number=call.path.id, display_name=body.name)
    mask = FieldMask(paths=["display_name"])
    if body.description is not UNSET:
        organization.description = body.description
        mask.paths.append("description")
    if body.status is not UNSET:
        organization.disabled = body.status == 0
        mask.paths.append("disabled")
    message = UpdateOrganizationRequest(organization=organization, update_mask=mask, etag=call.if_match)
    updated = (await call.send(call.services.directory.UpdateOrganization, message)).organization
    return Reply(_tenant(updated), etag=updated.etag)


async def delete_tenant(call: Call[ById, None, None]) -> Reply:
    """Deletes a tenant that has no users, applications or profiles."""
    message = DeleteOrganizationRequest(number=call.path.id, etag=call.if_match)
    await call.send(call.services.directory.DeleteOrganization, message)
    return Reply()


def _tenant(organization: Organization) -> Tenant:
    return Tenant(
        id=organization.number,
        name=organization.display_name,
        description=organization.description,
        parent_tenant=UNSET if organization.number == SYSTEM_TENANT else SYSTEM_TENANT,
        status=0 if organization.disabled else 1,
        roles=list(organization.role_ids),
    )
