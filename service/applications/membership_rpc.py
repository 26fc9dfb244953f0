# SPDX-License-Identifier: Apache-2.0
"""The methods of ApplicationService about memberships of clients: from messages to rules and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from typing_extensions import override

from almoner.v1 import application_pb2, application_service_pb2, application_service_pb2_grpc
from service.applications import memberships
from service.applications.memberships import Which
from service.etags import etag_of
from service.rpc.times import to_timestamp

if TYPE_CHECKING:
    from service.applications.membership_queries import StoredMembership
    from service.rpc.units import Units
    from service.work import Work

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class MembershipMethods(application_service_pb2_grpc.ApplicationServiceServicer):
    """Serves memberships."""

    def __init__(self, units: Units) -> None:
        self._units = units

    @override
    async def CreateClientMembership(
        self, request: application_service_pb2.CreateClientMembershipRequest, context: Context
    ) -> application_service_pb2.CreateClientMembershipResponse:
        wanted = request.membership
        draft = memberships.Draft(wanted.application_id, wanted.organization_id, tuple(wanted.scopes))

        def rule(work: Work) -> application_service_pb2.CreateClientMembershipResponse:
            return application_service_pb2.CreateClientMembershipResponse(
                membership=_membership(memberships.create(work, draft))
            )

        return await self._units.write_once(request, application_service_pb2.CreateClientMembershipResponse, rule)

    @override
    async def GetClientMembership(
        self, request: application_service_pb2.GetClientMembershipRequest, context: Context
    ) -> application_service_pb2.GetClientMembershipResponse:
        which = Which(request.application_id, request.organization_id)
        found = await self._units.read(lambda work: memberships.get(work, which))
        return application_service_pb2.GetClientMembershipResponse(membership=_membership(found))

    @override
    async def ListClientMemberships(
        self, request: application_service_pb2.ListClientMembershipsRequest, context: Context
    ) -> application_service_pb2.ListClientMembershipsResponse:
        page = await self._units.page(
            request,
            lambda work, query: memberships.page(work, request.organization_id, query),
            count_all=request.count_all,
        )
        return application_service_pb2.ListClientMembershipsResponse(
            memberships=[_membership(row) for row in page.rows],
            next_page_token=page.next_page_token,
            total_size=page.total_size,
        )

    @override
    async def UpdateClientMembership(
        self, request: application_service_pb2.UpdateClientMembershipRequest, context: Context
    ) -> application_service_pb2.UpdateClientMembershipResponse:
        which = Which(request.application_id, request.organization_id)
        changed = await self._units.write(
            lambda work: memberships.update(work, which, request.added_scopes, request.removed_scopes, request.etag)
        )
        return application_service_pb2.UpdateClientMembershipResponse(membership=_membership(changed))

    @override
    async def DeleteClientMembership(
        self, request: application_service_pb2.DeleteClientMembershipRequest, context: Context
    ) -> application_service_pb2.DeleteClientMembershipResponse:
        which = Which(request.application_id, request.organization_id)
        await self._units.write(lambda work: memberships.delete(work, which, request.etag))
        return application_service_pb2.DeleteClientMembershipResponse()


def _membership(membership: StoredMembership) -> application_pb2.ClientMembership:
    return application_pb2.ClientMembership(
        id=membership.id,
        application_id=membership.application_id,
        application_number=membership.application_number,
        application_name=membership.application_name,
        application_description=membership.application_description,
        application_organization_id=membership.application_organization_id,
        application_organization_name=membership.application_organization_name,
        organization_id=membership.organization_id,
        scopes=memberships.scopes_of(membership.scopes),
        create_time=to_timestamp(membership.created),
        update_time=to_timestamp(membership.updated),
        etag=etag_of(membership.revision),
    )
