# SPDX-License-Identifier: Apache-2.0
"""Who may call what: every RPC of the API, by every kind of caller. An RPC without a row fails."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import grpc
import pytest

from almoner.v1 import (
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
    directory_pb2,
    directory_service_pb2,
    directory_service_pb2_grpc,
    grant_pb2,
    grant_service_pb2,
    grant_service_pb2_grpc,
    profile_pb2,
    profile_service_pb2,
    profile_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    webhook_pb2,
    webhook_service_pb2,
    webhook_service_pb2_grpc,
)
from service.rpc.interceptors import ANONYMOUS_METHODS
from tests.databases import ADMIN_TOKEN
from tests.running import Almoner, running
from tests.service.grants.office import Office, mapping
from tests.service.profiles.desk import Person
from tests.streams import answered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from google.protobuf.message import Message

    from tests.databases import SqliteTemplate

P, A, D, G = profile_service_pb2, application_service_pb2, directory_service_pb2, grant_service_pb2
T, W = token_service_pb2, webhook_service_pb2
STUBS = {
    "ProfileService": profile_service_pb2_grpc.ProfileServiceStub,
    "ApplicationService": application_service_pb2_grpc.ApplicationServiceStub,
    "DirectoryService": directory_service_pb2_grpc.DirectoryServiceStub,
    "GrantService": grant_service_pb2_grpc.GrantServiceStub,
    "TokenService": token_service_pb2_grpc.TokenServiceStub,
    "WebhookService": webhook_service_pb2_grpc.WebhookServiceStub,
}
METHODS = {
    method.name: (service.name, method)
    for module in (P, A, D, G, T, W)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}

CALLERS = {
    "nobody": "a member of the organization without any permission",
    "owner": "a member with role User, who owns the profile and is the user in question",
    "other": "another member with role User",
    "client": "another member with role API Client",
    "tenant": "a Tenant Administrator of the organization",
    "chief": "a member with ADMINISTRATOR in the organization",
    "foreign": "a member with ADMINISTRATOR in another organization",
    "admin": "the administrator of the server",
}

OUTCOMES = {
    "+": grpc.StatusCode.OK,
    "p": grpc.StatusCode.PERMISSION_DENIED,
    "n": grpc.StatusCode.NOT_FOUND,
    "s": grpc.StatusCode.FAILED_PRECONDITION,
}

# One letter a caller, in the order of CALLERS: + may, p permission denied, n not found, s refused for their state.
#                        nobody owner other client tenant chief foreign admin
TABLE = {
    "CreateProfile":       "p + + + + + + +",
    "GetProfile":          "p + n n + + n +",
    "ListProfiles":        "p + + + + + + +",
    "UpdateProfile":       "p + n n + + n +",
    "DeleteProfile":       "p + n n + + n +",
    "GetAccessToken":      "p + n p + + n +",
    "StartAuthorization":  "p + n n + + n +",
    "CompleteAuthorization": "s s s s s s s s",
    "CreateProfileLink":   "p + n n + + n +",
    "GetProfileLink":      "p + n n + + n +",
    "ListProfileLinks":    "p + + + + + + +",
    "UpdateProfileLink":   "p + n n + + n +",
    "DeleteProfileLink":   "p + n n + + n +",
    "WatchProfiles":       "p + + + + + + +",
    "CreateApplication":   "p p p p p + n +",
    "GetApplication":      "p p p p p + n +",
    "ListApplications":    "p p p p p + + +",
    "UpdateApplication":   "p p p p p + n +",
    "DeleteApplication":   "p p p p p + n +",
    "ListSecrets":         "p p p p p + n +",
    "RotateSecret":        "p p p p p + n +",
    "RevokeSecret":        "p p p p p + n +",
    "EndRotation":         "p p p p p + n +",
    "RotateOwnSecret":     "+ + + + + + + +",
    "WhoAmI":              "+ + + + + + + +",
    "CreateOrganization":  "p p p p p p p +",
    "GetOrganization":     "+ + + + + + n +",
    "ListOrganizations":   "+ + + + + + + +",
    "UpdateOrganization":  "p p p p p + n +",
    "DeleteOrganization":  "p p p p p p n +",
    "CreateUser":          "p p p p + + n +",
    "GetUser":             "p + p p + + n +",
    "ListUsers":           "p p p p + + + +",
    "UpdateUser":          "p p p p + + n +",
    "DeleteUser":          "p p p p + + n +",
    "CreateRole":          "p p p p + + n +",
    "GetRole":             "p p p p + + n +",
    "ListRoles":           "p p p p + + + +",
    "UpdateRole":          "p p p p + + n +",
    "DeleteRole":          "p p p p + + n +",
    "CreateRoleBinding":   "p p p p + + n +",
    "GetRoleBinding":      "p p p p + + n +",
    "ListRoleBindings":    "p p p p + + + +",
    "DeleteRoleBinding":   "p p p p + + n +",
    "CreateApiToken":      "p + p p + + n +",
    "ListApiTokens":       "p + + p + + + +",
    "RevokeApiToken":      "p + n p + + n +",
    "CreateAccessRule":    "p p p p p + n +",
    "GetAccessRule":       "p p p p p + n +",
    "ListAccessRules":     "p p p p p + + +",
    "UpdateAccessRule":    "p p p p p + n +",
    "DeleteAccessRule":    "p p p p p + n +",
    "DeleteAccessRules":   "p p p p p + n +",
    "GetGrant":            "p + p p p + n +",
    "ListGrants":          "+ + + + + + + +",
    "CountGrants":         "+ + + + + + + +",
    "RevokeGrant":         "p + p p p + n +",
    "RevokeGrants":        "p + p p p + n +",
    "GetTotals":           "+ + + + + + + +",
    "CreateJwtMapping":    "p p p p p + n +",
    "GetJwtMapping":       "p p p p p + n +",
    "ListJwtMappings":     "p p p p p + + +",
    "UpdateJwtMapping":    "p p p p p + n +",
    "DeleteJwtMapping":    "p p p p p + n +",
    "GetTokenPolicy":      "+ + + + + + n +",
    "UpdateTokenPolicy":   "p p p p p + n +",
    "IssueToken":          "p p p p p + p +",
    "RefreshToken":        "+ + + + + + + +",
    "IntrospectTokens":    "p p p p p + + +",
    "VerifyToken":         "+ + + + + + + +",
    "RevokeToken":         "+ + + + + + + +",
    "StartDeviceAuthorization":  "+ + + + + + + +",
    "GetDeviceAuthorization":    "+ + + + + + + +",
    "DecideDeviceAuthorization": "+ + + + + + + +",
    "CreateClientMembership":    "p p p p p + n +",
    "GetClientMembership":       "p p p p p + n +",
    "ListClientMemberships":     "p p p p p + + +",
    "UpdateClientMembership":    "p p p p p + n +",
    "DeleteClientMembership":    "p p p p p + n +",
    "IssueClientToken":          "+ + + + + + + +",
    "ExchangeApiToken":          "+ + + + + + + +",
    "ListSigningKeys":           "+ + + + + + + +",
    "CreateWebhook":       "p p p p p + n +",
    "GetWebhook":          "p p p p p + n +",
    "ListWebhooks":        "p p p p p + + +",
    "UpdateWebhook":       "p p p p p + n +",
    "DeleteWebhook":       "p p p p p + n +",
}  # fmt: skip

_NUMBERS = itertools.count(1)


@dataclass
class World:
    """One server with two organizations, the callers of the table, and what they can touch."""

    almoner: Almoner
    organization: directory_pb2.Organization
    elsewhere: directory_pb2.Organization
    users: dict[str, directory_pb2.User]
    application: application_pb2.Application

    def __getattr__(self, service: str) -> Any:
        return self.almoner.stub(STUBS[service])

    async def call(self, caller: str, method: str, request: Message) -> grpc.StatusCode:
        service, _ = METHODS[method]
        metadata = self.almoner.as_admin if caller == "admin" else self.almoner.as_(caller)
        try:
            await answered(getattr(getattr(self, service), method)(request, metadata=metadata))
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    async def profile(self, **tokens: Any) -> int:
        tokens = tokens or {"refresh_token": "r"}
        profile = profile_pb2.Profile(name="P", application_number=self.application.number, **tokens)
        request = P.CreateProfileRequest(profile=profile)
        reply = await self.ProfileService.CreateProfile(request, metadata=self.almoner.as_("owner"))
        return int(reply.profile.id)

    async def profile_with_token(self) -> int:
        return await self.profile(access_token="a")

    async def link(self) -> int:
        link = profile_pb2.ProfileLink(kind=profile_pb2.LINK_KIND_DATA_SOURCE, profile_id=await self.profile())
        request = P.CreateProfileLinkRequest(link=link)
        reply = await self.ProfileService.CreateProfileLink(request, metadata=self.almoner.as_("owner"))
        return int(reply.link.id)

    async def new_application(self) -> int:
        request = A.CreateApplicationRequest(application=registration(self.organization.id))
        reply = await self.ApplicationService.CreateApplication(request, metadata=self.almoner.as_admin)
        return int(reply.application.number)

    async def member(self) -> int:
        user = await self.almoner.user(f"member{next(_NUMBERS)}", organization_id=self.organization.id)
        return user.id

    async def role(self) -> int:
        role = directory_pb2.Role(
            name="R", organization_id=self.organization.id, permissions=[directory_pb2.PERMISSION_WEB_UI]
        )
        reply = await self.DirectoryService.CreateRole(D.CreateRoleRequest(role=role), metadata=self.almoner.as_admin)
        return int(reply.role.id)

    async def binding(self) -> int:
        binding = directory_pb2.RoleBinding(
            user_id=await self.member(), role_id=await self.role(), organization_id=self.organization.id
        )
        request = D.CreateRoleBindingRequest(role_binding=binding)
        reply = await self.DirectoryService.CreateRoleBinding(request, metadata=self.almoner.as_admin)
        return int(reply.role_binding.id)

    async def client(self) -> application_pb2.Application:
        client = application_pb2.Application(
            name="C", organization_id=self.organization.id, client=application_pb2.ClientApplication()
        )
        request = A.CreateApplicationRequest(application=client)
        reply = await self.ApplicationService.CreateApplication(request, metadata=self.almoner.as_admin)
        return cast("application_pb2.Application", reply.application)

    async def membership(self) -> application_pb2.ClientMembership:
        request = A.CreateClientMembershipRequest(membership=await new_membership(self))
        reply = await self.ApplicationService.CreateClientMembership(request, metadata=self.almoner.as_admin)
        return cast("application_pb2.ClientMembership", reply.membership)

    async def access_rule(self) -> int:
        rule = grant_pb2.AccessRule(application_id=(await self.client()).id, user_id=self.users["owner"].id)
        request = G.CreateAccessRuleRequest(access_rule=rule)
        reply = await self.GrantService.CreateAccessRule(request, metadata=self.almoner.as_admin)
        return int(reply.access_rule.id)

    async def grant(self) -> int:
        office = Office(self.almoner, self.organization, Person(0, "", ()))
        return await office.grant(await self.client(), Person(self.users["owner"].id, "owner", ()))

    async def mapping(self) -> str:
        request = G.CreateJwtMappingRequest(jwt_mapping=new_mapping(self))
        reply = await self.GrantService.CreateJwtMapping(request, metadata=self.almoner.as_admin)
        return str(reply.jwt_mapping.name)

    async def token_client(self) -> application_pb2.Application:
        """Makes a public client that user `owner` may have tokens of."""
        ways = [way for way in application_pb2.GrantType.values() if way]
        client = application_pb2.ClientApplication(allowed_scopes=["a"], grant_types=ways)
        application = application_pb2.Application(name="C", organization_id=self.organization.id, client=client)
        request = A.CreateApplicationRequest(application=application, public=True)
        made = (await self.ApplicationService.CreateApplication(request, metadata=self.almoner.as_admin)).application
        rule = grant_pb2.AccessRule(application_id=made.id, user_id=self.users["owner"].id, allowed_scopes=["a"])
        await self.GrantService.CreateAccessRule(
            G.CreateAccessRuleRequest(access_rule=rule), metadata=self.almoner.as_admin
        )
        return cast("application_pb2.Application", made)

    async def tokens(self) -> token_service_pb2.IssuedTokens:
        request = await issue_token(self)
        reply = await self.TokenService.IssueToken(request, metadata=self.almoner.as_admin)
        return cast("token_service_pb2.IssuedTokens", reply.tokens)

    async def access_token(self) -> str:
        return (await self.tokens()).access_token

    async def user_code(self) -> str:
        request = T.StartDeviceAuthorizationRequest(client_id=(await self.token_client()).id, scopes=["a"])
        return str((await self.TokenService.StartDeviceAuthorization(request)).user_code)

    async def webhook(self) -> int:
        reply = await self.WebhookService.CreateWebhook(await create_webhook(self), metadata=self.almoner.as_admin)
        return int(reply.webhook.id)

    async def token(self) -> int:
        request = D.CreateApiTokenRequest(api_token=directory_pb2.ApiToken(name="T"))
        reply = await self.DirectoryService.CreateApiToken(request, metadata=self.almoner.as_("owner"))
        return int(reply.api_token.id)


async def create_webhook(w: World) -> Message:
    webhook = webhook_pb2.Webhook(url="https://receiver.example/", organization_id=w.organization.id)
    return W.CreateWebhookRequest(webhook=webhook)


async def update_webhook(w: World) -> Message:
    return W.UpdateWebhookRequest(webhook=webhook_pb2.Webhook(id=await w.webhook(), description="D"))


def new_mapping(w: World) -> grant_pb2.JwtMapping:
    return mapping(user_id=w.users["owner"].id, organization_id=w.organization.id)


def registration(organization_id: str) -> application_pb2.Application:
    return application_pb2.Application(
        name="A",
        organization_id=organization_id,
        provider=application_pb2.ProviderRegistration(provider="hubspot", client_id="c", client_secret="s"),
    )


async def create_profile_link(w: World) -> Message:
    link = profile_pb2.ProfileLink(kind=profile_pb2.LINK_KIND_DATA_SOURCE, profile_id=await w.profile())
    return P.CreateProfileLinkRequest(link=link)


async def create_profile(_w: World) -> Message:
    credentials = profile_pb2.ClientCredentials(client_id="c", client_secret="s")
    return P.CreateProfileRequest(profile=profile_pb2.Profile(name="P", provider="hubspot", client=credentials))


async def update_profile(w: World) -> Message:
    return P.UpdateProfileRequest(profile=profile_pb2.Profile(id=await w.profile(), name="Q"))


async def complete_authorization(w: World) -> Message:
    """Whether a provider has consented is not looked at before the state, which is somebody else's."""
    request = P.StartAuthorizationRequest(id=await w.profile())
    started = await w.ProfileService.StartAuthorization(request, metadata=w.almoner.as_("owner"))
    return P.CompleteAuthorizationRequest(state=started.state, error="access_denied")


