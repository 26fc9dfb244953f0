# SPDX-License-Identifier: Apache-2.0
"""The gRPC API, by the API token of user admin and by name and password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.field_mask_pb2 import FieldMask

from almoner.v1.profile_pb2 import Profile
from almoner.v1.profile_service_pb2 import GetProfileRequest, ListProfilesRequest, UpdateProfileRequest
from almoner.v1.token_service_pb2 import IssueTokenRequest, VerifyTokenRequest
from benchmarks.ceilings import GRPC, GRPC_LIST, GRPC_UPDATE
from benchmarks.h2load import Call
from benchmarks.measuring import Operation
from benchmarks.operations.subjects import AS_BASIC, AS_BEARER
from benchmarks.tokens import CLIENT

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from benchmarks.operations.subjects import Subjects

GET = "gRPC get, Bearer"


def operations(of: Subjects) -> list[Operation]:
    """Returns them."""

    def call(method: str, message: Message, authorization: str = AS_BEARER["Authorization"]) -> Call:
        return Call(of.server.grpc, f"/almoner.v1.{method}", message, authorization)

    get = GetProfileRequest(id=of.profile)
    update = UpdateProfileRequest(
        profile=Profile(id=of.profile, name="User_1", description="OAuth profile 1", access_token="111c334445e55"),
        update_mask=FieldMask(paths=["name", "description", "access_token"]),
    )
    by_basic = call("ProfileService/GetProfile", get, AS_BASIC["Authorization"])
    issue = IssueTokenRequest(client_id=CLIENT, scopes=["certificate:manage"], user_id=1)
    verify = VerifyTokenRequest(access_token=of.access_token)
    return [
        Operation(GET, call("ProfileService/GetProfile", get), (GRPC,), everywhere=True),
        Operation("gRPC get, Basic", by_basic, (GRPC,)),
        Operation(
            "gRPC list of 100", call("ProfileService/ListProfiles", ListProfilesRequest(page_size=100)), (GRPC_LIST,)
        ),
        Operation(
            "gRPC update, all of one profile",
            call("ProfileService/UpdateProfile", update),
            (GRPC_UPDATE,),
            everywhere=True,
        ),
        Operation("gRPC token issue", call("TokenService/IssueToken", issue), (GRPC_UPDATE,)),
        Operation("gRPC token verify", call("TokenService/VerifyToken", verify), (GRPC,)),
    ]
