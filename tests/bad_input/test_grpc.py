# SPDX-License-Identifier: Apache-2.0
"""Messages and bytes over gRPC that are not good: refused with their code, reason and member, nothing changed."""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import grpc
import pytest
from google.protobuf import json_format
from grpc.aio import AioRpcError

from almoner.v1 import (
    application_service_pb2,
    application_service_pb2_grpc,
    directory_service_pb2,
    directory_service_pb2_grpc,
    grant_service_pb2,
    grant_service_pb2_grpc,
    profile_service_pb2,
    profile_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    webhook_service_pb2,
    webhook_service_pb2_grpc,
)
from tests.refusals import refusal_of
from tests.streams import answered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bad_input.conftest import World

SERVICES: Final[dict[str, tuple[Any, Any]]] = {
    name: (module, stub)
    for module, stub in (
        (profile_service_pb2, profile_service_pb2_grpc.ProfileServiceStub),
        (application_service_pb2, application_service_pb2_grpc.ApplicationServiceStub),
        (directory_service_pb2, directory_service_pb2_grpc.DirectoryServiceStub),
        (grant_service_pb2, grant_service_pb2_grpc.GrantServiceStub),
        (token_service_pb2, token_service_pb2_grpc.TokenServiceStub),
        (webhook_service_pb2, webhook_service_pb2_grpc.WebhookServiceStub),
    )
    for service in module.DESCRIPTOR.services_by_name.values()
    for name in service.methods_by_name
}
LISTS: Final = [
    name for name, (module, _) in SERVICES.items()
    if name.startswith("List") and "page_token" in getattr(module, f"{name}Request").DESCRIPTOR.fields_by_name
]  # fmt: skip
NOWHERE: Final = str(uuid.UUID(int=1))
OK_CLIENT: Final = {"clientId": "c", "clientSecret": "s"}


class Row(NamedTuple):
    """A message, in protobuf's JSON, and what refuses it. `<name>` stands for the id of what has the name."""

    method: str
    message: dict[str, Any]
    code: str
    reason: str
    fields: list[str]


def invalid(method: str, message: dict[str, Any], *fields: str) -> Row:
    return Row(method, message, "INVALID_ARGUMENT", "INVALID_FIELD", list(fields))


def mask(method: str, message: dict[str, Any]) -> Row:
    return Row(method, message, "INVALID_ARGUMENT", "INVALID_UPDATE_MASK", ["update_mask"])


def missing(method: str, message: dict[str, Any], what: str, *fields: str) -> Row:
    return Row(method, message, "NOT_FOUND", f"{what}_NOT_FOUND", list(fields))


def profile(**members: Any) -> dict[str, Any]:
    return {"profile": {"name": "P", "provider": "p", "client": OK_CLIENT, **members}}


def application(**members: Any) -> dict[str, Any]:
    return {"application": {"name": "A", "provider": {"provider": "p", **OK_CLIENT}, **members}}


def client(**members: Any) -> dict[str, Any]:
    return {"application": {"name": "A", "client": members}}


def webhook(**members: Any) -> dict[str, Any]:
    return {"webhook": {"url": "https://receiver.example/", **members}}


def user(**members: Any) -> dict[str, Any]:
    return {"user": {"username": "new", **members}}


def stale(method: str, message: dict[str, Any]) -> Row:
    return Row(method, message, "ABORTED", "ETAG_MISMATCH", [])


def rule(**members: Any) -> dict[str, Any]:
    return {"accessRule": {"applicationId": "<client>", "userId": "<newcomer>", **members}}


def rule_update(*paths: str, **members: Any) -> dict[str, Any]:
    return {"accessRule": {"id": "<rule>", **members}, "updateMask": ",".join(paths)}


def jwt(**members: Any) -> dict[str, Any]:
    plain = {"purposeField": "aud", "purposeMatch": "a", "idField": "sub", "idMatch": "*"}
    return {"jwtMapping": {"name": "new", "issuerUri": "https://issuer.example", **plain, **members}}


def jwt_update(*paths: str, **members: Any) -> dict[str, Any]:
    return {"jwtMapping": {"name": "<mapping>", **members}, "updateMask": ",".join(paths)}


def policy(*paths: str, **members: Any) -> dict[str, Any]:
    return {"tokenPolicy": members, "updateMask": ",".join(paths)}


def issue(**members: Any) -> dict[str, Any]:
    """A request for tokens of the application that the first start made; `credential` takes the place of the user."""
    credential = members.pop("credential", None) or {"userId": 1}
    return {"clientId": "almoner", "scopes": ["admin"], **credential, **members}


def login(**members: Any) -> dict[str, Any]:
    return issue(credential={"password": {"username": "admin", "password": "wrong", **members}})


def unauthenticated(method: str, message: dict[str, Any], reason: str) -> Row:
    return Row(method, message, "UNAUTHENTICATED", reason, [])


def refused(method: str, message: dict[str, Any], reason: str) -> Row:
    return Row(method, message, "PERMISSION_DENIED", reason, [])


def gone(method: str, message: dict[str, Any]) -> Row:
    return Row(method, message, "FAILED_PRECONDITION", "DEVICE_CODE_EXPIRED", [])


def no_state(message: dict[str, Any]) -> Row:
    return Row("CompleteAuthorization", message, "FAILED_PRECONDITION", "AUTHORIZATION_STATE_INVALID", [])


NO_REDIRECTS: Final = (
    "x",
    "javascript:alert(1)",
    "https://a b",
    "https://a/#b",
    "https://a\u0000",
    "https://" + "a" * 2_041,
)
NO_TOKENS: Final = ("x", "\u0000", "é", "AAAAAAAAAAAAAAAAAAAAAA==", "x" * 1_024)
BY_USER_CODE: Final = ("GetDeviceAuthorization", "DecideDeviceAuthorization")

NO_NUMBERS: Final = (0, -1, 999_999, 2**63 - 1, -(2**63))
BULK: Final = ("DeleteAccessRules", "RevokeGrants")