async def update_profile_link(w: World) -> Message:
    return P.UpdateProfileLinkRequest(link=profile_pb2.ProfileLink(id=await w.link(), name="Q"))


async def create_application(w: World) -> Message:
    return A.CreateApplicationRequest(application=registration(w.organization.id))


async def update_application(w: World) -> Message:
    application = application_pb2.Application(number=await w.new_application(), name="B")
    return A.UpdateApplicationRequest(application=application)


async def list_secrets(w: World) -> Message:
    return A.ListSecretsRequest(application_id=(await w.client()).id)


async def rotate_secret(w: World) -> Message:
    return A.RotateSecretRequest(application_id=(await w.client()).id)


async def revoke_secret(w: World) -> Message:
    client = await w.client()
    rotated = await w.ApplicationService.RotateSecret(
        A.RotateSecretRequest(application_id=client.id), metadata=w.almoner.as_admin
    )
    return A.RevokeSecretRequest(application_id=client.id, secret_id=rotated.secret.id)


async def end_rotation(w: World) -> Message:
    return A.EndRotationRequest(application_id=(await w.client()).id)


async def rotate_own_secret(w: World) -> Message:
    client = await w.client()
    rotated = await w.ApplicationService.RotateSecret(
        A.RotateSecretRequest(application_id=client.id), metadata=w.almoner.as_admin
    )
    return A.RotateOwnSecretRequest(client_id=client.id, client_secret=rotated.client_secret)


