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
    profile_service_pb2,
    profile_service_pb2_grpc,
)
from tests.refusals import refusal_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bad_input.conftest import World

SERVICES: Final[dict[str, tuple[Any, Any]]] = {
    name: (module, stub)
    for module, stub in (
        (profile_service_pb2, profile_service_pb2_grpc.ProfileServiceStub),
        (application_service_pb2, application_service_pb2_grpc.ApplicationServiceStub),
        (directory_service_pb2, directory_service_pb2_grpc.DirectoryServiceStub),
    )
    for service in module.DESCRIPTOR.services_by_name.values()
    for name in service.methods_by_name
}
LISTS: Final = [name for name in SERVICES if name.startswith("List")]
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


def user(**members: Any) -> dict[str, Any]:
    return {"user": {"username": "new", **members}}


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

        refusal = await refusal_of(getattr(almoner.stub(stub), method)(message, metadata=almoner.as_admin_token))

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