NO_SECRETS: Final = ("\u0000", "a\u0000b", "x" * 1_025)
OF_SECRETS: Final[dict[str, dict[str, Any]]] = {
    "ListSecrets": {},
    "RotateSecret": {},
    "RevokeSecret": {"secretId": 1},
    "EndRotation": {},
}


OF_MEMBERSHIPS: Final = ("GetClientMembership", "UpdateClientMembership", "DeleteClientMembership")
NO_SCOPES: Final = ("", "a\u0000", "a\n", "x" * 513)


def membership(**members: Any) -> dict[str, Any]:
    return {"membership": {"applicationId": "<client>", **members}}


ROWS: Final = [
    # Profiles.
    invalid("CreateProfile", {}, "profile"),
    invalid("CreateProfile", profile(name=""), "profile.name"),
    invalid("CreateProfile", profile(name="a\u0000"), "profile.name"),
    invalid("CreateProfile", profile(name="a\n"), "profile.name"),
    invalid("CreateProfile", profile(name="é" * 256), "profile.name"),
    invalid("CreateProfile", profile(description="a\u0000"), "profile.description"),
    invalid("CreateProfile", profile(provider=""), "profile.provider"),
    invalid("CreateProfile", {"profile": {"name": "P"}}, "profile.application_number"),
    invalid("CreateProfile", profile(client={"clientId": "c"}), "profile.client.client_secret"),
    invalid("CreateProfile", profile(client={"clientSecret": "c"}), "profile.client.client_id"),
    invalid("CreateProfile", profile(client={"clientId": "c" * 1_025, "clientSecret": "s"}), "profile.client.client_id"),
    invalid("CreateProfile", profile(client={"clientId": "c", "clientSecret": "\u0001"}), "profile.client.client_secret"),
    invalid("CreateProfile", profile(accessToken="a" * 16_385), "profile.access_token"),
    invalid("CreateProfile", profile(refreshToken="\u007f"), "profile.refresh_token"),
    invalid("CreateProfile", profile(verificationToken="\r\n"), "profile.verification_token"),
    invalid("CreateProfile", {"profile": {"name": "P", "applicationNumber": -1}}, "profile.application_number"),
    invalid("CreateProfile", {"profile": {"name": "P", "applicationNumber": 0}}, "profile.application_number"),
    missing("CreateProfile", {"profile": {"name": "P", "applicationNumber": 2**63 - 1}}, "APPLICATION", "profile.application_number"),
    missing("CreateProfile", {"profile": {"name": "P", "applicationNumber": "<elsewhere>"}}, "APPLICATION", "profile.application_number"),
    invalid("CreateProfile", {**profile(), "requestId": "no uuid"}, "request_id"),
    invalid("CreateProfile", {**profile(), "view": 99}, "view"),
    *(missing("GetProfile", {"id": number}, "PROFILE") for number in (0, -1, 999_999, 2**63 - 1, -(2**63))),
    invalid("GetProfile", {"id": "<profile>", "view": -1}, "view"),
    missing("UpdateProfile", {"profile": {"name": "x"}}, "PROFILE"),
    mask("UpdateProfile", {"profile": {"id": "<profile>", "name": "x"}, "updateMask": "nothing"}),
    mask("UpdateProfile", {"profile": {"id": "<profile>", "name": "x"}, "updateMask": "id"}),
    mask("UpdateProfile", {"profile": {"id": "<profile>", "name": "x"}, "updateMask": "ownerId"}),
    mask("UpdateProfile", {"profile": {"id": "<profile>", "name": "x"}, "updateMask": "name,etag"}),
    mask("UpdateProfile", {"profile": {"id": "<profile>", "name": "x"}, "updateMask": "name.first"}),
    invalid("UpdateProfile", {"profile": {"id": "<profile>", "name": ""}, "updateMask": "name"}, "profile.name"),
    invalid("UpdateProfile", {"profile": {"id": "<profile>", "name": "x"}, "etag": "x" * 1_025}, "etag"),
    Row("UpdateProfile", {"profile": {"id": "<profile>", "name": "x"}, "etag": "x"}, "ABORTED", "ETAG_MISMATCH", []),
    missing("GetAccessToken", {"id": 999_999}, "PROFILE"),
    missing("GetAccessToken", {"id": -1}, "PROFILE"),
    invalid("GetAccessToken", {"id": "<profile>", "minimumValidity": "-1s"}, "minimum_validity"),
    invalid("GetAccessToken", {"id": "<profile>", "minimumValidity": "315360001s"}, "minimum_validity"),
    invalid("GetAccessToken", {"id": "<profile>", "scope": "a\nb"}, "scope"),
    invalid("GetAccessToken", {"id": "<profile>", "scope": "x" * 4097}, "scope"),
    Row("DeleteProfile", {"id": "<profile>", "etag": 'W/"1"'}, "ABORTED", "ETAG_MISMATCH", []),
    Row("DeleteProfile", {"id": "<custom>"}, "FAILED_PRECONDITION", "PROFILE_IN_USE", []),
    missing("DeleteProfile", {"id": 999_999, "etag": "*"}, "PROFILE"),
    # Links.
    invalid("CreateProfileLink", {"link": {}}, "link.kind"),
    invalid("CreateProfileLink", {"link": {"kind": 99}}, "link.kind"),
    invalid("CreateProfileLink", {"link": {"kind": "LINK_KIND_CUSTOMER"}}, "link.profile_id"),
    invalid("CreateProfileLink", {"link": {"kind": 1, "profileId": -1}}, "link.profile_id"),
    missing("CreateProfileLink", {"link": {"kind": 1, "profileId": 999_999}}, "PROFILE", "link.profile_id"),
    invalid("CreateProfileLink", {"link": {"kind": 1, "attributes": {"UPPER": "x"}}}, 'link.attributes[UPPER]'),
    invalid("CreateProfileLink", {"link": {"kind": 1, "attributes": {f"a{n}": "x" for n in range(33)}}}, "link.attributes"),
    missing("GetProfileLink", {"id": 0}, "PROFILE_LINK"),
    missing("DeleteProfileLink", {"id": 2**63 - 1}, "PROFILE_LINK"),
    # Applications.
    invalid("CreateApplication", {"application": {"name": "A"}}, "application.kind"),
    invalid("CreateApplication", application(id="a b"), "application.id"),
    invalid("CreateApplication", application(id="a" * 129), "application.id"),
    invalid("CreateApplication", application(organizationId="1"), "application.organization_id"),
    missing("CreateApplication", application(organizationId=NOWHERE), "ORGANIZATION"),
    invalid("CreateApplication", application(provider={"provider": "p", "authorizeUri": "x", **OK_CLIENT}), "application.provider.authorize_uri"),
    invalid("CreateApplication", application(provider={"provider": "p", "clientSecret": "s"}), "application.provider.client_id"),
    invalid("CreateApplication", client(grantTypes=[0]), "application.client.grant_types[0]"),
    invalid("CreateApplication", client(grantTypes=[99]), "application.client.grant_types[0]"),
    invalid("CreateApplication", client(allowedScopes=["a", ""]), "application.client.allowed_scopes[1]"),
    invalid("CreateApplication", client(redirectUris=["a b"]), "application.client.redirect_uris[0]"),
    invalid("CreateApplication", client(redirectUris=["https://a.example"] * 65), "application.client.redirect_uris"),
    invalid("CreateApplication", client(accessTokenLifetime="0s"), "application.client.access_token_lifetime"),
    invalid("CreateApplication", client(grantLifetime="-1s"), "application.client.grant_lifetime"),
    invalid("CreateApplication", {**application(), "clientSecret": "x"}, "client_secret"),
    invalid("CreateApplication", {**application(), "public": True}, "public"),
    invalid("CreateApplication", {**client(), "public": True, "clientSecret": "x"}, "client_secret"),
    invalid("GetApplication", {}, "key"),
    invalid("GetApplication", {"id": ""}, "id"),
    missing("GetApplication", {"number": -1}, "APPLICATION"),
    missing("GetApplication", {"id": "nothing"}, "APPLICATION"),
    *(invalid("CreateApplication", client(secretRotationLifetime=length), "application.client.secret_rotation_lifetime")
      for length in ("-1s", "-0.000001s", "2147483648s")),
    *(invalid("CreateApplication", {**client(), "clientSecret": text}, "client_secret") for text in NO_SECRETS),
    *(invalid("UpdateApplication", {"application": {"id": "<client>"}, "clientSecret": text}, "client_secret")
      for text in NO_SECRETS),
    Row("UpdateApplication", {"application": {"number": "<application>"}, "clientSecret": "x"}, "FAILED_PRECONDITION", "WRONG_KIND", []),
    # Secrets of applications.
    *(invalid(name, {**OF_SECRETS[name], "applicationId": text}, "application_id")
      for name in OF_SECRETS for text in ("", "x" * 129, "a\u0000", "a\n")),
    *(missing(name, {**OF_SECRETS[name], "applicationId": "nothing"}, "APPLICATION") for name in OF_SECRETS),
    *(stale(name, {**OF_SECRETS[name], "applicationId": "<client>", "etag": '"70"'})
      for name in OF_SECRETS if name != "ListSecrets"),
    *(invalid("RotateSecret", {"applicationId": "<client>", "clientSecret": text}, "client_secret") for text in NO_SECRETS),
    *(invalid("RotateSecret", {"applicationId": "<client>", "previousLifetime": length}, "previous_lifetime")
      for length in ("-1s", "2147483648s")),
    invalid("RotateSecret", {"applicationId": "<client>", "requestId": "1"}, "request_id"),
    *(invalid("RevokeSecret", {"applicationId": "<client>", "secretId": number}, "secret_id") for number in (0, -1)),
    *(missing("RevokeSecret", {"applicationId": "<client>", "secretId": number}, "SECRET") for number in (999_999, 2**63 - 1)),
    invalid("RotateOwnSecret", {}, "client_id"),
    invalid("RotateOwnSecret", {"clientId": "almoner", "clientSecret": "x" * 1_025}, "client_secret"),
    *(invalid("RotateOwnSecret", {"clientId": "almoner", "newClientSecret": text}, "new_client_secret") for text in NO_SECRETS),
    *(invalid("RotateOwnSecret", {"clientId": "almoner", "previousLifetime": length}, "previous_lifetime")
      for length in ("-1s", "2147483648s")),
    *(unauthenticated("RotateOwnSecret", {"clientId": client_id, "clientSecret": "\u0000"}, "CLIENT_INVALID")
      for client_id in ("no such", "almoner")),
    # Memberships of clients.
    invalid("CreateClientMembership", {}, "membership"),
    invalid("CreateClientMembership", membership(applicationId=""), "membership.application_id"),
    *(invalid("CreateClientMembership", membership(applicationId=text), "membership.application_id")
      for text in ("x" * 129, "a\u0000", "a\n")),
    missing("CreateClientMembership", membership(applicationId="nothing"), "APPLICATION"),
    Row("CreateClientMembership", membership(applicationId="<provider>"), "FAILED_PRECONDITION", "WRONG_KIND", []),
    invalid("CreateClientMembership", membership(organizationId="x"), "membership.organization_id"),
    missing("CreateClientMembership", membership(organizationId=NOWHERE), "ORGANIZATION"),
    invalid("CreateClientMembership", membership(scopes=["a"] * 257), "membership.scopes"),
    *(invalid("CreateClientMembership", membership(scopes=["a", scope]), "membership.scopes[1]")
      for scope in (*NO_SCOPES, " ", "a b", "a\u00a0")),
    invalid("CreateClientMembership", {**membership(), "requestId": "1"}, "request_id"),
    *(invalid(name, {"applicationId": text}, "application_id") for name in OF_MEMBERSHIPS for text in ("", "x" * 129, "a\n")),
    *(invalid(name, {"applicationId": "<client>", "organizationId": "x"}, "organization_id") for name in OF_MEMBERSHIPS),
    *(missing(name, {"applicationId": "<client>", "organizationId": NOWHERE}, "ORGANIZATION") for name in OF_MEMBERSHIPS),
    *(missing(name, {"applicationId": text}, "MEMBERSHIP") for name in OF_MEMBERSHIPS for text in ("nothing", "<client>")),
    *(invalid("UpdateClientMembership", {"applicationId": "<client>", members: ["a", scope]}, f"{field}[1]")
      for members, field in (("addedScopes", "added_scopes"), ("removedScopes", "removed_scopes")) for scope in NO_SCOPES),
    *(invalid(name, {"applicationId": "<client>", "etag": "x" * 1_025}, "etag")
      for name in ("UpdateClientMembership", "DeleteClientMembership")),
    # Tokens that are JWTs.
    *(invalid("IssueClientToken", {"clientId": text}, "client_id") for text in ("", "x" * 129, "a\n")),
    invalid("IssueClientToken", {"clientId": "<client>", "clientSecret": "x" * 1_025}, "client_secret"),
    invalid("IssueClientToken", {"clientId": "<client>", "organizationId": "x"}, "organization_id"),
    *(invalid("IssueClientToken", {"clientId": "<client>", "scopes": ["a", scope]}, "scopes[1]") for scope in NO_SCOPES),
    *(invalid("IssueClientToken", {"clientId": "<client>", "lifetime": length}, "lifetime")
      for length in ("0s", "-1s", "0.5s", "2147483648s")),
    *(unauthenticated("IssueClientToken", {"clientId": client_id, "clientSecret": text}, "CLIENT_INVALID")
      for client_id in ("nothing", "almoner", "<provider>") for text in ("", "x", "\u0000")),
    *(invalid("ExchangeApiToken", {"apiToken": text}, "api_token") for text in ("", "x" * 8_193)),
    invalid("ExchangeApiToken", {"apiToken": "x", "organizationId": "x"}, "organization_id"),
    *(invalid("ExchangeApiToken", {"apiToken": "x", "lifetime": length}, "lifetime") for length in ("0s", "-1s", "2147483648s")),
    *(unauthenticated("ExchangeApiToken", {"apiToken": text}, "TOKEN_INVALID") for text in (*NO_TOKENS, "a.b.c")),
    mask("UpdateApplication", {"application": {"number": "<application>"}, "updateMask": "number"}),
    Row("UpdateApplication", {"application": {"number": "<application>", "client": {"renewable": True}}}, "FAILED_PRECONDITION", "WRONG_KIND", []),
    Row("DeleteApplication", {"number": "<application>"}, "FAILED_PRECONDITION", "APPLICATION_IN_USE", []),
    # The directory.
    invalid("CreateOrganization", {"organization": {}}, "organization.display_name"),
    missing("CreateOrganization", {"organization": {"displayName": "O"}, "importedRoleIds": [999_999]}, "ROLE", "imported_role_ids[0]"),
    missing("GetOrganization", {"number": 999_999}, "ORGANIZATION"),
    Row("UpdateOrganization", {"organization": {"number": 1, "disabled": True}}, "FAILED_PRECONDITION", "BUILT_IN", []),
    Row("DeleteOrganization", {"number": 1}, "FAILED_PRECONDITION", "BUILT_IN", []),
    Row("DeleteOrganization", {"number": "<tenant>"}, "FAILED_PRECONDITION", "ORGANIZATION_NOT_EMPTY", []),
    invalid("CreateUser", {"user": {}}, "user.username"),
    invalid("CreateUser", user(username="a:b"), "user.username"),
    invalid("CreateUser", user(username="u" * 129), "user.username"),
    invalid("CreateUser", user(password="p" * 1_025), "user.password"),
    invalid("CreateUser", user(email="e" * 255), "user.email"),
    invalid("CreateUser", user(permissions=[0]), "user.permissions[0]"),
    invalid("CreateUser", user(permissions=["PERMISSION_ADMINISTRATOR", 99]), "user.permissions[1]"),
    invalid("CreateUser", user(permissions=[1] * 65), "user.permissions"),
    missing("CreateUser", user(roleIds=[999_999]), "ROLE", "user.role_ids[0]"),
    missing("CreateUser", user(organizationId=NOWHERE), "ORGANIZATION"),
    Row("CreateUser", user(username="admin"), "ALREADY_EXISTS", "ALREADY_EXISTS", ["user.username"]),
    mask("UpdateUser", {"user": {"id": "<user>"}, "updateMask": "organizationId"}),
    Row("UpdateUser", {"user": {"id": 1, "disabled": True}}, "FAILED_PRECONDITION", "BUILT_IN", []),
    Row("DeleteUser", {"id": 1, "cascade": True}, "FAILED_PRECONDITION", "BUILT_IN", []),
    missing("DeleteUser", {"id": 0}, "USER"),
    invalid("CreateRole", {"role": {"permissions": [10]}}, "role.name"),
    missing("CreateRole", {"role": {"name": "R", "userIds": [999_999]}}, "USER", "role.user_ids[0]"),
    Row("UpdateRole", {"role": {"id": 1, "name": "Mine"}}, "FAILED_PRECONDITION", "BUILT_IN", []),
    Row("DeleteRole", {"id": 2}, "FAILED_PRECONDITION", "BUILT_IN", []),
    invalid("CreateRoleBinding", {"roleBinding": {"userId": "<user>", "roleId": 2}}, "role_binding.place"),
    invalid("CreateRoleBinding", {"roleBinding": {"userId": "<user>", "roleId": 2, "server": False}}, "role_binding.server"),
    invalid("CreateRoleBinding", {"roleBinding": {"userId": 0, "roleId": 2, "server": True}}, "role_binding.user_id"),
    missing("CreateRoleBinding", {"roleBinding": {"userId": 999_999, "roleId": 2, "server": True}}, "USER", "role_binding.user_id"),
    missing("CreateRoleBinding", {"roleBinding": {"userId": 1, "roleId": 999_999, "server": True}}, "ROLE", "role_binding.role_id"),
    missing("CreateRoleBinding", {"roleBinding": {"userId": 1, "roleId": 2, "applicationId": "nothing"}}, "APPLICATION", "role_binding.application_id"),
    Row("CreateRoleBinding", {"roleBinding": {"userId": 1, "roleId": 1, "server": True}}, "ALREADY_EXISTS", "ALREADY_EXISTS", []),
    missing("DeleteRoleBinding", {"id": -1}, "ROLE_BINDING"),
    invalid("CreateApiToken", {"apiToken": {}}, "api_token.name"),
    invalid("CreateApiToken", {"apiToken": {"name": "T", "userId": -1}}, "api_token.user_id"),
    missing("CreateApiToken", {"apiToken": {"name": "T", "userId": 999_999}}, "USER"),
    invalid("CreateApiToken", {"apiToken": {"name": "T", "expireTime": "2001-01-01T00:00:00Z"}}, "api_token.expire_time"),
    missing("RevokeApiToken", {"id": 999_999}, "API_TOKEN"),
    # Every list.
    # Access rules.
    invalid("CreateAccessRule", {}, "access_rule"),
    invalid("CreateAccessRule", {"accessRule": {}}, "access_rule.application_id", "access_rule.user_id"),
    invalid("CreateAccessRule", rule(applicationId=""), "access_rule.application_id"),
    invalid("CreateAccessRule", rule(applicationId="x" * 129), "access_rule.application_id"),
    invalid("CreateAccessRule", rule(applicationId="a\n"), "access_rule.application_id"),
    missing("CreateAccessRule", rule(applicationId="no such"), "APPLICATION", "access_rule.application_id"),
    invalid("CreateAccessRule", rule(userId=0), "access_rule.user_id"),
    invalid("CreateAccessRule", rule(userId=-1), "access_rule.user_id"),
    missing("CreateAccessRule", rule(userId=2**63 - 1), "USER", "access_rule.user_id"),
    Row("CreateAccessRule", rule(userId="<ruled>"), "ALREADY_EXISTS", "ALREADY_EXISTS", ["access_rule.user_id"]),
    Row("CreateAccessRule", rule(applicationId="<provider>"), "FAILED_PRECONDITION", "WRONG_KIND", ["access_rule.application_id"]),
    invalid("CreateAccessRule", rule(allowedScopes=["a"] * 257), "access_rule.allowed_scopes"),
    *(invalid("CreateAccessRule", rule(allowedScopes=["a", scope]), "access_rule.allowed_scopes[1]")
      for scope in ("", " ", "a b", "a\u00a0", "a\u0000", "a\n", "x" * 513)),
    invalid("CreateAccessRule", rule(description="a\u0000"), "access_rule.description"),
    invalid("CreateAccessRule", rule(description="x" * 4_097), "access_rule.description"),
    *(invalid("CreateAccessRule", rule(accessTokenLifetime=length), "access_rule.access_token_lifetime")
      for length in ("0s", "-1s", "0.5s", "315360001s")),
    *(invalid("CreateAccessRule", rule(grantLifetime=length), "access_rule.grant_lifetime")
      for length in ("0s", "-1s", "0.999999999s", "315360001s")),
    invalid("CreateAccessRule", {**rule(), "requestId": "no uuid"}, "request_id"),
    *(invalid(name, {}, "key") for name in ("GetAccessRule", "DeleteAccessRule")),
    *(missing(name, {"id": number}, "ACCESS_RULE") for name in ("GetAccessRule", "DeleteAccessRule") for number in NO_NUMBERS),
    *(missing(name, {"pair": {"applicationId": "<client>", "userId": number}}, "ACCESS_RULE")
      for name in ("GetAccessRule", "DeleteAccessRule") for number in NO_NUMBERS),
    *(invalid(name, {"pair": {"userId": 1}}, "pair.application_id") for name in ("GetAccessRule", "DeleteAccessRule")),
    missing("UpdateAccessRule", {"accessRule": {"description": "x"}}, "ACCESS_RULE"),
    missing("UpdateAccessRule", {"accessRule": {"applicationId": "<client>", "userId": "<newcomer>"}}, "ACCESS_RULE"),
    invalid("UpdateAccessRule", {}, "access_rule"),
    *(mask("UpdateAccessRule", rule_update(path)) for path in ("id", "userId", "applicationId", "etag", "nothing", "renewable.x")),
    invalid("UpdateAccessRule", rule_update(allowedScopes=["a b"]), "access_rule.allowed_scopes[0]"),
    invalid("UpdateAccessRule", rule_update(grantLifetime="0s"), "access_rule.grant_lifetime"),
    invalid("UpdateAccessRule", {**rule_update(), "etag": "x" * 1_025}, "etag"),
    stale("UpdateAccessRule", {**rule_update(description="x"), "etag": '"9"'}),
    stale("DeleteAccessRule", {"id": "<rule>", "etag": 'W/"1"'}),
    # Rules and grants at once.
    *(invalid(name, {}, "") for name in BULK),
    *(invalid(name, {"userId": -1}, "user_id") for name in BULK),
    *(invalid(name, {"applicationId": "x" * 129}, "application_id") for name in BULK),
    *(invalid(name, {"applicationId": "\u0001"}, "application_id") for name in BULK),
    *(missing(name, {"userId": 2**63 - 1}, "USER") for name in BULK),
    *(missing(name, {"applicationId": "no such"}, "APPLICATION") for name in BULK),
    *(missing(name, {"applicationId": "no such", "userId": "<user>"}, "APPLICATION") for name in BULK),
    *(missing(name, {"applicationId": "<client>", "userId": 999_999}, "USER") for name in BULK),
    # Grants.
    *(missing(name, {"id": number}, "GRANT") for name in ("GetGrant", "RevokeGrant") for number in NO_NUMBERS),
    invalid("CountGrants", {"userId": -1}, "user_id"),
    invalid("CountGrants", {"applicationId": "x" * 129}, "application_id"),
    # JWT mappings.
    invalid("CreateJwtMapping", {}, "jwt_mapping"),
    *(invalid("CreateJwtMapping", jwt(**{member: ""}), f"jwt_mapping.{path}")
      for member, path in (("name", "name"), ("issuerUri", "issuer_uri"), ("purposeField", "purpose_field"),
                           ("purposeMatch", "purpose_match"), ("idField", "id_field"), ("idMatch", "id_match"))),
    *(invalid("CreateJwtMapping", jwt(issuerUri=uri), "jwt_mapping.issuer_uri")
      for uri in ("issuer.example", "ftp://issuer.example", "https://", "https://a b", "https://" + "x" * 2_048)),
    invalid("CreateJwtMapping", jwt(name="x" * 256), "jwt_mapping.name"),
    invalid("CreateJwtMapping", jwt(name="a\n"), "jwt_mapping.name"),
    invalid("CreateJwtMapping", jwt(idMatch="x" * 1_025), "jwt_mapping.id_match"),
    invalid("CreateJwtMapping", jwt(userId=-1), "jwt_mapping.user_id"),
    missing("CreateJwtMapping", jwt(userId=999_999), "USER", "jwt_mapping.user_id"),
    invalid("CreateJwtMapping", jwt(organizationId="x"), "jwt_mapping.organization_id"),
    missing("CreateJwtMapping", jwt(organizationId=NOWHERE), "ORGANIZATION"),
    Row("CreateJwtMapping", jwt(name="<mapping>"), "ALREADY_EXISTS", "ALREADY_EXISTS", ["jwt_mapping.name"]),
    *(invalid(name, {"name": ""}, "name") for name in ("GetJwtMapping", "DeleteJwtMapping")),
    *(missing(name, {"name": "no such"}, "JWT_MAPPING") for name in ("GetJwtMapping", "DeleteJwtMapping")),
    *(missing(name, {"name": "<mapping>", "organizationId": NOWHERE}, "JWT_MAPPING") for name in ("GetJwtMapping", "DeleteJwtMapping")),
    *(missing(name, {"name": "<mapping>", "organizationId": "<organization>"}, "JWT_MAPPING") for name in ("GetJwtMapping", "DeleteJwtMapping")),
    missing("UpdateJwtMapping", {"jwtMapping": {"idMatch": "x"}}, "JWT_MAPPING"),
    *(mask("UpdateJwtMapping", jwt_update(path)) for path in ("name", "username", "organizationId", "id", "nothing")),
    invalid("UpdateJwtMapping", jwt_update("idMatch"), "jwt_mapping.id_match"),
    missing("UpdateJwtMapping", jwt_update("userId", userId=999_999), "USER", "jwt_mapping.user_id"),
    stale("UpdateJwtMapping", {**jwt_update(idMatch="x"), "etag": '"9"'}),
    stale("DeleteJwtMapping", {"name": "<mapping>", "etag": '"0"'}),
    # Token policies.
    invalid("GetTokenPolicy", {"organizationId": "x"}, "organization_id"),
    missing("GetTokenPolicy", {"organizationId": NOWHERE}, "ORGANIZATION"),
    invalid("UpdateTokenPolicy", {}, "token_policy"),
    missing("UpdateTokenPolicy", policy(organizationId=NOWHERE), "ORGANIZATION"),
    *(invalid("UpdateTokenPolicy", policy(accessTokenLifetime=length), "token_policy.access_token_lifetime")
      for length in ("0s", "-1s", "315360001s")),
    invalid("UpdateTokenPolicy", policy(refusedGrantTypes=[0]), "token_policy.refused_grant_types[0]"),
    invalid("UpdateTokenPolicy", policy(refusedGrantTypes=[99]), "token_policy.refused_grant_types[0]"),
    invalid("UpdateTokenPolicy", policy(certificateField=9), "token_policy.certificate_field"),
    invalid("UpdateTokenPolicy", policy(certificateIssuers=["CN=A", ""]), "token_policy.certificate_issuers[1]"),
    invalid("UpdateTokenPolicy", policy(annotations={str(number): "" for number in range(65)}), "token_policy.annotations"),
    *(mask("UpdateTokenPolicy", policy(path)) for path in ("etag", "updateTime", "organizationId", "nothing")),
    stale("UpdateTokenPolicy", {**policy(renewable=True), "etag": '"1"'}),
    # Tokens.
    invalid("IssueToken", {}, "credential", "client_id"),
    invalid("IssueToken", {"clientId": "almoner", "scopes": ["admin"]}, "credential"),
    invalid("IssueToken", issue(clientId=""), "client_id"),
    invalid("IssueToken", issue(clientId="x" * 129), "client_id"),
    invalid("IssueToken", issue(clientId="a\u0000"), "client_id"),
    invalid("IssueToken", issue(clientSecret="x" * 1_025), "client_secret"),
    invalid("IssueToken", issue(scopes=[]), "scopes"),
    invalid("IssueToken", issue(scopes=["admin"] * 257), "scopes"),
    *(invalid("IssueToken", issue(scopes=["admin", scope]), "scopes[1]")
      for scope in ("", " ", "a b", "a\u00a0", "a\n", "\u0000", "x" * 513)),
    refused("IssueToken", issue(scopes=["Admin"]), "SCOPE_REFUSED"),
    *(invalid("IssueToken", issue(userId=number), "user_id") for number in (0, -1, -(2**63))),
    *(refused("IssueToken", issue(userId=number), "GRANT_REFUSED") for number in (999_999, 2**63 - 1)),
    *(unauthenticated("IssueToken", issue(clientId=client_id), "CLIENT_INVALID") for client_id in ("no such", "ALMONER")),
    invalid("IssueToken", login(username=""), "password.username"),
    invalid("IssueToken", login(username="x" * 129), "password.username"),
    invalid("IssueToken", login(username="a\u0000"), "password.username"),
    invalid("IssueToken", login(password=""), "password.password"),
    invalid("IssueToken", login(password="x" * 1_025), "password.password"),
    unauthenticated("IssueToken", login(), "CREDENTIALS_INVALID"),
    unauthenticated("IssueToken", login(username="nobody at all"), "CREDENTIALS_INVALID"),
    invalid("IssueToken", issue(credential={"jwt": ""}), "jwt"),
    invalid("IssueToken", issue(credential={"jwt": "x" * 16_385}), "jwt"),
    *(unauthenticated("IssueToken", issue(credential={"jwt": text}), "ASSERTION_INVALID")
      for text in ("x", "\u0000", "a.b.c", "..", "e30.e30.e30", "bnVsbA.bnVsbA.x", "x" * 16_384)),
    invalid("IssueToken", issue(credential={"certificate": ""}), "certificate"),
    invalid("IssueToken", issue(credential={"deviceCode": ""}), "device_code"),
    invalid("IssueToken", issue(credential={"deviceCode": "x" * 129}), "device_code"),
    *(gone("IssueToken", issue(credential={"deviceCode": code})) for code in NO_TOKENS if len(code) < 129),
    invalid("RefreshToken", {}, "client_id", "refresh_token"),
    invalid("RefreshToken", {"clientId": "almoner", "refreshToken": "x" * 1_025}, "refresh_token"),
    unauthenticated("RefreshToken", {"clientId": "no such", "refreshToken": "x"}, "CLIENT_INVALID"),
    *(unauthenticated("RefreshToken", {"clientId": "almoner", "refreshToken": text}, "TOKEN_INVALID") for text in NO_TOKENS),
    invalid("IntrospectTokens", {}, "tokens"),
    invalid("IntrospectTokens", {"tokens": ["x"] * 1_001}, "tokens"),
    invalid("IntrospectTokens", {"tokens": ["x", "x" * 8_193]}, "tokens[1]"),
    invalid("VerifyToken", {}, "access_token"),
    invalid("VerifyToken", {"accessToken": "x" * 8_193}, "access_token"),
    *(unauthenticated("VerifyToken", {"accessToken": text}, "TOKEN_INVALID") for text in NO_TOKENS),
    invalid("RevokeToken", {}, "token"),
    invalid("RevokeToken", {"token": "x" * 8_193}, "token"),
    *(unauthenticated("RevokeToken", {"token": text}, "TOKEN_INVALID") for text in NO_TOKENS),
    invalid("StartDeviceAuthorization", {}, "client_id", "scopes"),
    invalid("StartDeviceAuthorization", {"clientId": "almoner", "scopes": ["a b"]}, "scopes[0]"),
    refused("StartDeviceAuthorization", {"clientId": "almoner", "scopes": ["unheard-of"]}, "SCOPE_REFUSED"),
    unauthenticated("StartDeviceAuthorization", {"clientId": "no such", "scopes": ["a"]}, "CLIENT_INVALID"),
    *(invalid(name, {}, "user_code") for name in BY_USER_CODE),
    *(invalid(name, {"userCode": "x" * 65}, "user_code") for name in BY_USER_CODE),
    *(gone(name, {"userCode": code}) for name in BY_USER_CODE for code in ("x", "\u0000", "BCDF-GHJK", "-")),
    *(missing("StartAuthorization", {"id": number}, "PROFILE") for number in NO_NUMBERS),
    invalid("StartAuthorization", {"id": "<custom>", "scope": "a\n"}, "scope"),
    invalid("StartAuthorization", {"id": "<custom>", "scope": "a" * 4_097}, "scope"),
    *(invalid("StartAuthorization", {"id": "<custom>", "redirectUri": uri}, "redirect_uri") for uri in NO_REDIRECTS),
    invalid("CompleteAuthorization", {"code": "c"}, "state"),
    invalid("CompleteAuthorization", {"state": "s" * 513, "code": "c"}, "state"),
    invalid("CompleteAuthorization", {"state": "s"}, "code"),
    invalid("CompleteAuthorization", {"state": "s", "code": "c" * 8_193}, "code"),
    invalid("CompleteAuthorization", {"state": "s", "code": "c\n"}, "code"),
    invalid("CompleteAuthorization", {"state": "s", "error": "e" * 256}, "error"),
    invalid("CompleteAuthorization", {"state": "s", "error": "\u0000"}, "error"),
    invalid("CompleteAuthorization", {"state": "s", "code": "c", "issuer": "i" * 2_049}, "issuer"),
    *(no_state({"state": state, "code": "c"}) for state in ("s", "\u0000", "é", "A" * 43)),
    *(invalid("WatchProfiles", {"cursor": cursor}, "cursor") for cursor in ("x", "\u0000", "AAAA", "=", "x" * 513)),
    invalid("WatchProfiles", {"organizationId": "x"}, "organization_id"),
    missing("WatchProfiles", {"organizationId": NOWHERE}, "ORGANIZATION"),
    invalid("CreateWebhook", {}, "webhook"),
    *(
        invalid("CreateWebhook", webhook(url=url), "webhook.url")
        for url in ("", "x", "http://x/", "https://u:p@x/", "https://127.0.0.1/", "https://x/\n", "https://[/", "x" * 2049)
    ),
    *(
        invalid("CreateWebhook", webhook(secret=secret), "webhook.secret")
        for secret in ("x", "whsec_", "whsec_AAAA", "whsec_\u0000", "whsec_" + "A" * 123)
    ),
    *(invalid("CreateWebhook", webhook(kinds=[kind]), "webhook.kinds[0]") for kind in (0, -1, 99)),
    invalid("CreateWebhook", webhook(description="\u0000"), "webhook.description"),
    invalid("CreateWebhook", webhook(organizationId="x"), "webhook.organization_id"),
    invalid("CreateWebhook", {**webhook(), "requestId": "x"}, "request_id"),
    missing("CreateWebhook", webhook(organizationId=NOWHERE), "ORGANIZATION"),
    *(missing("GetWebhook", {"id": number}, "WEBHOOK") for number in (0, -1, 2**63 - 1)),
    missing("UpdateWebhook", {"webhook": {"id": 999_999, "description": "D"}}, "WEBHOOK"),
    mask("UpdateWebhook", {"webhook": {"id": 1}, "updateMask": "etag"}),
    mask("UpdateWebhook", {"webhook": {"id": 1}, "updateMask": "organizationId"}),
    missing("DeleteWebhook", {"id": 999_999}, "WEBHOOK"),
    *(invalid(name, {"pageSize": -1}, "page_size") for name in LISTS),
    *(invalid(name, {"skip": -(2**31)}, "skip") for name in LISTS),
    *(invalid(name, {"filter": "x" * 4_097}, "filter") for name in LISTS),
    *(Row(name, {"filter": "no_field = 1"}, "INVALID_ARGUMENT", "INVALID_FILTER", ["filter"]) for name in LISTS),
    *(Row(name, {"orderBy": "no_field"}, "INVALID_ARGUMENT", "INVALID_ORDER_BY", ["order_by"]) for name in LISTS),
    *(Row(name, {"pageToken": "x"}, "INVALID_ARGUMENT", "INVALID_PAGE_TOKEN", ["page_token"]) for name in LISTS),
    *(invalid(name, {"organizationId": "x"}, "organization_id") for name in LISTS if name != "ListOrganizations"),
    *(missing(name, {"organizationId": NOWHERE}, "ORGANIZATION") for name in LISTS if name != "ListOrganizations"),
]  # fmt: skip