async def new_organization(w: World) -> Message:
    return D.CreateOrganizationRequest(organization=directory_pb2.Organization(display_name="O"))


async def update_organization(w: World) -> Message:
    organization = directory_pb2.Organization(id=w.organization.id, description="D")
    return D.UpdateOrganizationRequest(organization=organization)


async def delete_organization(w: World) -> Message:
    return D.DeleteOrganizationRequest(id=w.organization.id)


async def create_user(w: World) -> Message:
    user = directory_pb2.User(username=f"new{next(_NUMBERS)}", organization_id=w.organization.id)
    return D.CreateUserRequest(user=user)


async def update_user(w: World) -> Message:
    return D.UpdateUserRequest(user=directory_pb2.User(id=await w.member(), display_name="M"))


async def create_role(w: World) -> Message:
    role = directory_pb2.Role(
        name="R", organization_id=w.organization.id, permissions=[directory_pb2.PERMISSION_WEB_UI]
    )
    return D.CreateRoleRequest(role=role)


async def update_role(w: World) -> Message:
    return D.UpdateRoleRequest(role=directory_pb2.Role(id=await w.role(), name="S"))


async def create_role_binding(w: World) -> Message:
    binding = directory_pb2.RoleBinding(
        user_id=await w.member(), role_id=await w.role(), organization_id=w.organization.id
    )
    return D.CreateRoleBindingRequest(role_binding=binding)


