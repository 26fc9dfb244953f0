# SPDX-License-Identifier: Apache-2.0
"""What every route does before and after its handler, seen on routes of both dialects."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import msgspec
import pytest

from almoner.v1.grant_pb2 import Grant
from almoner.v1.profile_pb2 import PROFILE_VIEW_TOKENS, Profile
from almoner.v1.profile_service_pb2 import (
    CreateProfileResponse,
    GetProfileResponse,
    ListProfilesResponse,
    UpdateProfileResponse,
)
from almoner.v1.token_service_pb2 import RevokeTokenResponse
from tests.gateway.conftest import Refuse

if TYPE_CHECKING:
    from tests.gateway.conftest import Client, Script

BASIC = {"Authorization": "Basic YWRtaW46YWRtaW4="}
PROFILE = "/api/mgmt/oauthprofiles/33"
STORED = Profile(
    id=33,
    name="User_1",
    application_number=17,
    provider="google_analytics",
    description="OAuth profile 1",
    access_token="111c334445e55",
    refresh_token="222d88899966fa",
    etag='"7"',
)
BODY = {
    "name": "User_1",
    "oauthAppId": 17,
    "description": "OAuth profile 1",
    "accessToken": "111c334445e55",
    "refreshToken": "222d88899966fa",
}
UNKNOWN_CALLER = Refuse(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID")


async def code_and_text(response: Any) -> tuple[Any, str]:
    error = (await response.json())["error"]
    return error["code"], error["message"]["value"]


async def test_a_resource_comes_with_its_etag(client: Client, script: Script) -> None:
    script.replies["GetProfile"] = GetProfileResponse(profile=STORED)

    response = await client.get(PROFILE, headers=BASIC)

    assert response.status == 200
    assert response.headers["ETag"] == '"7"'
    assert response.headers["Cache-Control"] == "no-store"
    assert script.only("GetProfile").request.view == PROFILE_VIEW_TOKENS


async def test_a_new_resource_comes_with_its_place(client: Client, script: Script) -> None:
    script.replies["CreateProfile"] = CreateProfileResponse(profile=STORED)

    response = await client.post("/api/mgmt/oauthprofiles", json=BODY, headers=BASIC)

    assert response.status == 201
    assert response.headers["Location"] == PROFILE
    assert await response.json() == {"id": 33, **BODY}


@pytest.mark.parametrize("if_match", ['"7"', '"6", "7"', "*", 'W/"7"'])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_if_match_goes_to_the_service_as_it_is(
    client: Client, script: Script, method: str, if_match: str
) -> None:
    script.replies["UpdateProfile"] = UpdateProfileResponse(profile=STORED)

    await client.request(method, PROFILE, json=BODY, headers={**BASIC, "If-Match": if_match})

    (call,) = script.received
    assert call.request.etag == if_match


async def test_several_if_match_headers_are_one_list(client: Client, script: Script) -> None:
    headers = [*BASIC.items(), ("If-Match", '"6"'), ("If-Match", '"7"')]

    await client.delete(PROFILE, headers=headers)

    assert script.only("DeleteProfile").request.etag == '"6", "7"'


async def test_an_empty_if_match_is_not_taken_for_none(client: Client, script: Script) -> None:
    response = await client.delete(PROFILE, headers={**BASIC, "If-Match": ""})

    assert response.status == 400
    assert "DeleteProfile" not in script.methods()


async def test_a_changed_resource_fails_the_precondition(client: Client, script: Script) -> None:
    script.replies["UpdateProfile"] = Refuse(grpc.StatusCode.ABORTED, "ETAG_MISMATCH", "the resource has changed")

    response = await client.put(PROFILE, json=BODY, headers={**BASIC, "If-Match": '"6"'})

    assert response.status == 412
    assert await code_and_text(response) == ("222200412", "the resource has changed")


@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [("PROFILE_NOT_FOUND", 404, "222207710"), ("APPLICATION_NOT_FOUND", 404, "222207711")],
)
async def test_what_the_path_names_is_not_found_and_what_the_body_names_conflicts(
    client: Client, script: Script, reason: str, status: int, code: str
) -> None:
    script.replies["UpdateProfile"] = Refuse(grpc.StatusCode.NOT_FOUND, reason, metadata={"id": "17"})

    response = await client.put(PROFILE, json=BODY, headers=BASIC)

    assert response.status == status
    assert (await code_and_text(response))[0] == code


async def test_the_service_learns_who_calls_for_whom_with_what_rights_in_which_trace(
    client: Client, script: Script
) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = {**BASIC, "X-Request-Id": "abc-1", "traceparent": trace, "Cookie": "a=b", "X-Other": "c"}

    await client.get("/api/mgmt/permissions?user=J%C3%BCrgen%20x", headers=headers)

    metadata = script.only("WhoAmI").metadata
    del metadata["user-agent"]
    assert metadata == {
        "authorization": BASIC["Authorization"],
        "x-request-id": "abc-1",
        "traceparent": trace,
        "almoner-required-permissions": "MANAGEMENT_API",
        "almoner-on-behalf-of": "J%C3%BCrgen%20x",
    }


@pytest.mark.parametrize(("length", "forwarded"), [(512, True), (2048, True), (2049, False), (8000, False)])
async def test_a_trace_state_goes_along_unless_it_is_too_long(
    client: Client, script: Script, length: int, *, forwarded: bool
) -> None:
    await client.get("/api/users/me", headers={**BASIC, "tracestate": "a" * length})

    assert script.only("WhoAmI").metadata.get("tracestate") == ("a" * length if forwarded else None)


async def test_workato_demands_no_management_permission(client: Client, script: Script) -> None:
    await client.get("/api/users/me", headers=BASIC)

    assert "almoner-required-permissions" not in script.only("WhoAmI").metadata


@pytest.mark.parametrize("given", ["a", "A-b_c.1", "x" * 128])
async def test_a_request_id_comes_back(client: Client, given: str) -> None:
    response = await client.get("/api/connections", headers={"X-Request-Id": given})

    assert response.headers["X-Request-Id"] == given
    assert response.headers["x-correlation-id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "é", "{}"])
async def test_a_bad_request_id_is_replaced(client: Client, given: str) -> None:
    response = await client.get("/healthz", headers={"X-Request-Id": given})

    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-Id"])


class BadRequest(NamedTuple):
    method: str
    path: str
    content: dict[str, Any]
    status: int


BAD_REQUESTS = [
    BadRequest("POST", "/api/mgmt/oauthprofiles", {"data": b"{"}, 400),
    BadRequest("POST", "/api/mgmt/oauthprofiles", {"json": {}}, 400),
    BadRequest("POST", "/api/mgmt/oauthprofiles", {"data": b" " * 5000}, 413),
    BadRequest("POST", "/api/mgmt/oauthprofiles?user=", {"json": BODY}, 400),
    BadRequest("GET", "/api/mgmt/oauthapps?tenantId=x", {}, 400),
    BadRequest("GET", "/api/mgmt/oauthapps?tenantId=1&tenantId=2", {}, 400),
    BadRequest("GET", "/api/mgmt/oauthprofiles/x", {}, 404),
    BadRequest("GET", "/api/custom_oauth_profiles?page=0", {}, 400),
    BadRequest("PUT", "/api/connections/1", {"data": b"[]"}, 400),
    BadRequest("DELETE", "/api/custom_oauth_profiles/1?force=perhaps", {}, 400),
]


@pytest.mark.parametrize("bad", BAD_REQUESTS)
async def test_a_bad_request_of_a_known_caller_is_refused_for_what_is_bad(
    client: Client, script: Script, bad: BadRequest
) -> None:
    response = await client.request(bad.method, bad.path, headers=BASIC, **bad.content)

    assert response.status == bad.status
    assert script.methods() == ["WhoAmI"]


@pytest.mark.parametrize("bad", BAD_REQUESTS)
async def test_a_bad_request_of_an_unknown_caller_is_refused_for_the_caller(
    client: Client, script: Script, bad: BadRequest
) -> None:
    script.replies["WhoAmI"] = UNKNOWN_CALLER

    response = await client.request(bad.method, bad.path, headers=BASIC, **bad.content)

    assert response.status == 401


@pytest.mark.parametrize("authorization", ["Basic é", "Bearer \u20ac"])
async def test_credentials_that_are_not_ascii_are_wrong_credentials(
    client: Client, script: Script, authorization: str
) -> None:
    response = await client.get(PROFILE, headers={"Authorization": authorization})

    assert (response.status, script.received) == (401, [])


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
)
async def test_pages_of_other_origins_cannot_write(client: Client, script: Script, site: str, status: int) -> None:
    path = "/api/managed_users/7/custom_oauth_profiles/1/assign"

    response = await client.post(path, headers={**BASIC, "Sec-Fetch-Site": site})

    assert response.status == status
    assert ("CreateProfileLink" in script.methods()) is (status == 200)


async def test_a_body_that_lies_about_its_encoding_is_refused(client: Client) -> None:
    headers = {**BASIC, "Content-Encoding": "gzip"}

    response = await client.post("/api/mgmt/oauthprofiles", data=b"not gzip", headers=headers)

    assert response.status == 400


async def test_a_list_without_paging_is_followed_to_its_end(client: Client, script: Script) -> None:
    script.replies["ListProfiles"] = [
        ListProfilesResponse(profiles=[STORED], next_page_token="second"),
        ListProfilesResponse(profiles=[STORED], next_page_token="third"),
        ListProfilesResponse(profiles=[STORED]),
    ]

    response = await client.get("/api/mgmt/oauthprofiles", headers=BASIC)

    assert len((await response.json())["profiles"]) == 3
    asked = [(call.request.page_token, call.request.page_size) for call in script.received]
    assert asked == [("", 1000), ("second", 1000), ("third", 1000)]


@pytest.mark.parametrize("scope", ["a\r\nSet-Cookie: x=y", "a\u2028b", "a\x00b", "\u00e9", "a" * 9000])
async def test_no_text_gets_out_of_the_status_line(client: Client, script: Script, scope: str) -> None:
    script.replies["RevokeToken"] = RevokeTokenResponse(grant=Grant(user_id=7, scopes=[scope]))

    response = await client.get("/vedauth/revoke/token", headers={"Authorization": "Bearer token"})

    reason = response.reason or ""
    assert response.status == 200
    assert reason.isascii()
    assert reason.isprintable()
    assert len(reason) <= 1024
    assert "Set-Cookie" not in response.headers


async def test_no_repr_of_a_body_shows_a_secret() -> None:
    from gateway.dialects.hdp.bodies import ProfileBody  # noqa: PLC0415 - only here
    from gateway.dialects.workato.bodies import CustomProfileBody  # noqa: PLC0415 - only here

    hdp = msgspec.convert(BODY, ProfileBody)
    data = {"client_id": "c", "client_secret": "s3cret", "token": "s3cret"}
    workato = msgspec.convert({"name": "n", "provider": "slack", "data": data}, CustomProfileBody)

    assert "222d88899966fa" not in repr(hdp)
    assert "s3cret" not in repr(workato)