def filled(world: World, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: filled(world, member) for name, member in value.items()}
    if isinstance(value, str) and value.startswith("<"):
        return world.ids[value.strip("<>")]
    return value


@pytest.mark.parametrize("method", dict.fromkeys(row.method for row in ROWS))
@pytest.mark.usefixtures("unchanged")
async def test_a_message_that_is_not_good_is_refused_by_its_member(world: World, method: str) -> None:
    module, stub = SERVICES[method]
    almoner = world.rest.almoner
    for row in (row for row in ROWS if row.method == method):
        message = json_format.ParseDict(filled(world, row.message), getattr(module, f"{method}Request")())

        call = getattr(almoner.stub(stub), method)(message, metadata=almoner.as_admin_token)
        refusal = await refusal_of(answered(call))

        assert (refusal.code.name, refusal.reason, refusal.fields) == (row.code, row.reason, row.fields), row


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("almoner-required-permissions", "NONSENSE", "PERMISSION_DENIED"),
        ("almoner-required-permissions", ",", "PERMISSION_DENIED"),
        ("almoner-required-permissions", "MANAGEMENT_API,NONSENSE", "PERMISSION_DENIED"),
        ("almoner-on-behalf-of", "nobody", "PERMISSION_DENIED"),
        ("almoner-on-behalf-of", "%00", "PERMISSION_DENIED"),
        ("almoner-on-behalf-of", "%ff%fe", "PERMISSION_DENIED"),
        ("almoner-on-behalf-of", "%", "PERMISSION_DENIED"),
        ("almoner-on-behalf-of", "x" * 4_000, "PERMISSION_DENIED"),
        ("authorization", "Basic %%%", "UNAUTHENTICATED"),
        ("authorization", "x" * 7_000, "UNAUTHENTICATED"),
        ("authorization", "Basic " + "QUFB" * 1_900, "UNAUTHENTICATED"),
    ],
)
@pytest.mark.usefixtures("unchanged")
async def test_metadata_that_is_not_good_is_refused(world: World, name: str, value: str, code: str) -> None:
    almoner = world.rest.almoner
    metadata = {**dict(almoner.as_admin_token), name: value}
    stub = almoner.stub(profile_service_pb2_grpc.ProfileServiceStub)

    refusal = await refusal_of(
        stub.DeleteProfile(
            profile_service_pb2.DeleteProfileRequest(id=world.ids["profile"]), metadata=tuple(metadata.items())
        )
    )

    assert refusal.code.name == code


