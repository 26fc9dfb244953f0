# SPDX-License-Identifier: Apache-2.0
"""Clients of an organization (contract sections 1 to 3): apps that have roles there, which are memberships here."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from grpc import aio

from almoner.v1.application_pb2 import ClientMembership
from almoner.v1.application_service_pb2 import (
    CreateClientMembershipRequest,
    DeleteClientMembershipRequest,
    GetClientMembershipRequest,
    ListClientMembershipsRequest,
    UpdateClientMembershipRequest,
)
from gateway.call import Call, Reply
from gateway.dialects.vmware import roles, scopes
from gateway.dialects.vmware.applications import applications_among
from gateway.dialects.vmware.bodies import (
    BindingChange,
    ClientFailure,
    ClientFailures,
    OrganizationClient,
    OrganizationClients,
    OrganizationRoleChange,
    Outcomes,
    ShownServiceRoles,
    SourceOrganization,
)
from gateway.dialects.vmware.errors import ALREADY_MEMBER, CLIENTS_NOT_FOUND
from gateway.dialects.vmware.paging import any_of, links
from gateway.dialects.vmware.several import of_one, was_possible
from gateway.failures import Failure
from gateway.paging import EVERY_ORGANIZATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.dialects.vmware.bodies import (
        ActingInside,
        ClientsToRemove,
        InOrganization,
        NewClients,
        OneClient,
        OrganizationRole,
        Page,
        RoleChanges,
    )

NOT_FOUND: Final = "MEMBERSHIP_NOT_FOUND"

MEMBERS: Final = {
    "membership.scopes": "organizationRoles",
    "membership.application_id": "ids",
    "membership.organization_id": "orgRoleBindingOrgs",
    "added_scopes": "rolesToAdd",
    "removed_scopes": "rolesToRemove",
}


async def add_own_clients(call: Call[InOrganization, ActingInside, NewClients]) -> Reply:
    """Gives apps of an organization roles in it."""
    return await _add_clients(call, call.path.org_id)


async def add_clients(call: Call[InOrganization, None, NewClients]) -> Reply:
    """Gives apps of any organization that the caller sees roles in one."""
    return await _add_clients(call, EVERY_ORGANIZATION)


async def list_clients(call: Call[InOrganization, Page, None]) -> Reply:
    """Lists a page of the apps that have roles in an organization."""
    message = ListClientMembershipsRequest(
        organization_id=call.path.org_id,
        page_size=call.query.page_limit,
        skip=call.query.page_start - 1,
        count_all=True,
    )
    page = await call.send(call.services.applications.ListClientMemberships, message)
    shown = [_client(membership) for membership in page.memberships]
    return Reply(OrganizationClients(shown, page.total_size, *links(call, page.total_size)))


async def get_client(call: Call[OneClient, None, None]) -> Reply:
    """Reads an app that has roles in an organization."""
    message = GetClientMembershipRequest(application_id=call.path.client_id, organization_id=call.path.org_id)
    membership = (await call.send(call.services.applications.GetClientMembership, message)).membership
    return Reply(_client(membership), etag=membership.etag)


async def update_roles(call: Call[OneClient, ActingInside | None, RoleChanges]) -> Reply:
    """Gives an app roles in an organization, and takes some away; in further organizations, too."""
    body, client_id = call.body, call.path.client_id
    bindings = body.org_role_binding_orgs or BindingChange()
    joining, leaving = _places(bindings.orgs_to_add), _places(bindings.orgs_to_remove)
    there = {place: await _memberships(call, place, [client_id]) for place in (*joining, *leaving)}
    added, removed = _role_changes(call)
    message = UpdateClientMembershipRequest(
        application_id=client_id,
        organization_id=call.path.org_id,
        added_scopes=added,
        removed_scopes=removed,
        etag=call.if_match,
    )
    changed = (await call.send(call.services.applications.UpdateClientMembership, message)).membership
    for place in joining:
        await _bind(call, client_id, place, _in_organization(changed), exists=bool(there[place]))
    for place in leaving:
        for membership in there[place]:
            await _unbind(call, membership)
    return Reply(etag=changed.etag)


async def remove_clients(call: Call[InOrganization, None, ClientsToRemove]) -> Reply:
    """Takes all roles in an organization from apps, and says of which of them that was not possible."""
    ids = list(dict.fromkeys(call.body.ids))
    members = {membership.application_id for membership in await _memberships(call, call.path.org_id, ids)}
    removed = [one for one in ids if one in members and await _remove(call, one, call.path.org_id)]
    return Reply(Outcomes(failed=[one for one in ids if one not in removed], succeeded=removed))


async def _add_clients(call: Call[InOrganization, Any, NewClients], whose: str) -> Reply:
    body, org_id, ids = call.body, call.path.org_id, list(dict.fromkeys(call.body.ids))
    places = _places(body.org_role_binding_orgs, but=org_id)
    # All that is wrong with the request as a whole is found out before the first app is added.
    members = await _memberships(call, org_id, ids)
    there = {place: {one.application_id for one in await _memberships(call, place, ids)} for place in places}
    await _require_applications(call, whose, ids)
    in_organization = _organization_tokens(call, "organizationRoles", body.organization_roles)
    in_services = [
        scopes.service_token(service.service_definition_id, role.name)
        for service in body.service_roles or ()
        for role in service.service_roles or ()
    ]
    if members:
        message = "One or more clients already part of the organization"
        raise Failure(HTTPStatus.BAD_REQUEST, ALREADY_MEMBER, message)
    failures = []
    for one in ids:
        try:
            await _create(call, one, org_id, [*in_organization, *in_services])
            for place in places:
                await _bind(call, one, place, in_organization, exists=one in there[place])
        except aio.AioRpcError as error:
            failures.append(ClientFailure(one, of_one(error).message))
    return Reply(ClientFailures(failures))


async def _memberships(
    call: Call[Any, Any, Any], organization_id: str, ids: Iterable[str]
) -> Sequence[ClientMembership]:
    message = ListClientMembershipsRequest(organization_id=organization_id, filter=any_of("application_id", ids))
    return (await call.send(call.services.applications.ListClientMemberships, message)).memberships


async def _require_applications(call: Call[Any, Any, Any], whose: str, ids: Sequence[str]) -> None:
    known = {application.id for application in await applications_among(call, whose, ids)}
    unknown = [one for one in ids if one not in known]
    if unknown:
        message = f"Clients [{', '.join(unknown)}] not found"
        raise Failure(HTTPStatus.NOT_FOUND, CLIENTS_NOT_FOUND, message)


async def _create(call: Call[Any, Any, Any], client_id: str, organization_id: str, tokens: Iterable[str]) -> None:
    membership = ClientMembership(application_id=client_id, organization_id=organization_id, scopes=tokens)
    message = CreateClientMembershipRequest(membership=membership)
    await call.send(call.services.applications.CreateClientMembership, message)


async def _bind(
    call: Call[Any, Any, Any], client_id: str, organization_id: str, tokens: Iterable[str], *, exists: bool
) -> None:
    """Gives an app further roles in an organization, where it may have some."""
    if not exists:
        await _create(call, client_id, organization_id, tokens)
        return
    message = UpdateClientMembershipRequest(
        application_id=client_id, organization_id=organization_id, added_scopes=tokens
    )
    await call.send(call.services.applications.UpdateClientMembership, message)


async def _unbind(call: Call[Any, Any, Any], membership: ClientMembership) -> None:
    """Takes all roles in an organization from an app, which is a client there as long as it has others."""
    taken = _in_organization(membership)
    if len(taken) == len(membership.scopes):
        await _remove(call, membership.application_id, membership.organization_id)
        return
    message = UpdateClientMembershipRequest(
        application_id=membership.application_id, organization_id=membership.organization_id, removed_scopes=taken
    )
    await call.send(call.services.applications.UpdateClientMembership, message)


async def _remove(call: Call[Any, Any, Any], client_id: str, organization_id: str) -> bool:
    """Ends a membership, and returns whether there was one."""
    message = DeleteClientMembershipRequest(application_id=client_id, organization_id=organization_id)
    return await was_possible(call.send(call.services.applications.DeleteClientMembership, message))


def _role_changes(call: Call[OneClient, Any, RoleChanges]) -> tuple[list[str], list[str]]:
    """Returns the tokens of the roles to give, and of those to take."""
    change = call.body.organization_roles or OrganizationRoleChange()
    added = _organization_tokens(call, "organizationRoles.rolesToAdd", change.roles_to_add)
    removed = _organization_tokens(call, "organizationRoles.rolesToRemove", change.roles_to_remove)
    for service in call.body.service_roles or ():
        service_id = service.service_definition_id
        added += [scopes.service_token(service_id, role.name) for role in service.roles_to_add or ()]
        removed += [scopes.service_token(service_id, role.name) for role in service.roles_to_remove or ()]
    return added, removed


def _organization_tokens(call: Call[Any, Any, Any], member: str, given: Iterable[OrganizationRole] | None) -> list[str]:
    names = [role.name for role in given or ()]
    roles.require_family(roles.context_of(call.query), member, names)
    return [scopes.role_token(name) for name in names]


def _in_organization(membership: ClientMembership) -> list[str]:
    return [scope for scope in membership.scopes if scope.startswith(scopes.IN_ORGANIZATION)]


def _places(given: Iterable[str] | None, *, but: str = "") -> list[str]:
    """Returns ids of organizations, each once, in the one case that replies have."""
    return [place for place in dict.fromkeys(map(str.lower, given or ())) if place != but.lower()]


def _client(membership: ClientMembership) -> OrganizationClient:
    branches = scopes.branches_of(membership.scopes)
    return OrganizationClient(
        description=membership.application_description,
        display_name=membership.application_name,
        id=membership.application_id,
        organization_roles=scopes.shown_roles(branches.organization),
        service_roles=[
            ShownServiceRoles(service, scopes.shown_roles(names)) for service, names in branches.services.items()
        ],
        source_org=SourceOrganization(
            display_name=membership.application_organization_name,
            org_id=membership.application_organization_id,
            short_id=membership.application_organization_id.partition("-")[0],
        ),
    )