async def create_api_token(w: World) -> Message:
    return D.CreateApiTokenRequest(api_token=directory_pb2.ApiToken(name="T", user_id=w.users["owner"].id))


async def new_membership(w: World) -> application_pb2.ClientMembership:
    return application_pb2.ClientMembership(
        application_id=(await w.client()).id, organization_id=w.organization.id, scopes=["org:org_owner"]
    )


async def create_client_membership(w: World) -> Message:
    return A.CreateClientMembershipRequest(membership=await new_membership(w))


def of_membership(request: Callable[..., Message], **members: Any) -> Callable[[World], Awaitable[Message]]:
    async def make(w: World) -> Message:
        membership = await w.membership()
        return request(application_id=membership.application_id, organization_id=membership.organization_id, **members)

    return make


async def issue_client_token(w: World) -> Message:
    ways = [application_pb2.GRANT_TYPE_CLIENT_CREDENTIALS]
    client = application_pb2.ClientApplication(grant_types=ways)
    application = application_pb2.Application(name="C", organization_id=w.organization.id, client=client)
    request = A.CreateApplicationRequest(application=application)
    made = await w.ApplicationService.CreateApplication(request, metadata=w.almoner.as_admin)
    return T.IssueClientTokenRequest(client_id=made.application.id, client_secret=made.client_secret)


