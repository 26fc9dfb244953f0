# SPDX-License-Identifier: Apache-2.0
"""Creations that are safe to repeat: the same request id and payload get the first answer again (AIP-155)."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest
from grpc import StatusCode
from sqlalchemy import select

from service.rpc.tables import RequestReplyRow
from service.storage.tables import table_of
from tests.refusals import refusal_of
from tests.service.profiles.desk import CONNECTION, TOKENS, P, Profile, ProfileLink, own

if TYPE_CHECKING:
    from tests.service.profiles.desk import Desk


@pytest.fixture
def request_id() -> str:
    return str(uuid.uuid4())


async def test_the_same_request_gets_the_first_answer_again(desk: Desk, request_id: str) -> None:
    first = await desk.create(own(), request_id=request_id)
    again = await desk.create(own(), request_id=request_id)
    assert again == first
    assert await desk.names() == ["Grant"]
    assert len(await desk.events("profile.create")) == 1


async def test_the_answer_is_the_first_one_whatever_became_of_the_profile(desk: Desk, request_id: str) -> None:
    first = await desk.create(own(), request_id=request_id)
    await desk.update(Profile(id=first.id, name="After"))
    assert await desk.create(own(), request_id=request_id) == first
    await desk.delete(first.id)
    assert await desk.create(own(), request_id=request_id) == first
    assert await desk.names() == []


async def test_an_answer_with_tokens_is_kept_sealed(desk: Desk, request_id: str) -> None:
    wanted = own(access_token="m4rked-token")
    first = await desk.create(wanted, request_id=request_id, view=TOKENS)
    again = await desk.create(wanted, request_id=request_id, view=TOKENS)
    assert again.access_token == first.access_token == "m4rked-token"
    replies = table_of(RequestReplyRow)
    statement = select(replies).where(replies.c.request_id == request_id)
    kept = await desk.almoner.service.store.read(lambda tx: tx.execute(statement).one())
    assert b"m4rked" not in kept.reply + kept.request_digest


async def test_the_same_id_with_another_payload_is_refused(desk: Desk, request_id: str) -> None:
    await desk.create(own(), request_id=request_id)
    refusal = await refusal_of(desk.create(own("Other"), request_id=request_id))
    assert (refusal.code, refusal.reason) == (StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert (refusal.fields, refusal.metadata) == (["request_id"], {"request_id": request_id})
    assert await desk.names() == ["Grant"]


async def test_the_same_id_for_another_subject_is_refused(desk: Desk, request_id: str) -> None:
    first, second = await desk.user(), await desk.user()
    await desk.create(own(), desk.chief.acting_for(first), request_id=request_id)
    refusal = await refusal_of(desk.create(own(), desk.chief.acting_for(second), request_id=request_id))
    assert refusal.reason == "REQUEST_ID_REUSED"


async def test_each_caller_and_each_method_has_ids_of_its_own(desk: Desk, request_id: str) -> None:
    user = await desk.user()
    first = await desk.create(own(), request_id=request_id)
    second = await desk.create(own(), user.by, request_id=request_id)
    reply = await desk.call("CreateProfileLink", link=ProfileLink(kind=CONNECTION), request_id=request_id)
    assert first.id != second.id
    assert reply.link.kind == CONNECTION


async def test_a_uuid_is_the_same_in_capitals(desk: Desk, request_id: str) -> None:
    first = await desk.create(own(), request_id=request_id)
    assert await desk.create(own(), request_id=request_id.upper()) == first


async def test_a_refused_request_leaves_its_id_free(desk: Desk, request_id: str) -> None:
    await refusal_of(desk.create(Profile(name="n", application_number=2**40), request_id=request_id))
    assert (await desk.create(own(), request_id=request_id)).name == "Grant"


async def test_an_answer_is_only_for_who_may_still_ask(desk: Desk, request_id: str) -> None:
    """A caller who lost the permission meanwhile gets the answer that was theirs, and nobody else does."""
    writer, other = await desk.person(P.PROFILES_CREATE), await desk.person(P.PROFILES_CREATE)
    first = await desk.create(own(), writer.by, request_id=request_id)
    assert (await desk.create(own(), other.by, request_id=request_id)).id != first.id


async def test_of_many_repetitions_at_once_one_creates(desk: Desk, request_id: str) -> None:
    made = await asyncio.gather(*(desk.create(own(), request_id=request_id) for _ in range(8)))
    assert {profile.id for profile in made} == {made[0].id}
    assert await desk.names() == ["Grant"]


async def test_links_can_be_repeated_too(desk: Desk, request_id: str) -> None:
    link = ProfileLink(kind=CONNECTION, external_id="503")
    first = await desk.call("CreateProfileLink", link=link, request_id=request_id)
    again = await desk.call("CreateProfileLink", link=link, request_id=request_id)
    assert again == first
    refusal = await refusal_of(desk.call("CreateProfileLink", link=ProfileLink(kind=CONNECTION), request_id=request_id))
    assert refusal.reason == "REQUEST_ID_REUSED"
