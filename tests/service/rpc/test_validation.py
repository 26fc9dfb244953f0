# SPDX-License-Identifier: Apache-2.0
"""The rules of the proto files are held, and a member at fault is named by its path from the request's root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from almoner.v1 import (
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
    directory_pb2,
    directory_service_pb2,
    directory_service_pb2_grpc,
    profile_pb2,
    profile_service_pb2,
    profile_service_pb2_grpc,
)
from tests.refusals import refusal_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from tests.running import Almoner

A, D, P = application_service_pb2, directory_service_pb2, profile_service_pb2
STUBS: dict[str, Any] = {
    "almoner.v1.ProfileService": profile_service_pb2_grpc.ProfileServiceStub,
    "almoner.v1.ApplicationService": application_service_pb2_grpc.ApplicationServiceStub,
    "almoner.v1.DirectoryService": directory_service_pb2_grpc.DirectoryServiceStub,
}
METHOD_OF = {
    method.input_type: (STUBS[service.full_name], method.name)
    for module in (A, D, P)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}

CASES: list[tuple[Message, list[str]]] = [
    (P.CreateProfileRequest(), ["profile"]),
    (P.CreateProfileRequest(profile=profile_pb2.Profile(name="a\nb")), ["profile.name"]),
    (
        P.CreateProfileRequest(
            profile=profile_pb2.Profile(client=profile_pb2.ClientCredentials(client_secret="x" * 4097))
        ),
        ["profile.client.client_secret"],
    ),
    (P.CreateProfileRequest(profile=profile_pb2.Profile(name="n"), request_id="1"), ["request_id"]),
    (P.ListProfilesRequest(page_size=-1, skip=-1, organization_id="x"), ["organization_id", "page_size", "skip"]),
    (P.UpdateProfileRequest(), ["profile"]),
    (P.UpdateProfileRequest(profile=profile_pb2.Profile(id=1), etag="x" * 1025), ["etag"]),
    (
        P.CreateProfileLinkRequest(link=profile_pb2.ProfileLink(attributes={"Upper": "x"})),
        ["link.attributes[Upper]"],
    ),
    (A.GetApplicationRequest(), ["key"]),
    (A.GetApplicationRequest(id=""), ["id"]),
    (A.DeleteApplicationRequest(), ["key"]),
    (
        A.CreateApplicationRequest(
            application=application_pb2.Application(
                client=application_pb2.ClientApplication(allowed_scopes=["fine", "", "x" * 513])
            )
        ),
        ["application.client.allowed_scopes[1]", "application.client.allowed_scopes[2]"],
    ),
    (D.CreateUserRequest(user=directory_pb2.User(username="a:b")), ["user.username"]),
    (
        D.CreateUserRequest(
            user=directory_pb2.User(permissions=[directory_pb2.PERMISSION_WEB_UI, directory_pb2.PERMISSION_UNSPECIFIED])
        ),
        ["user.permissions[1]"],
    ),
    (D.CreateRoleRequest(role=directory_pb2.Role(permissions=[99])), ["role.permissions[0]"]),  # type: ignore[list-item]
    (D.CreateRoleBindingRequest(role_binding=directory_pb2.RoleBinding(user_id=1, role_id=1)), ["role_binding.place"]),
    (
        D.CreateRoleBindingRequest(role_binding=directory_pb2.RoleBinding(server=False)),
        ["role_binding.role_id", "role_binding.server", "role_binding.user_id"],
    ),
    (D.CreateApiTokenRequest(), ["api_token"]),
]


@pytest.mark.parametrize(
    ("request_message", "fields"), CASES, ids=[f"{type(request).__name__} {fields}" for request, fields in CASES]
)
async def test_a_member_at_fault_is_named_by_its_path(
    served: Almoner, request_message: Message, fields: list[str]
) -> None:
    stub, method = METHOD_OF[request_message.DESCRIPTOR]
    refusal = await refusal_of(getattr(stub(served.channel), method)(request_message, metadata=served.as_admin_token))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert sorted(refusal.fields) == fields


async def test_who_calls_is_asked_before_what_they_want(served: Almoner) -> None:
    stub: Any = profile_service_pb2_grpc.ProfileServiceStub(served.channel)
    assert (await refusal_of(stub.CreateProfile(P.CreateProfileRequest()))).reason == "CREDENTIALS_MISSING"
