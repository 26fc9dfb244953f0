# SPDX-License-Identifier: Apache-2.0
"""OAuth applications in HDP's terms (contract section 2): registrations at providers that are data stores."""

from __future__ import annotations

from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from msgspec import UNSET

from almoner.v1.application_pb2 import (
    APPLICATION_VIEW_BASIC,
    APPLICATION_VIEW_SECRET,
    Application,
    ApplicationView,
    ProviderRegistration,
)
from almoner.v1.application_service_pb2 import (
    CreateApplicationRequest,
    DeleteApplicationRequest,
    GetApplicationRequest,
    ListApplicationsRequest,
    UpdateApplicationRequest,
)
from gateway.call import Call, Reply
from gateway.dialects.hdp.bodies import (
    ApplicationBody,
    ApplicationList,
    ApplicationListElement,
    ApplicationQuery,
    ById,
    HdpApplication,
    OnBehalf,
)
from gateway.dialects.hdp.datastores import DATA_STORES, PROVIDERS
from gateway.dialects.hdp.tenants import check_tenant, organization_id, organization_id_by_name
from gateway.failures import not_found
from gateway.paging import EVERY_ORGANIZATION, pages

COLLECTION = "/api/mgmt/oauthapps"
NOT_FOUND = "APPLICATION_NOT_FOUND"
REPLACED = FieldMask(
    paths=[
        "name",
        "description",
        "provider.provider",
        "provider.authorize_uri",
        "provider.token_uri",
        "provider.scope",
        "provider.client_id",
        "provider.client_secret",
    ]
)

MEMBERS = {
    "application.name": "name",
    "application.description": "description",
    "application.organization_id": "tenantId",
    "application.provider.provider": "dataStore",
    "application.provider.authorize_uri": "authorizeURI",
    "application.provider.token_uri": "tokenURI",
    "application.provider.scope": "scope",
    "application.provider.client_id": "clientId",
    "application.provider.client_secret": "clientSecret",
}


async def list_applications(call: Call[None, ApplicationQuery, None]) -> Reply:
    """Lists the applications of a tenant, or all that the caller may see."""
    message = ListApplicationsRequest(organization_id=await _listed_organization(call), filter="kind = provider")
    applications = [
        _element(application)
        async for page in pages(call, call.services.applications.ListApplications, message)
        for application in page.applications
        if _is_shown(application)
    ]
    return Reply(ApplicationList(applications))


async def create_application(call: Call[None, OnBehalf, ApplicationBody]) -> Reply:
    """Creates an application, of the caller's tenant unless another one is named."""
    application = _application(call.body)
    application.organization_id = await organization_id(call, call.body.tenant_id)
    response = await call.send(
        call.services.applications.CreateApplication, CreateApplicationRequest(application=application)
    )
    created = response.application
    body = _single(created, call.body.client_secret)
    return Reply(body, etag=created.etag, location=f"{COLLECTION}/{created.number}")


async def get_application(call: Call[ById, OnBehalf, None]) -> Reply:
    """Reads an application, with its client secret."""
    application = await _shown_application(call, APPLICATION_VIEW_SECRET)
    return Reply(_single(application, application.provider.client_secret), etag=application.etag)


async def update_application(call: Call[ById, OnBehalf, ApplicationBody]) -> Reply:
    """Replaces an application; its tenant stays."""
    current = await _shown_application(call, APPLICATION_VIEW_BASIC)
    check_tenant(call.body.tenant_id, current.organization_number)
    application = _application(call.body)
    application.number = call.path.id
    message = UpdateApplicationRequest(application=application, update_mask=REPLACED, etag=call.if_match)
    updated = (await call.send(call.services.applications.UpdateApplication, message)).application
    return Reply(_single(updated, call.body.client_secret), etag=updated.etag)


async def delete_application(call: Call[ById, OnBehalf, None]) -> Reply:
    """Deletes an application with its profiles."""
    await _shown_application(call, APPLICATION_VIEW_BASIC)
    message = DeleteApplicationRequest(number=call.path.id, etag=call.if_match, cascade=True)
    await call.send(call.services.applications.DeleteApplication, message)
    return Reply()


async def _listed_organization(call: Call[None, ApplicationQuery, None]) -> str:
    if call.query.tenant_id is not UNSET:
        return await organization_id(call, call.query.tenant_id)
    if call.query.tenant_name is not UNSET:
        return await organization_id_by_name(call, call.query.tenant_name)
    return EVERY_ORGANIZATION


def _is_shown(application: Application) -> bool:
    return application.WhichOneof("kind") == "provider" and application.provider.provider in DATA_STORES


async def _shown_application(call: Call[ById, Any, Any], view: ApplicationView.ValueType) -> Application:
    message = GetApplicationRequest(number=call.path.id, view=view)
    application = (await call.send(call.services.applications.GetApplication, message)).application
    if not _is_shown(application):
        raise not_found(NOT_FOUND, str(call.path.id))
    return application


def _application(body: ApplicationBody) -> Application:
    return Application(
        name=body.name,
        description=body.description or "",
        provider=ProviderRegistration(
            provider=PROVIDERS[body.data_store],
            authorize_uri=body.authorize_uri or "",
            token_uri=body.token_uri or "",
            scope=body.scope or "",
            client_id=body.client_id,
            client_secret=body.client_secret,
        ),
    )


def _element(application: Application) -> ApplicationListElement:
    return ApplicationListElement(
        id=application.number,
        name=application.name,
        data_store=DATA_STORES[application.provider.provider],
        tenant_id=application.organization_number,
        description=application.description,
        authorize_uri=application.provider.authorize_uri,
        token_uri=application.provider.token_uri,
        scope=application.provider.scope,
    )


def _single(application: Application, client_secret: str) -> HdpApplication:
    """Returns one application. After a write the secret is the request's own: writing needs no right to read it."""
    return HdpApplication(
        id=application.number,
        name=application.name,
        data_store=DATA_STORES[application.provider.provider],
        tenant_id=application.organization_number,
        description=application.description,
        authorize_uri=application.provider.authorize_uri,
        token_uri=application.provider.token_uri,
        scope=application.provider.scope,
        client_id=application.provider.client_id,
        client_secret=client_secret,
    )
