# SPDX-License-Identifier: Apache-2.0
"""Requests that are safe to repeat (AIP-155): the same id and payload get the first answer again."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from almoner.v1 import (
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
    directory_pb2,
    directory_service_pb2,
    profile_pb2,
    profile_service_pb2,
    profile_service_pb2_grpc,
)
from tests.refusals import refusal_of

if TYPE_CHECKING:
    from tests.rest import Member, Rest

USER_ROLE = 2
UUID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"


@pytest.fixture
async def ann(rest_over: Rest) -> Member:
    return await rest_over.member(await rest_over.tenant(), roles=(USER_ROLE,))


def request_of(request_id: str, **members: Any) -> profile_service_pb2.CreateProfileRequest:
    client = profile_pb2.ClientCredentials(client_id="c", client_secret="s3cret")
    profile = profile_pb2.Profile(**{"name": "P", "provider": "hubspot", "client": client, **members})
    return profile_service_pb2.CreateProfileRequest(profile=profile, request_id=request_id)


async def create(rest: Rest, by: Member, request_id: str, **members: Any) -> profile_pb2.Profile:
    stub = rest.almoner.stub(profile_service_pb2_grpc.ProfileServiceStub)
    reply = await stub.CreateProfile(request_of(request_id, **members), metadata=by.metadata)
    assert isinstance(reply.profile, profile_pb2.Profile)
    return reply.profile


async def count(rest: Rest, by: Member) -> int:
    stub = rest.almoner.stub(profile_service_pb2_grpc.ProfileServiceStub)
    return len((await stub.ListProfiles(profile_service_pb2.ListProfilesRequest(), metadata=by.metadata)).profiles)


async def test_the_first_answer_comes_again(rest_over: Rest, ann: Member) -> None:
    request_id = str(uuid.uuid4())

    first = await create(rest_over, ann, request_id)

    assert await create(rest_over, ann, request_id) == first
    assert await create(rest_over, ann, request_id.upper()) == first
    assert await count(rest_over, ann) == 1


async def test_also_when_what_it_made_is_gone(rest_over: Rest, ann: Member) -> None:
    request_id = str(uuid.uuid4())
    first = await create(rest_over, ann, request_id)
    stub = rest_over.almoner.stub(profile_service_pb2_grpc.ProfileServiceStub)
    await stub.DeleteProfile(profile_service_pb2.DeleteProfileRequest(id=first.id), metadata=ann.metadata)

    assert await create(rest_over, ann, request_id) == first
    assert await count(rest_over, ann) == 0


@pytest.mark.parametrize(
    "members",
    [{"name": "Q"}, {"description": "d"}, {"client": profile_pb2.ClientCredentials(client_id="c", client_secret="t")}],
)
async def test_with_another_payload_it_is_refused(rest_over: Rest, ann: Member, members: dict[str, Any]) -> None:
    request_id = str(uuid.uuid4())
    await create(rest_over, ann, request_id)

    refusal = await refusal_of(create(rest_over, ann, request_id, **members))

    assert (refusal.code.name, refusal.reason, refusal.fields) == (
        "ALREADY_EXISTS",
        "REQUEST_ID_REUSED",
        ["request_id"],
    )
    assert await count(rest_over, ann) == 1


async def test_ids_are_each_callers_own(rest_over: Rest, ann: Member) -> None:
    request_id = str(uuid.uuid4())
    bob = await rest_over.member(await rest_over.tenant(), roles=(USER_ROLE,))

    assert (await create(rest_over, ann, request_id)).id != (await create(rest_over, bob, request_id)).id


async def test_callers_at_the_same_time_get_one_answer(rest_over: Rest, ann: Member) -> None:
    request_id = str(uuid.uuid4())

    profiles = await asyncio.gather(*(create(rest_over, ann, request_id) for _ in range(6)))

    assert {profile.id for profile in profiles} == {profiles[0].id}
    assert await count(rest_over, ann) == 1


async def test_a_refused_request_is_not_remembered(rest_over: Rest, ann: Member) -> None:
    request_id = str(uuid.uuid4())
    await refusal_of(create(rest_over, ann, request_id, name=""))

    assert (await create(rest_over, ann, request_id)).id > 0


async def test_without_an_id_every_request_is_a_new_one(rest_over: Rest, ann: Member) -> None:
    assert (await create(rest_over, ann, "")).id != (await create(rest_over, ann, "")).id


@pytest.mark.parametrize("request_id", ["x", "1", f"{{{UUID}}}", f"urn:uuid:{UUID}", UUID + "0"])
async def test_an_id_is_a_uuid(rest_over: Rest, ann: Member, request_id: str) -> None:
    refusal = await refusal_of(create(rest_over, ann, request_id))

    assert (refusal.code.name, refusal.fields) == ("INVALID_ARGUMENT", ["request_id"])


async def test_a_generated_secret_is_told_again_and_is_the_same(rest_over: Rest) -> None:
    almoner, request_id = rest_over.almoner, str(uuid.uuid4())
    applications: Any = almoner.stub(application_service_pb2_grpc.ApplicationServiceStub)
    application = application_pb2.Application(name="A", client=application_pb2.ClientApplication())
    token = directory_pb2.ApiToken(name="T")

    made = [
        await applications.CreateApplication(
            application_service_pb2.CreateApplicationRequest(application=application, request_id=request_id),
            metadata=almoner.as_admin_token,
        )
        for _ in range(2)
    ]
    tokens = [
        await almoner.directory.CreateApiToken(
            directory_service_pb2.CreateApiTokenRequest(api_token=token, request_id=request_id),
            metadata=almoner.as_admin_token,
        )
        for _ in range(2)
    ]

    assert made[0].client_secret
    assert made[0] == made[1]
    assert tokens[0].token
    assert tokens[0] == tokens[1]
