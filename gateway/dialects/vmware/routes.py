# SPDX-License-Identifier: Apache-2.0
"""The tables of the routes of the two VMware products: what both have in their own words, and what one of them has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from gateway.dialects.vmware import applications, clients, organizations, secrets
from gateway.dialects.vmware import bodies as of
from gateway.dialects.vmware.token_routes import CPN_TOKEN_ROUTES, CSP_TOKEN_ROUTES
from gateway.routing import Route

if TYPE_CHECKING:
    import msgspec

    from gateway.routing import Handler

CPN_BASE: Final = "/cphub/api/auth"
CSP_BASE: Final = "/csp/gateway/am/api"
DOCUMENT: Final = "VMware Cloud Partner Navigator, Update Organization OAuth Application"

CPN_SECTIONS: Final = "VMware contract sections 1 and 2"
CSP_SECTION: Final = "VMware contract section 3"


@dataclass(frozen=True, slots=True)
class Product:
    """What the two products say in different words.

    Attributes:
        base: Path below which both have the same routes.
        source: Where the routes are described.
        source_of_change: Where the change of an app is.
        show: Makes an app of ours one of theirs.
        list_apps: Lists apps as theirs.
        add_clients: Adds apps to an organization.
        app: Type of an app.
        apps: Type of a page of apps.
        new_app: Type of the request to create an app.
        app_change: Type of the request to change an app.
        new_secret: Type of the request to rotate a secret.
        creating: Query parameters of the creation of an app.
        acting: Query parameters of what gives roles.
        empty_bodies: Whether a body of which every member is optional may be left out altogether.
    """

    base: str
    source: str
    source_of_change: str
    show: applications.Show
    list_apps: Handler
    add_clients: Handler
    app: type[of.ShownApp]
    apps: type[msgspec.Struct]
    new_app: type[of.AppSettings]
    app_change: type[of.AppSettings]
    new_secret: type[msgspec.Struct]
    creating: type[msgspec.Struct] | None
    acting: type[msgspec.Struct] | None
    empty_bodies: bool


CPN: Final = Product(
    base=f"{CPN_BASE}/v2",
    source=CPN_SECTIONS,
    source_of_change=DOCUMENT,
    show=applications.cpn_app,
    list_apps=applications.list_cpn_applications,
    add_clients=clients.add_own_clients,
    app=of.CpnApp,
    apps=of.CpnApps,
    new_app=of.NewCpnApp,
    app_change=of.CpnAppChange,
    new_secret=of.NewCpnSecret,
    creating=of.Acting,
    acting=of.ActingInside,
    empty_bodies=True,
)

CSP: Final = Product(
    base=CSP_BASE,
    source=CSP_SECTION,
    source_of_change=CSP_SECTION,
    show=applications.csp_app,
    list_apps=applications.list_csp_applications,
    add_clients=clients.add_clients,
    app=of.CspApp,
    apps=of.CspApps,
    new_app=of.NewCspApp,
    app_change=of.CspAppChange,
    new_secret=of.NewCspSecret,
    creating=None,
    acting=None,
    empty_bodies=False,
)


def _app_routes(product: Product) -> tuple[Route, ...]:
    collection = f"{product.base}/orgs/{{orgId}}/oauth-apps"
    one = f"{collection}/{{oauthAppId}}"
    return (
        Route(
            "POST",
            collection,
            applications.create_application,
            "Create an OAuth app",
            product.source,
            reply=of.AppCredentials,
            path_parameters=of.InOrganization,
            query=product.creating,
            body=product.new_app,
            body_required=not product.empty_bodies,
            resource=organizations.NOT_FOUND,
        ),
        Route(
            "GET",
            collection,
            product.list_apps,
            "List the OAuth apps of an organization",
            product.source,
            reply=product.apps,
            path_parameters=of.InOrganization,
            query=of.AppPage,
            resource=organizations.NOT_FOUND,
        ),
        Route(
            "DELETE",
            collection,
            applications.delete_applications,
            "Delete OAuth apps",
            product.source,
            reply=of.Outcomes,
            path_parameters=of.InOrganization,
            body=of.AppsToDelete,
            resource=organizations.NOT_FOUND,
        ),
        Route(
            "GET",
            one,
            partial(applications.get_application, show=product.show),
            "Get an OAuth app",
            product.source,
            reply=product.app,
            path_parameters=of.OneApp,
            resource=applications.NOT_FOUND,
            etag=True,
        ),
        Route(
            "PATCH",
            one,
            partial(applications.update_application, show=product.show),
            "Change an OAuth app",
            product.source_of_change,
            reply=product.app,
            path_parameters=of.OneApp,
            query=product.acting,
            body=product.app_change,
            body_required=not product.empty_bodies,
            resource=applications.NOT_FOUND,
            etag=True,
            conditional=True,
        ),
    )


def _secret_routes(product: Product) -> tuple[Route, ...]:
    path = f"{product.base}/orgs/{{orgId}}/oauth-apps/{{oauthAppId}}/secret"
    return (
        Route(
            "PUT",
            path,
            secrets.replace_secret,
            "Replace the secret of an OAuth app at once",
            product.source,
            reply=of.AppCredentials,
            path_parameters=of.OneApp,
            body=of.EmptyObject,
            body_required=not product.empty_bodies,
            resource=applications.NOT_FOUND,
            conditional=True,
        ),
        Route(
            "POST",
            path,
            secrets.rotate_secret,
            "Set a new secret of an OAuth app beside the one before",
            product.source,
            path_parameters=of.OneApp,
            body=product.new_secret,
            resource=applications.NOT_FOUND,
            conditional=True,
        ),
    )


def _client_routes(product: Product) -> tuple[Route, ...]:
    return (
        Route(
            "POST",
            f"{product.base}/orgs/{{orgId}}/clients",
            product.add_clients,
            "Give OAuth apps roles in an organization",
            product.source,
            reply=of.ClientFailures,
            path_parameters=of.InOrganization,
            query=product.acting,
            body=of.NewClients,
            resource=organizations.NOT_FOUND,
        ),
        Route(
            "PATCH",
            f"{product.base}/clients/{{clientId}}/orgs/{{orgId}}/roles",
            clients.update_roles,
            "Change the roles of an OAuth app in an organization",
            product.source,
            path_parameters=of.OneClient,
            query=product.acting,
            body=of.RoleChanges,
            resource=clients.NOT_FOUND,
            etag=True,
            conditional=True,
        ),
    )


SCOPES_ROUTE: Final = Route(
    "GET",
    f"{CPN.base}/orgs/{{orgId}}/oauth-apps/{applications.SCOPES_ROUTE}",
    organizations.get_scopes,
    "List the roles that OAuth apps of an organization may carry",
    CPN_SECTIONS,
    reply=list[of.AllowedScopeDescriptor],
    path_parameters=of.InOrganization,
    resource=organizations.NOT_FOUND,
    demands=("APPLICATIONS_VIEW",),
)

CPN_OWN_ROUTES: Final = (
    Route(
        "POST",
        f"{CPN.base}/clients/{{clientId}}/secret",
        secrets.rotate_own_secret,
        "Set a new secret, as the OAuth app itself",
        CPN_SECTIONS,
        path_parameters=of.OwnClient,
        body=of.NewCpnSecret,
        resource=applications.NOT_FOUND,
        anonymous=True,
        refusals=(
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
            HTTPStatus.TOO_MANY_REQUESTS,
            HTTPStatus.SERVICE_UNAVAILABLE,
        ),
    ),
    Route(
        "GET",
        f"{CPN.base}/orgs/{{orgId}}/clients/{{clientId}}",
        clients.get_client,
        "Get an OAuth app that has roles in an organization",
        CPN_SECTIONS,
        reply=of.OrganizationClient,
        path_parameters=of.OneClient,
        resource=clients.NOT_FOUND,
        etag=True,
    ),
    Route(
        "GET",
        f"{CPN_BASE}/v1/orgs/{{orgId}}/org-roles",
        organizations.get_roles,
        "List the roles of an organization",
        CPN_SECTIONS,
        reply=of.RolesOfOrganization,
        path_parameters=of.InOrganization,
        query=of.Acting,
        resource=organizations.NOT_FOUND,
    ),
)

CSP_OWN_ROUTES: Final = (
    Route(
        "DELETE",
        f"{CSP.base}/orgs/{{orgId}}/oauth-apps/{{oauthAppId}}/secret",
        secrets.end_rotation,
        "End the rotation of the secret of an OAuth app",
        CSP_SECTION,
        path_parameters=of.OneApp,
        resource=applications.NOT_FOUND,
        conditional=True,
    ),
    Route(
        "GET",
        f"{CSP.base}/orgs/{{orgId}}/clients",
        clients.list_clients,
        "List the OAuth apps that have roles in an organization",
        CSP_SECTION,
        reply=of.OrganizationClients,
        path_parameters=of.InOrganization,
        query=of.Page,
        resource=organizations.NOT_FOUND,
    ),
    Route(
        "DELETE",
        f"{CSP.base}/orgs/{{orgId}}/clients",
        clients.remove_clients,
        "Take all roles in an organization from OAuth apps",
        CSP_SECTION,
        reply=of.Outcomes,
        path_parameters=of.InOrganization,
        body=of.ClientsToRemove,
        resource=organizations.NOT_FOUND,
    ),
)

CPN_ROUTES: Final[tuple[Route, ...]] = (
    # Before the route of one app, whose id it would be.
    SCOPES_ROUTE,
    *_app_routes(CPN),
    *_secret_routes(CPN),
    *_client_routes(CPN),
    *CPN_OWN_ROUTES,
    *CPN_TOKEN_ROUTES,
)
CSP_ROUTES: Final[tuple[Route, ...]] = (
    *_app_routes(CSP),
    *_secret_routes(CSP),
    *_client_routes(CSP),
    *CSP_OWN_ROUTES,
    *CSP_TOKEN_ROUTES,
)