@asynccontextmanager
async def _wire(world: World) -> AsyncIterator[grpc.aio.Channel]:
    """Reaches the service over a socket, however the world does: messages in process are no bytes."""
    server = world.rest.almoner.service.grpc_server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


# CreateProfileRequest and UpdateProfileRequest on the wire (field number and wire type, length, content).
BYTES: Final = {
    "an invalid tag": b"\xff\xff",
    "a tag without a field": b"\x00\x01",
    "a length behind the end": b"\x0a\x7f",
    "a negative length": b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    "an endless varint": b"\x08" + b"\xff" * 11,
    "an unfinished group": b"\x0b",
    "the end of no group": b"\x0c",
    "invalid UTF-8": b"\x0a\x03\x32\x01\xff",
    "a surrogate in UTF-8": b"\x0a\x05\x32\x03\xed\xa0\x80",
    "overlong UTF-8": b"\x0a\x04\x32\x02\xc0\xaf",
    "groups in groups": b"\x0b" * 10_000,
}


@pytest.mark.parametrize("data", BYTES.values(), ids=BYTES)
@pytest.mark.parametrize("method", ["CreateProfile", "UpdateProfile"])
@pytest.mark.usefixtures("unchanged")
async def test_bytes_that_are_no_message_are_refused(world: World, method: str, data: bytes) -> None:
    almoner = world.rest.almoner
    async with _wire(world) as channel:
        call: Any = channel.unary_unary(f"/almoner.v1.ProfileService/{method}", request_serializer=bytes)
        refusal = await refusal_of(call(data, metadata=almoner.as_admin_token))

    assert (refusal.code.name, refusal.reason, refusal.fields) == ("INVALID_ARGUMENT", "INVALID_FIELD", [""])


@pytest.mark.usefixtures("unchanged")
async def test_a_message_of_two_mebibytes_is_too_long(world: World) -> None:
    almoner = world.rest.almoner
    async with _wire(world) as channel:
        call: Any = channel.unary_unary("/almoner.v1.ProfileService/CreateProfile", request_serializer=bytes)
        with pytest.raises(AioRpcError) as raised:
            await call(b"\x0a" * 2 * 1024 * 1024, metadata=almoner.as_admin_token)

    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    "path", ["/almoner.v1.ProfileService/Nothing", "/no.Service/Method", "/", "/almoner.v1.ProfileService/"]
)
async def test_a_method_that_is_not_there_is_unimplemented(world: World, path: str) -> None:
    async with _wire(world) as channel:
        with pytest.raises(AioRpcError) as raised:
            await channel.unary_unary(path, request_serializer=bytes)(b"", metadata=world.rest.almoner.as_admin_token)

    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