async def exchange_api_token(w: World) -> Message:
    return T.ExchangeApiTokenRequest(api_token=ADMIN_TOKEN)


async def create_access_rule(w: World) -> Message:
    rule = grant_pb2.AccessRule(application_id=(await w.client()).id, user_id=w.users["owner"].id)
    return G.CreateAccessRuleRequest(access_rule=rule)


async def update_access_rule(w: World) -> Message:
    return G.UpdateAccessRuleRequest(access_rule=grant_pb2.AccessRule(id=await w.access_rule(), description="D"))


async def delete_access_rules(w: World) -> Message:
    return G.DeleteAccessRulesRequest(application_id=(await w.client()).id)


async def revoke_grants(w: World) -> Message:
    await w.grant()
    return G.RevokeGrantsRequest(user_id=w.users["owner"].id)


async def create_jwt_mapping(w: World) -> Message:
    return G.CreateJwtMappingRequest(jwt_mapping=new_mapping(w))


async def get_jwt_mapping(w: World) -> Message:
    return G.GetJwtMappingRequest(name=await w.mapping(), organization_id=w.organization.id)


async def update_jwt_mapping(w: World) -> Message:
    wanted = grant_pb2.JwtMapping(name=await w.mapping(), organization_id=w.organization.id, id_match="x")
    return G.UpdateJwtMappingRequest(jwt_mapping=wanted)


async def delete_jwt_mapping(w: World) -> Message:
    return G.DeleteJwtMappingRequest(name=await w.mapping(), organization_id=w.organization.id)


async def get_token_policy(w: World) -> Message:
    return G.GetTokenPolicyRequest(organization_id=w.organization.id)


async def update_token_policy(w: World) -> Message:
    policy = grant_pb2.TokenPolicy(organization_id=w.organization.id, renewable=True)
    return G.UpdateTokenPolicyRequest(token_policy=policy)


async def issue_token(w: World) -> Message:
    return T.IssueTokenRequest(client_id=(await w.token_client()).id, scopes=["a"], user_id=w.users["owner"].id)


async def refresh_token(w: World) -> Message:
    tokens = await w.tokens()
    return T.RefreshTokenRequest(client_id=tokens.grant.application_id, refresh_token=tokens.refresh_token)


async def introspect_tokens(w: World) -> Message:
    return T.IntrospectTokensRequest(tokens=[await w.access_token()])


async def start_device_authorization(w: World) -> Message:
    return T.StartDeviceAuthorizationRequest(client_id=(await w.token_client()).id, scopes=["a"])


def nothing(request: type[Message]) -> Callable[[World], Awaitable[Message]]:
    async def make(_w: World) -> Message:
        return request()

    return make


