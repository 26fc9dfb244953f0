# SPDX-License-Identifier: Apache-2.0
"""ApplicationService: from messages to rules and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
from typing_extensions import override

from almoner.v1 import application_pb2, application_service_pb2, application_service_pb2_grpc
from service.applications import drafts, rules
from service.applications.drafts import Draft
from service.applications.rules import FirstSecret
from service.applications.tables import ApplicationKind
from service.etags import etag_of
from service.rpc.masks import members_of
from service.rpc.times import from_duration, to_duration, to_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.applications.queries import StoredApplication
    from service.crypto.passwords import PasswordHasher
    from service.rpc.units import Units
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


class ApplicationServicer(application_service_pb2_grpc.ApplicationServiceServicer):
    """Serves applications."""

    def __init__(self, units: Units, passwords: PasswordHasher) -> None:
        self._units = units
        self._passwords = passwords

    @override
    async def CreateApplication(
        self, request: application_service_pb2.CreateApplicationRequest, context: Context
    ) -> application_service_pb2.CreateApplicationResponse:
        wanted = request.application
        draft = _draft(wanted)
        digest = await self._passwords.hash(request.client_secret) if request.client_secret else ""
        secret = FirstSecret(digest, request.public)

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
        application = await run(lambda work: _answer(work, rules.get(work, key), request.view))
        return application_service_pb2.GetApplicationResponse(application=application)

    @override
    async def ListApplications(
        self, request: application_service_pb2.ListApplicationsRequest, context: Context
    ) -> application_service_pb2.ListApplicationsResponse:
        page = await self._units.page(request, lambda work, query: rules.page(work, request.organization_id, query))
        return application_service_pb2.ListApplicationsResponse(
            applications=[_application(row) for row in page.rows], next_page_token=page.next_page_token
        )

    @override
    async def UpdateApplication(
        self, request: application_service_pb2.UpdateApplicationRequest, context: Context
    ) -> application_service_pb2.UpdateApplicationResponse:
        wanted = request.application
        draft = _draft(wanted)
        key = wanted.id or wanted.number
        members = members_of(request.update_mask, wanted, _PATHS)
        application = await self._units.write(
            lambda work: _answer(work, rules.update(work, key, draft, members, request.etag), request.view)
        )
        return application_service_pb2.UpdateApplicationResponse(application=application)

    @override
    async def DeleteApplication(
        self, request: application_service_pb2.DeleteApplicationRequest, context: Context
    ) -> application_service_pb2.DeleteApplicationResponse:
        key = request.id or request.number
        deleted = await self._units.sweep(lambda work: rules.delete(work, key, request.etag, cascade=request.cascade))
        return application_service_pb2.DeleteApplicationResponse(profiles_deleted=deleted)


def _draft(application: application_pb2.Application) -> Draft:
    member = application.WhichOneof("kind")
    client, provider = application.client, application.provider
    return Draft(
        kind=ApplicationKind[member.upper()] if member else 0,
        name=application.name,
        description=application.description,
        provider=provider.provider,
        authorize_uri=provider.authorize_uri,
        token_uri=provider.token_uri,
        scope=provider.scope,
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        vendor=client.vendor,
        uri=client.uri,
        required_scopes=tuple(client.required_scopes),
        allowed_scopes=tuple(client.allowed_scopes),
        grant_types=tuple(client.grant_types),
        redirect_uris=tuple(client.redirect_uris),
        access_token_lifetime=from_duration(client.access_token_lifetime),
        grant_lifetime=from_duration(client.grant_lifetime),
        renewable=client.renewable if client.HasField("renewable") else None,
    )


def _answer(
    work: Work, application: StoredApplication, view: application_pb2.ApplicationView.ValueType
) -> application_pb2.Application:
    """Returns the message of an application, with its secret if that is the view."""
    if view != application_pb2.APPLICATION_VIEW_SECRET:
        return _application(application)
    return _application(application, rules.reveal(work, application))


def _application(application: StoredApplication, client_secret: str = "") -> application_pb2.Application:
    message = application_pb2.Application(
        id=application.id,
        number=application.number,
        organization_id=application.organization_id,
        organization_number=application.organization,
        owner_id=application.owner_id,
        name=application.name,
        description=application.description,
        create_time=to_timestamp(application.created),
        update_time=to_timestamp(application.updated),
        etag=etag_of(application.revision),
    )
    if application.kind == ApplicationKind.CLIENT:
        message.client.CopyFrom(_client(application))
    else:
        message.provider.CopyFrom(_provider(application, client_secret))
    return message


def _client(application: StoredApplication) -> application_pb2.ClientApplication:
    stated = drafts.draft_of(application)
    return application_pb2.ClientApplication(
        vendor=stated.vendor,
        uri=stated.uri,
        required_scopes=stated.required_scopes,
        allowed_scopes=stated.allowed_scopes,
        grant_types=(application_pb2.GrantType.ValueType(number) for number in stated.grant_types),
        redirect_uris=stated.redirect_uris,
        access_token_lifetime=to_duration(stated.access_token_lifetime),
        grant_lifetime=to_duration(stated.grant_lifetime),
        renewable=stated.renewable,
        secret_count=application.secret_count,
    )


def _provider(application: StoredApplication, client_secret: str) -> application_pb2.ProviderRegistration:
    return application_pb2.ProviderRegistration(
        provider=application.provider,
        authorize_uri=application.authorize_uri,
        token_uri=application.token_uri,
        scope=application.scope,
        client_id=application.client_id,
        client_secret=client_secret,
        client_secret_set=application.client_secret is not None,
    )
