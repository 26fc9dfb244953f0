# SPDX-License-Identifier: Apache-2.0
"""OAuth apps in VMware's terms: the client applications of an organization (contract sections 1 to 4)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from almoner.v1.application_pb2 import GRANT_TYPE_CLIENT_CREDENTIALS, Application, ClientApplication, GrantType
from almoner.v1.application_service_pb2 import (
    CreateApplicationRequest,
    DeleteApplicationRequest,
    GetApplicationRequest,
    ListApplicationsRequest,
    UpdateApplicationRequest,
)
from gateway.call import Call, Reply
from gateway.decoding import INVALID_BODY
from gateway.dialects.vmware import roles, scopes
from gateway.dialects.vmware.bodies import (
    AppCredentials,
    AppPage,
    AppsToDelete,
    CpnApp,
    CpnApps,
    CspApp,
    CspAppChange,
    CspApps,
    NewCspApp,
    Outcomes,
)
from gateway.dialects.vmware.paging import any_of, links, quoted
from gateway.dialects.vmware.several import was_possible
from gateway.failures import Violation, invalid, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from google.protobuf.timestamp_pb2 import Timestamp

    from gateway.dialects.vmware.bodies import (
        Acting,
        ActingInside,
        Context,
        CpnAppChange,
        InOrganization,
        NewCpnApp,
        OneApp,
    )

    Show: TypeAlias = Callable[[Application], CpnApp | CspApp]
    Settings: TypeAlias = CpnAppChange | CspAppChange | NewCspApp

NOT_FOUND: Final = "APPLICATION_NOT_FOUND"
CLIENTS: Final = "kind = client"
SCOPES_ROUTE: Final = "scopes"
"""What stands in a path where the id of an app does, and so can be none."""

ACCESS_TOKEN_TTL: Final = 600
SECRET_ROTATION: Final = 172_800
"""What an app shows that sets none (contract section 4), in seconds."""

_PREFIX: Final = "GRANT_TYPE_"

MEMBERS: Final = {
    "application.id": "id",
    "application.name": "displayName",
    "application.description": "description",
    "application.client.allowed_scopes": "allowedScopes",
    "application.client.grant_types": "grantTypes",
    "application.client.access_token_lifetime": "accessTokenTTL",
    "application.client.owner_only_secret_rotation": "ownerOnlySecretRotation",
    "application.client.secret_rotation_lifetime": "secretRotationExpirationInSeconds",
}


async def create_application(call: Call[InOrganization, Acting | None, NewCpnApp | NewCspApp]) -> Reply:
    """Registers an app, whose secret is in the reply and never again."""
    body = call.body
    if body.id == SCOPES_ROUTE:
        raise invalid(INVALID_BODY, Violation("id", "stands for something else in paths"))
    app_id = body.id or str(uuid.uuid4())
    given = _given(body, roles.context_of(call.query))
    application = _message({"name": app_id, "client.grant_types": [GRANT_TYPE_CLIENT_CREDENTIALS], **given})
    application.id = app_id
    application.organization_id = call.path.org_id
    message = CreateApplicationRequest(application=application, client_secret=body.secret or "")
    created = await call.send(call.services.applications.CreateApplication, message)
    return Reply(AppCredentials(created.application.id, created.client_secret or body.secret or ""))


async def list_cpn_applications(call: Call[InOrganization, AppPage, None]) -> Reply:
    """Lists a page of the apps of an organization."""
    found, total = await _page(call)
    apps = [cpn_app(application) for application in found]
    return Reply(CpnApps(apps, total, *links(call, total, searchTerm=call.query.search_term)))


async def list_csp_applications(call: Call[InOrganization, AppPage, None]) -> Reply:
    """Lists a page of the apps of an organization."""
    found, total = await _page(call)
    apps = [csp_app(application) for application in found]
    return Reply(CspApps(apps, total, *links(call, total, searchTerm=call.query.search_term)))


async def get_application(call: Call[OneApp, None, None], *, show: Show) -> Reply:
    """Reads an app."""
    application = await found_application(call)
    return Reply(show(application), etag=application.etag)


async def update_application(
    call: Call[OneApp, ActingInside | None, CpnAppChange | CspAppChange], *, show: Show
) -> Reply:
    """Changes what the body has of an app. A secret is its only valid one from then on."""
    application = await found_application(call)
    given = _given(call.body, roles.context_of(call.query))
    changed = _message(given)
    changed.id = application.id
    message = UpdateApplicationRequest(
        application=changed,
        update_mask=FieldMask(paths=given),
        etag=call.if_match,
        client_secret=call.body.secret or "",
    )
    updated = (await call.send(call.services.applications.UpdateApplication, message)).application
    return Reply(show(updated), etag=updated.etag)


async def delete_applications(call: Call[InOrganization, None, AppsToDelete]) -> Reply:
    """Deletes apps, and says of which of them that was not possible."""
    ids = list(dict.fromkeys(call.body.client_ids_to_delete))
    numbers = {one.id: one.number for one in await applications_among(call, call.path.org_id, ids)}
    deleted = [one for one in ids if one in numbers and await _delete(call, numbers[one])]
    return Reply(Outcomes(failed=[one for one in ids if one not in deleted], succeeded=deleted))


async def found_application(call: Call[OneApp, Any, Any]) -> Application:
    """Returns the app of the path.

    Raises (beside what the service refuses):
        Failure: APPLICATION_NOT_FOUND, of an application of another organization or kind.
    """
    message = GetApplicationRequest(id=call.path.oauth_app_id)
    application = (await call.send(call.services.applications.GetApplication, message)).application
    if application.organization_id != call.path.org_id.lower() or not application.HasField("client"):
        raise not_found(NOT_FOUND, call.path.oauth_app_id)
    return application


async def applications_among(
    call: Call[Any, Any, Any], organization_id: str, ids: Iterable[str]
) -> Iterable[Application]:
    """Returns the client applications of some ids, as many as fit into one filter, that there are in an organization."""
    message = ListApplicationsRequest(organization_id=organization_id, filter=f"{CLIENTS} AND ({any_of('id', ids)})")
    return (await call.send(call.services.applications.ListApplications, message)).applications


def cpn_app(application: Application) -> CpnApp:
    """Returns an app as Cloud Partner Navigator shows it."""
    return CpnApp(**_shared(application))


def csp_app(application: Application) -> CspApp:
    """Returns an app as the Cloud Services Platform shows it."""
    client = application.client
    return CspApp(
        **_shared(application),
        created_by=str(application.owner_id or ""),
        last_used_at=_milliseconds(client.secret_last_use_time) if client.HasField("secret_last_use_time") else None,
        organization_id=application.organization_id,
        public_client=client.secret_count == 0,
        redirect_uris=list(client.redirect_uris),
        refresh_token_ttl=_seconds(client.grant_lifetime) if client.HasField("grant_lifetime") else None,
    )


def _shared(application: Application) -> dict[str, Any]:
    client = application.client
    rotation = client.secret_rotation_lifetime
    return {
        "access_token_ttl": _seconds(client.access_token_lifetime) or ACCESS_TOKEN_TTL,
        "allowed_scopes": scopes.shown(client.allowed_scopes),
        "created_at": _milliseconds(application.create_time),
        "description": application.description,
        "display_name": application.name,
        "grant_types": [GrantType.Name(way).removeprefix(_PREFIX).lower() for way in client.grant_types],
        "id": application.id,
        "last_updated_at": _milliseconds(application.update_time),
        "owner_only_secret_rotation": client.owner_only_secret_rotation,
        "secret_rotation_expiration_in_seconds": (
            _seconds(rotation) if client.HasField("secret_rotation_lifetime") else SECRET_ROTATION
        ),
    }


async def _page(call: Call[InOrganization, AppPage, None]) -> tuple[Iterable[Application], int]:
    query = call.query
    term = quoted(query.search_term)
    message = ListApplicationsRequest(
        organization_id=call.path.org_id,
        filter=f"{CLIENTS} AND (name : {term} OR id : {term})" if query.search_term else CLIENTS,
        page_size=query.page_limit,
        skip=query.page_start - 1,
        count_all=True,
    )
    page = await call.send(call.services.applications.ListApplications, message)
    return page.applications, page.total_size


async def _delete(call: Call[Any, Any, Any], number: int) -> bool:
    """Deletes an application, and returns whether that was possible: it may be gone, or have profiles."""
    message = DeleteApplicationRequest(number=number)
    return await was_possible(call.send(call.services.applications.DeleteApplication, message))


def _given(body: Settings, context: Context | None) -> dict[str, Any]:
    """Returns what a body sets, by path in the message of an application."""
    allowed = body.allowed_scopes
    if allowed is not None and allowed.organization_scopes is not None:
        named = [role.name for role in allowed.organization_scopes.roles or ()]
        roles.require_family(context, "allowedScopes.organizationScopes.roles", named)
    # Those of Cloud Partner Navigator are all of one kind, and their requests have no such member.
    ways = body.grant_types if isinstance(body, NewCspApp | CspAppChange) else None
    values = {
        "name": body.display_name,
        "description": body.description,
        "client.allowed_scopes": None if allowed is None else scopes.tokens_of(allowed),
        "client.grant_types": None if ways is None else [GrantType.Value(_PREFIX + way.upper()) for way in ways],
        "client.access_token_lifetime": _duration(body.access_token_ttl),
        "client.owner_only_secret_rotation": body.owner_only_secret_rotation,
        "client.secret_rotation_lifetime": _duration(body.secret_rotation_expiration_in_seconds),
    }
    return {path: value for path, value in values.items() if value is not None}


def _message(given: dict[str, Any]) -> Application:
    client = {path.removeprefix("client."): value for path, value in given.items() if path.startswith("client.")}
    shared = {path: value for path, value in given.items() if not path.startswith("client.")}
    return Application(client=ClientApplication(**client), **shared)


def _duration(seconds: int | None) -> Duration | None:
    return None if seconds is None else Duration(seconds=seconds)


def _seconds(duration: Duration) -> int:
    """Returns a lifetime in whole seconds, rounded up: other dialects know shorter ones."""
    return duration.seconds + (duration.nanos > 0)


def _milliseconds(moment: Timestamp) -> int:
    return moment.seconds * 1000 + moment.nanos // 1_000_000