def by_id(request: Callable[..., Message], resource: str, key: str = "id") -> Callable[[World], Awaitable[Message]]:
    async def make(w: World) -> Message:
        return request(**{key: await getattr(w, resource)()})

    return make


async def get_organization(w: World) -> Message:
    return D.GetOrganizationRequest(id=w.organization.id)


async def get_user(w: World) -> Message:
    return D.GetUserRequest(id=w.users["owner"].id)


REQUESTS: dict[str, Callable[[World], Awaitable[Message]]] = {
    "CreateProfile": create_profile,
    "GetProfile": by_id(P.GetProfileRequest, "profile"),
    "ListProfiles": nothing(P.ListProfilesRequest),
    "UpdateProfile": update_profile,
    "DeleteProfile": by_id(P.DeleteProfileRequest, "profile"),
    "GetAccessToken": by_id(P.GetAccessTokenRequest, "profile_with_token"),
    "StartAuthorization": by_id(P.StartAuthorizationRequest, "profile"),
    "CompleteAuthorization": complete_authorization,
    "CreateProfileLink": create_profile_link,
    "GetProfileLink": by_id(P.GetProfileLinkRequest, "link"),
    "ListProfileLinks": nothing(P.ListProfileLinksRequest),
    "UpdateProfileLink": update_profile_link,
    "DeleteProfileLink": by_id(P.DeleteProfileLinkRequest, "link"),
    "WatchProfiles": nothing(P.WatchProfilesRequest),
    "CreateApplication": create_application,
    "GetApplication": by_id(A.GetApplicationRequest, "new_application", "number"),
    "ListApplications": nothing(A.ListApplicationsRequest),
    "UpdateApplication": update_application,
    "DeleteApplication": by_id(A.DeleteApplicationRequest, "new_application", "number"),
    "ListSecrets": list_secrets,
    "RotateSecret": rotate_secret,
    "RevokeSecret": revoke_secret,
    "EndRotation": end_rotation,
    "RotateOwnSecret": rotate_own_secret,
    "WhoAmI": nothing(D.WhoAmIRequest),
    "CreateOrganization": new_organization,
    "GetOrganization": get_organization,
    "ListOrganizations": nothing(D.ListOrganizationsRequest),
    "UpdateOrganization": update_organization,
    "DeleteOrganization": delete_organization,
    "CreateUser": create_user,
    "GetUser": get_user,
    "ListUsers": nothing(D.ListUsersRequest),
    "UpdateUser": update_user,
    "DeleteUser": by_id(D.DeleteUserRequest, "member"),
    "CreateRole": create_role,
    "GetRole": by_id(D.GetRoleRequest, "role"),
    "ListRoles": nothing(D.ListRolesRequest),
    "UpdateRole": update_role,
    "DeleteRole": by_id(D.DeleteRoleRequest, "role"),
    "CreateRoleBinding": create_role_binding,
    "GetRoleBinding": by_id(D.GetRoleBindingRequest, "binding"),
    "ListRoleBindings": nothing(D.ListRoleBindingsRequest),
    "DeleteRoleBinding": by_id(D.DeleteRoleBindingRequest, "binding"),
    "CreateApiToken": create_api_token,
    "ListApiTokens": nothing(D.ListApiTokensRequest),
    "RevokeApiToken": by_id(D.RevokeApiTokenRequest, "token"),
    "CreateAccessRule": create_access_rule,
    "GetAccessRule": by_id(G.GetAccessRuleRequest, "access_rule"),
    "ListAccessRules": nothing(G.ListAccessRulesRequest),
    "UpdateAccessRule": update_access_rule,
    "DeleteAccessRule": by_id(G.DeleteAccessRuleRequest, "access_rule"),
    "DeleteAccessRules": delete_access_rules,
    "GetGrant": by_id(G.GetGrantRequest, "grant"),
    "ListGrants": nothing(G.ListGrantsRequest),
    "CountGrants": nothing(G.CountGrantsRequest),
    "RevokeGrant": by_id(G.RevokeGrantRequest, "grant"),
    "RevokeGrants": revoke_grants,
    "GetTotals": nothing(G.GetTotalsRequest),
    "CreateJwtMapping": create_jwt_mapping,
    "GetJwtMapping": get_jwt_mapping,
    "ListJwtMappings": nothing(G.ListJwtMappingsRequest),
    "UpdateJwtMapping": update_jwt_mapping,
    "DeleteJwtMapping": delete_jwt_mapping,
    "GetTokenPolicy": get_token_policy,
    "UpdateTokenPolicy": update_token_policy,
    "IssueToken": issue_token,
    "RefreshToken": refresh_token,
    "IntrospectTokens": introspect_tokens,
    "VerifyToken": by_id(T.VerifyTokenRequest, "access_token", "access_token"),
    "RevokeToken": by_id(T.RevokeTokenRequest, "access_token", "token"),
    "StartDeviceAuthorization": start_device_authorization,
    "GetDeviceAuthorization": by_id(T.GetDeviceAuthorizationRequest, "user_code", "user_code"),
    "DecideDeviceAuthorization": by_id(T.DecideDeviceAuthorizationRequest, "user_code", "user_code"),
    "CreateClientMembership": create_client_membership,
    "GetClientMembership": of_membership(A.GetClientMembershipRequest),
    "ListClientMemberships": nothing(A.ListClientMembershipsRequest),
    "UpdateClientMembership": of_membership(A.UpdateClientMembershipRequest, added_scopes=["org:developer"]),
    "DeleteClientMembership": of_membership(A.DeleteClientMembershipRequest),
    "IssueClientToken": issue_client_token,
    "ExchangeApiToken": exchange_api_token,
    "ListSigningKeys": nothing(T.ListSigningKeysRequest),
    "CreateWebhook": create_webhook,
    "GetWebhook": by_id(W.GetWebhookRequest, "webhook"),
    "ListWebhooks": nothing(W.ListWebhooksRequest),
    "UpdateWebhook": update_webhook,
    "DeleteWebhook": by_id(W.DeleteWebhookRequest, "webhook"),
}


