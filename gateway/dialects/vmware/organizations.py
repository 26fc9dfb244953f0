# SPDX-License-Identifier: Apache-2.0
"""What there is in an organization (contract sections 1 and 2): its roles, and those that an app may carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from almoner.v1.directory_service_pb2 import GetOrganizationRequest
from gateway.call import Call, Reply
from gateway.dialects.vmware import roles
from gateway.dialects.vmware.bodies import AllowedScopeDescriptor, RoleInOrganization, RolesOfOrganization

if TYPE_CHECKING:
    from typing import Any

    from almoner.v1.directory_pb2 import Organization
    from gateway.dialects.vmware.bodies import Acting, InOrganization

NOT_FOUND = "ORGANIZATION_NOT_FOUND"


async def get_roles(call: Call[InOrganization, Acting, None]) -> Reply:
    """Lists the roles of an organization, or those of one family. All organizations have the same."""
    organization = await _organization(call)
    listed = [
        RoleInOrganization(display_name=display_name, id=name, member_type="DIRECT", name=name, org_id=organization.id)
        for name, display_name in roles.roles_of(roles.context_of(call.query)).items()
    ]
    return Reply(RolesOfOrganization(listed))


async def get_scopes(call: Call[InOrganization, None, None]) -> Reply:
    """Lists the roles that apps of an organization may carry."""
    await _organization(call)
    listed = [
        AllowedScopeDescriptor(
            enabled=True,
            incompatible_with=roles.incompatible_with(name),
            name=name,
            service_scope_type="ALL_SERVICES",
        )
        for name in roles.KNOWN
    ]
    return Reply(listed)


async def _organization(call: Call[InOrganization, Any, None]) -> Organization:
    message = GetOrganizationRequest(id=call.path.org_id)
    return (await call.send(call.services.directory.GetOrganization, message)).organization
