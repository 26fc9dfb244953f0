# SPDX-License-Identifier: Apache-2.0
"""The life of an HDP profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from msgspec import UNSET

from almoner.v1 import directory_pb2 as pb
from almoner.v1 import profile_pb2, profile_service_pb2, profile_service_pb2_grpc
from tests.rest import PROFILES, profile_body

if TYPE_CHECKING:
    from tests.rest import Member, Rest, Tenant

USER_ROLE = 2
TENANT_ADMINISTRATOR = 3


class World(NamedTuple):
    """A tenant with an application and a member who keeps profiles."""

    tenant: Tenant
    application: int
    ann: Member


@pytest.fixture
async def world(rest_over: Rest) -> World:
    tenant = await rest_over.tenant()
    return World(tenant, await rest_over.application(tenant), await rest_over.member(tenant, roles=(USER_ROLE,)))


async def link(rest: Rest, by: Member, profile: int, kind: profile_pb2.LinkKind.ValueType, external_id: str) -> int:
    message = profile_pb2.ProfileLink(kind=kind, profile_id=profile, external_id=external_id, name=f"n{external_id}")
    stub = rest.almoner.stub(profile_service_pb2_grpc.ProfileServiceStub)
    reply = await stub.CreateProfileLink(
        profile_service_pb2.CreateProfileLinkRequest(link=message), metadata=by.metadata
    )
    return int(reply.link.id)


async def test_a_profile_is_made_read_replaced_and_deleted(rest_over: Rest, world: World) -> None:
    body = profile_body(world.application, description="first", accessToken="a1")
    created = await rest_over.post(PROFILES, body, by=world.ann)
    path = created.headers["Location"]
    assert (created.status, created.json()) == (201, {"id": int(path.rpartition("/")[2]), **body})

    read = await rest_over.get(path, by=world.ann)
    assert (read.status, read.json(), read.etag) == (200, created.json(), created.etag)

    replaced = await rest_over.put(path, profile_body(world.application, name="Second"), by=world.ann)
    assert replaced.status == 200
    assert replaced.json() == {**read.json(), "name": "Second", "description": "", "accessToken": ""}
    assert (await rest_over.get(path, by=world.ann)).json() == replaced.json()

    deleted = await rest_over.delete(path, by=world.ann)
    assert (deleted.status, deleted.content) == (204, b"")
    gone = await rest_over.get(path, by=world.ann)
    assert (gone.status, gone.code, gone.text) == (404, 222207710, f"Invalid OAuthProfileId: {created.json()['id']}")


async def test_ids_are_strings_in_the_list_and_integers_elsewhere(rest_over: Rest, world: World) -> None:
    number = await rest_over.profile(world.application, by=world.ann)

    listed = (await rest_over.get(PROFILES, by=world.ann)).json()["profiles"]

    assert [element["id"] for element in listed] == [str(number)]
    assert (await rest_over.get(f"{PROFILES}/{number}", by=world.ann)).json()["id"] == number


async def test_the_list_has_the_uris_of_the_application_and_no_secret(rest_over: Rest, world: World) -> None:
    uris = {"authorizeURI": "https://as.example/authorize", "tokenURI": "https://as.example/token", "scope": "a b"}
    application = await rest_over.application(world.tenant, **uris)
    number = await rest_over.profile(application, by=world.ann, description="text")

    (element,) = (await rest_over.get(PROFILES, by=world.ann)).json()["profiles"]

    assert element == {"id": str(number), "name": "Profile_1", "description": "text", **uris}


async def test_a_list_longer_than_a_page_of_the_service_is_whole(rest_over: Rest, world: World) -> None:
    numbers = [await rest_over.profile(world.application, by=world.ann) for _ in range(3)]
    stub = rest_over.almoner.stub(profile_service_pb2_grpc.ProfileServiceStub)
    page = await stub.ListProfiles(profile_service_pb2.ListProfilesRequest(page_size=2), metadata=world.ann.metadata)
    assert (len(page.profiles), bool(page.next_page_token)) == (2, True)

    listed = (await rest_over.get(PROFILES, by=world.ann)).json()["profiles"]

    assert [int(element["id"]) for element in listed] == numbers


async def test_one_sees_what_one_owns_and_administrators_of_the_tenant_see_all_of_it(
    rest_over: Rest, world: World
) -> None:
    number = await rest_over.profile(world.application, by=world.ann)
    other = await rest_over.member(world.tenant, roles=(USER_ROLE,))
    chief = await rest_over.member(world.tenant, roles=(TENANT_ADMINISTRATOR,))
    path = f"{PROFILES}/{number}"

    for method in ("GET", "PUT", "DELETE"):
        body = profile_body(world.application) if method == "PUT" else UNSET
        answer = await rest_over.send(method, path, by=other, json=body)
        assert (answer.status, answer.code) == (404, 222207710)
    assert (await rest_over.get(PROFILES, by=other)).json() == {"profiles": []}
    assert (await rest_over.get(path, by=chief)).status == 200
    assert len((await rest_over.get(PROFILES, by=chief)).json()["profiles"]) == 1


@pytest.mark.parametrize(
    ("operation", "number"),
    [("GET .", 2), ("POST .", 1), ("GET /{id}", 2), ("PUT /{id}", 3), ("DELETE /{id}", 4)],
)
@pytest.mark.parametrize("lacks", ["the permission", "MgmtAPI"])
async def test_each_operation_takes_the_documented_permissions(
    rest_over: Rest, world: World, operation: str, number: int, lacks: str
) -> None:
    by_number = {
        1: [pb.PERMISSION_PROFILES_CREATE],
        2: [pb.PERMISSION_PROFILES_LIST, pb.PERMISSION_PROFILES_GET, pb.PERMISSION_PROFILES_REVEAL],
        3: [pb.PERMISSION_PROFILES_UPDATE],
        4: [pb.PERMISSION_PROFILES_DELETE],
    }
    held = [each for key, each in by_number.items() if key != number or lacks == "MgmtAPI"]
    permissions = [permission for each in held for permission in each] + [pb.PERMISSION_PROFILES_ALL]
    if lacks != "MgmtAPI":
        permissions.append(pb.PERMISSION_MANAGEMENT_API)
    bob = await rest_over.member(world.tenant, *permissions)
    profile = await rest_over.profile(world.application, by=world.ann)
    before = (await rest_over.get(PROFILES, by=world.ann)).json()

    method, path = operation.format(id=profile).split()
    body = profile_body(world.application, name="Other") if method in {"POST", "PUT"} else UNSET
    answer = await rest_over.send(method, PROFILES + path.lstrip("."), by=bob, json=body)

    assert (answer.status, answer.code) == (403, 222200403)
    assert (await rest_over.get(PROFILES, by=world.ann)).json() == before


async def test_writing_needs_no_right_to_read(rest_over: Rest, world: World) -> None:
    writer = await rest_over.member(
        world.tenant, pb.PERMISSION_MANAGEMENT_API, pb.PERMISSION_PROFILES_CREATE, pb.PERMISSION_PROFILES_UPDATE
    )

    created = await rest_over.post(PROFILES, profile_body(world.application), by=writer)
    replaced = await rest_over.put(created.headers["Location"], profile_body(world.application), by=writer)

    assert (created.status, replaced.status) == (201, 200)
    assert (await rest_over.get(created.headers["Location"], by=writer)).status == 403


async def test_statistics_count_the_data_sources_that_use_the_profile(rest_over: Rest, world: World) -> None:
    number = await rest_over.profile(world.application, by=world.ann)
    await link(rest_over, world.ann, number, profile_pb2.LINK_KIND_DATA_SOURCE, "503")
    await link(rest_over, world.ann, number, profile_pb2.LINK_KIND_DATA_SOURCE, "611")
    await link(rest_over, world.ann, number, profile_pb2.LINK_KIND_CONNECTION, "7")

    answer = await rest_over.get(f"{PROFILES}/{number}/stats", by=world.ann)

    assert answer.json() == {
        "dataSourcesLinked": 2,
        "dataStoreId": 54,
        "dataSources": [
            {"id": "503", "name": "n503", "description": ""},
            {"id": "611", "name": "n611", "description": ""},
        ],
    }


async def test_a_profile_in_use_is_deleted_and_its_references_with_it(rest_over: Rest, world: World) -> None:
    number = await rest_over.profile(world.application, by=world.ann)
    data_source = await link(rest_over, world.ann, number, profile_pb2.LINK_KIND_DATA_SOURCE, "503")

    assert (await rest_over.delete(f"{PROFILES}/{number}", by=world.ann)).status == 204

    stub = rest_over.almoner.stub(profile_service_pb2_grpc.ProfileServiceStub)
    request = profile_service_pb2.GetProfileLinkRequest(id=data_source)
    reply = await stub.GetProfileLink(request, metadata=world.ann.metadata)
    assert reply.link.profile_id == 0


async def test_ids_are_never_given_out_again(rest_over: Rest, world: World) -> None:
    first = await rest_over.profile(world.application, by=world.ann)
    await rest_over.delete(f"{PROFILES}/{first}", by=world.ann)

    assert await rest_over.profile(world.application, by=world.ann) > first
