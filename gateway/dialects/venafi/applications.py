# SPDX-License-Identifier: Apache-2.0
"""OAuth applications in Venafi's terms (contract section 2): the client applications that the caller may see."""

from __future__ import annotations

import re
from typing import Any, Final

from google.protobuf.field_mask_pb2 import FieldMask
from msgspec import UNSET

from almoner.v1.application_pb2 import Application, ClientApplication, GrantType
from almoner.v1.application_service_pb2 import (
    CreateApplicationRequest,
    DeleteApplicationRequest,
    GetApplicationRequest,
    ListApplicationsRequest,
    UpdateApplicationRequest,
)
from gateway.call import Call, Reply
from gateway.decoding import INVALID_BODY
from gateway.dialects.venafi import scopes
from gateway.dialects.venafi.bodies import (
    ID_ALPHABET,
    ApplicationChange,
    ApplicationPage,
    ApplicationReply,
    ApplicationsReply,
    ApplicationUpdate,
    Done,
    NewApplication,
    OneApplication,
    SomeApplications,
    VenafiApplication,
)
from gateway.dialects.venafi.lifetimes import duration_of, seconds_of
from gateway.dialects.venafi.paging import order, page_of, quoted
from gateway.failures import REQUIRED, Violation, invalid, not_found

NOT_FOUND: Final = "APPLICATION_NOT_FOUND"
CLIENTS: Final = "kind = client"
ORDERS: Final = ("", "name", "vendor", "access_token_lifetime")
"""Fields by OrderBy."""

WAYS: Final = tuple(way for way in GrantType.values() if way != GrantType.GRANT_TYPE_UNSPECIFIED)
"""How an application made here may get tokens: Venafi asks for none by name."""

REPLACED: Final = (
    "name",
    "description",
    "client.vendor",
    "client.uri",
    "client.required_scopes",
    "client.allowed_scopes",
    "client.access_token_lifetime",
    "client.grant_lifetime",
    "client.renewable",
)
"""All that Venafi knows of an application. What only others know (redirect URIs, grant types) stays."""

MEMBERS: Final = {
    "id": "ApplicationId",
    "application.id": "ApplicationId",
    "application.name": "Name",
    "application.description": "Description",
    "application.client.vendor": "Vendor",
    "application.client.uri": "Url",
    "application.client.required_scopes": "Scope",
    "application.client.allowed_scopes": "MaximumScope",
    "application.client.access_token_lifetime": "AccessValidity",
    "application.client.grant_lifetime": "GrantValidity",
    "application.client.renewable": "Renewable",
}

_POSSIBLE_ID = re.compile(f"{ID_ALPHABET}+")
_AT_ONCE = 25
"""Ids in one filter, whose length is limited."""


async def create_application(call: Call[None, None, NewApplication]) -> Reply:
    """Registers a public client application."""
    body = call.body
    maximum = body.max_scope if body.maximum_scope is None else body.maximum_scope
    if maximum is None:
        raise invalid(INVALID_BODY, Violation("MaximumScope", REQUIRED))
    application = _message(body.application_id, body, maximum)
    application.client.grant_types.extend(WAYS)
    message = CreateApplicationRequest(application=application, public=True)
    return _single((await call.send(call.services.applications.CreateApplication, message)).application)


async def get_application(call: Call[None, None, OneApplication]) -> Reply:
    """Reads an application."""
    return _single(await found_application(call, call.body.application_id))


async def get_applications(call: Call[None, None, SomeApplications]) -> Reply:
    """Reads the applications of several ids, in their order; what is not there is left out."""
    ids = list(dict.fromkeys(call.body.application_ids))
    found: dict[str, Application] = {}
    # No ids are asked for, too: whoever may see no applications is told so.
    for first in range(0, max(1, len(ids)), _AT_ONCE):
        named = " OR ".join(f"id = {quoted(name)}" for name in ids[first : first + _AT_ONCE]) or 'id = ""'
        message = ListApplicationsRequest(filter=f"{CLIENTS} AND ({named})")
        page = await page_of(call, call.services.applications.ListApplications, message, "applications")
        found |= {application.id: application for application in page}
    part = call.body.filter.lower()
    wanted = [found[name] for name in ids if name in found]
    return _several([one for one in wanted if part in one.id.lower() or part in one.name.lower()])


async def enumerate_applications(call: Call[None, None, ApplicationPage]) -> Reply:
    """Lists a page of the applications."""
    body = call.body
    message = ListApplicationsRequest(filter=CLIENTS, order_by=order(ORDERS[body.order_by], descending=body.descending))
    method = call.services.applications.ListApplications
    return _several(await page_of(call, method, message, "applications", start=body.start, count=body.count))


async def update_application(call: Call[None, None, ApplicationUpdate]) -> Reply:
    """Replaces all that Venafi knows of an application."""
    body = call.body.application
    if _POSSIBLE_ID.fullmatch(body.id) is None:
        # The service refuses to look for it. That there is no such application is said by asking for it.
        await found_application(call, body.id)
    message = UpdateApplicationRequest(
        application=_message(body.id, body, body.maximum_scope),
        update_mask=FieldMask(paths=REPLACED),
        etag=call.if_match,
    )
    updated = (await call.send(call.services.applications.UpdateApplication, message)).application
    return Reply(Done(), etag=updated.etag)


async def delete_application(call: Call[None, None, OneApplication]) -> Reply:
    """Deletes an application with its rules and grants."""
    # That it is a client is looked at first, and stays so: an application never changes its kind, nor its number.
    call = call.demanding("APPLICATIONS_MANAGE")
    application = await found_application(call, call.body.application_id)
    message = DeleteApplicationRequest(number=application.number, etag=call.if_match)
    await call.send(call.services.applications.DeleteApplication, message)
    return Reply(Done())


async def found_application(call: Call[Any, Any, Any], application_id: str) -> Application:
    """Returns a client application that the caller may see.

    Raises (beside what the service refuses):
        Failure: APPLICATION_NOT_FOUND, for an application of another kind.
    """
    message = GetApplicationRequest(id=application_id)
    application = (await call.send(call.services.applications.GetApplication, message)).application
    if not application.HasField("client"):
        raise not_found(NOT_FOUND, application_id)
    return application


def _message(application_id: str, body: NewApplication | ApplicationChange, maximum_scope: str) -> Application:
    return Application(
        id=application_id,
        # Every application has a name here.
        name=body.name or application_id,
        description=body.description,
        client=ClientApplication(
            vendor=body.vendor,
            uri=body.url,
            required_scopes=scopes.read("Scope", body.scope),
            allowed_scopes=scopes.read("MaximumScope", maximum_scope),
            access_token_lifetime=duration_of(body.access_validity),
            grant_lifetime=duration_of(body.grant_validity),
            renewable=body.renewable,
        ),
    )


def _single(application: Application) -> Reply:
    return Reply(ApplicationReply(_application(application)), etag=application.etag)


def _several(applications: list[Application]) -> Reply:
    return Reply(ApplicationsReply([_application(application) for application in applications]))


def _application(application: Application) -> VenafiApplication:
    client = application.client
    return VenafiApplication(
        access_validity=seconds_of(client.access_token_lifetime),
        description=application.description or UNSET,
        grant_validity=seconds_of(client.grant_lifetime),
        id=application.id,
        maximum_scope=scopes.text_of(client.allowed_scopes) or UNSET,
        name=application.name,
        renewable=client.renewable if client.HasField("renewable") else UNSET,
        scope=scopes.text_of(client.required_scopes) or UNSET,
        url=client.uri or UNSET,
        vendor=client.vendor or UNSET,
    )
