# SPDX-License-Identifier: Apache-2.0
"""ApplicationService: from messages to rules and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
from typing_extensions import override

from almoner.v1 import application_pb2, application_service_pb2
from service.applications import drafts, reading, rules
from service.applications.membership_rpc import MembershipMethods
from service.applications.messages import application_message, draft_from
from service.applications.rules import FirstSecret
from service.applications.secret_rpc import SecretMethods
from service.applications.tables import ApplicationKind
from service.rpc.masks import members_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.applications.queries import StoredApplication
    from service.work import Work

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


def _paths_of(kind: ApplicationKind) -> Mapping[str, frozenset[str]]:
    """Returns the paths below the member that is named like the kind, and that member for all of them."""
    member, names = kind.name.lower(), drafts.OF_KIND[kind]
    return {member: names, **{f"{member}.{name}": frozenset({name}) for name in names}}


_PATHS: Final = {
    **{name: frozenset({name}) for name in drafts.SHARED},
    **_paths_of(ApplicationKind.CLIENT),
    **_paths_of(ApplicationKind.PROVIDER),
}


class ApplicationServicer(SecretMethods, MembershipMethods):
    """Serves applications."""

    @override
    async def CreateApplication(
        self, request: application_service_pb2.CreateApplicationRequest, context: Context
    ) -> application_service_pb2.CreateApplicationResponse:
        wanted = request.application
        draft = draft_from(wanted)
        secret = FirstSecret(await self._digest(request.client_secret), request.public)

        def rule(work: Work) -> application_service_pb2.CreateApplicationResponse:
            created = rules.create(work, wanted.organization_id, wanted.id, draft, secret)
            return application_service_pb2.CreateApplicationResponse(
                application=_answer(work, created.application, request.view), client_secret=created.client_secret
            )

        return await self._units.write_once(request, application_service_pb2.CreateApplicationResponse, rule)

    @override
    async def GetApplication(
        self, request: application_service_pb2.GetApplicationRequest, context: Context
    ) -> application_service_pb2.GetApplicationResponse:
        # A read that reveals is recorded, and so it is a write.
        run = self._units.write if request.view == application_pb2.APPLICATION_VIEW_SECRET else self._units.read
        key = request.id or request.number
        application = await run(lambda work: _answer(work, reading.get(work, key), request.view))
        return application_service_pb2.GetApplicationResponse(application=application)

    @override
    async def ListApplications(
        self, request: application_service_pb2.ListApplicationsRequest, context: Context
    ) -> application_service_pb2.ListApplicationsResponse:
        page = await self._units.page(
            request,
            lambda work, query: reading.page(work, request.organization_id, query),
            count_all=request.count_all,
        )
        return application_service_pb2.ListApplicationsResponse(
            applications=[application_message(row) for row in page.rows],
            next_page_token=page.next_page_token,
            total_size=page.total_size,
        )

    @override
    async def UpdateApplication(
        self, request: application_service_pb2.UpdateApplicationRequest, context: Context
    ) -> application_service_pb2.UpdateApplicationResponse:
        wanted = request.application
        draft = draft_from(wanted)
        key = wanted.id or wanted.number
        members = members_of(request.update_mask, wanted, _PATHS)
        digest = await self._digest(request.client_secret)

        def rule(work: Work) -> application_pb2.Application:
            changed = rules.update(work, key, draft, members, request.etag, secret_digest=digest)
            return _answer(work, changed, request.view)

        application = await self._units.write(rule)
        return application_service_pb2.UpdateApplicationResponse(application=application)

    @override
    async def DeleteApplication(
        self, request: application_service_pb2.DeleteApplicationRequest, context: Context
    ) -> application_service_pb2.DeleteApplicationResponse:
        key = request.id or request.number
        deleted = await self._units.sweep(lambda work: rules.delete(work, key, request.etag, cascade=request.cascade))
        return application_service_pb2.DeleteApplicationResponse(profiles_deleted=deleted)


def _answer(
    work: Work, application: StoredApplication, view: application_pb2.ApplicationView.ValueType
) -> application_pb2.Application:
    """Returns the message of an application, with its secret if that is the view."""
    if view != application_pb2.APPLICATION_VIEW_SECRET:
        return application_message(application)
    return application_message(application, rules.reveal(work, application))