@pytest.fixture(scope="module")
async def world(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with running(sqlite_template, tmp_path_factory.mktemp("world")) as almoner:
        here = await almoner.organization("here")
        elsewhere = await almoner.organization("elsewhere")
        chief = [directory_pb2.PERMISSION_ADMINISTRATOR]
        users = {
            "nobody": await almoner.user("nobody", organization_id=here.id),
            "owner": await almoner.user("owner", organization_id=here.id, role_ids=[2]),
            "other": await almoner.user("other", organization_id=here.id, role_ids=[2]),
            "client": await almoner.user("client", organization_id=here.id, role_ids=[4]),
            "tenant": await almoner.user("tenant", organization_id=here.id, role_ids=[3]),
            "chief": await almoner.user("chief", organization_id=here.id, permissions=chief),
            "foreign": await almoner.user("foreign", organization_id=elsewhere.id, permissions=chief),
        }
        stub = almoner.stub(application_service_pb2_grpc.ApplicationServiceStub)
        request = A.CreateApplicationRequest(application=registration(here.id))
        reply = await stub.CreateApplication(request, metadata=almoner.as_admin)
        yield World(almoner, here, elsewhere, users, reply.application)


def test_every_rpc_has_a_row_and_a_request() -> None:
    assert set(TABLE) == set(METHODS)
    assert set(REQUESTS) == set(METHODS)


@pytest.mark.parametrize(
    ("method", "caller", "outcome"),
    [
        (method, caller, outcome)
        for method, row in TABLE.items()
        for caller, outcome in zip(CALLERS, row.split(), strict=True)
    ],
)
async def test_the_caller_may_or_may_not(world: World, method: str, caller: str, outcome: str) -> None:
    request = await REQUESTS[method](world)
    if method == "DeleteOrganization" and caller == "admin":
        organization = await world.almoner.organization("short-lived")
        request = D.DeleteOrganizationRequest(id=organization.id)

    assert await world.call(caller, method, request) == OUTCOMES[outcome]


@pytest.mark.parametrize(
    "method",
    [name for name, (service, _) in METHODS.items() if f"/almoner.v1.{service}/{name}" not in ANONYMOUS_METHODS],
)
@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic !!!", "Basic YWRtaW4=", "Basic YWRtaW46d3Jvbmc=", "Bearer", "Bearer nonsense", "Digest x"],
)
async def test_nobody_calls_without_valid_credentials(world: World, method: str, authorization: str) -> None:
    service, descriptor = METHODS[method]
    request = descriptor.input_type._concrete_class()
    metadata = (("authorization", authorization),) if authorization else ()

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await answered(getattr(getattr(world, service), method)(request, metadata=metadata))

    assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED
