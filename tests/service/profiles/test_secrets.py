# SPDX-License-Identifier: Apache-2.0
"""Who gets the tokens of a profile to see, and that nobody does without a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from almoner.v1 import profile_pb2
from tests.refusals import refusal_of
from tests.service.profiles.desk import BASIC, TOKENS, Credentials, P, Profile, own

if TYPE_CHECKING:
    from tests.service.profiles.desk import Desk

MARK = "m4rked"
MARKED = own(
    client=Credentials(client_id="our-id", client_secret=f"{MARK}-client"),
    access_token=f"{MARK}-access",
    refresh_token=f"{MARK}-refresh",
    verification_token=f"{MARK}-verification",
)


@pytest.mark.parametrize("view", [None, profile_pb2.PROFILE_VIEW_UNSPECIFIED, BASIC])
async def test_no_other_view_has_a_secret(desk: Desk, view: Any) -> None:
    made = await desk.create(MARKED, view=view)
    updated = await desk.update(Profile(id=made.id, name="After"), view=view)
    read = await desk.get(made.id, view=view)
    page = await desk.page()
    link = await desk.link(profile=made)
    assert MARK not in "".join(str(message) for message in (made, updated, read, page, link))
    assert await desk.events("profile.reveal") == []


async def test_the_view_of_tokens_has_the_tokens_and_nothing_else(desk: Desk) -> None:
    made = await desk.create(MARKED)
    read = await desk.get(made.id, view=TOKENS)
    assert (read.access_token, read.refresh_token) == (f"{MARK}-access", f"{MARK}-refresh")
    assert read.verification_token == ""
    assert read.client.client_secret == ""
    read.access_token, read.refresh_token = "", ""
    assert read == made


async def test_tokens_that_are_not_there_are_empty(desk: Desk) -> None:
    made = await desk.create(own())
    read = await desk.get(made.id, view=TOKENS)
    assert (read.access_token, read.refresh_token) == ("", "")


async def test_creation_and_update_can_answer_with_the_tokens(desk: Desk) -> None:
    made = await desk.create(MARKED, view=TOKENS)
    assert made.refresh_token == f"{MARK}-refresh"
    updated = await desk.update(Profile(id=made.id, access_token="new"), view=TOKENS)
    assert (updated.access_token, updated.refresh_token) == ("new", f"{MARK}-refresh")
    assert len(await desk.events("profile.reveal")) == 2


async def test_every_look_at_the_tokens_is_audited(desk: Desk) -> None:
    made = await desk.create(MARKED)
    keeper = await desk.person(P.PROFILES_GET, P.PROFILES_REVEAL, P.PROFILES_ALL)
    for _ in range(2):
        await desk.get(made.id, keeper.by, view=TOKENS)
    events = await desk.events("profile.reveal")
    assert [(event.actor, event.resource, event.changes) for event in events] == [
        (keeper.username, f"profiles/{made.id}", {})
    ] * 2


async def test_a_look_changes_neither_etag_nor_time(desk: Desk) -> None:
    made = await desk.create(MARKED)
    read = await desk.get(made.id, view=TOKENS)
    assert (read.etag, read.update_time) == (made.etag, made.update_time)


async def test_who_may_not_look_is_refused_and_nothing_is_recorded(desk: Desk) -> None:
    made = await desk.create(MARKED)
    reader = await desk.person(P.PROFILES_GET, P.PROFILES_ALL)
    assert (await desk.get(made.id, reader.by)).id == made.id
    refusal = await refusal_of(desk.get(made.id, reader.by, view=TOKENS))
    assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING")
    assert refusal.metadata == {"permission": "PROFILES_REVEAL"}
    assert await desk.events("profile.reveal") == []


async def test_who_may_not_look_creates_and_changes_nothing_with_that_view(desk: Desk) -> None:
    writer = await desk.person(P.PROFILES_CREATE, P.PROFILES_UPDATE, P.PROFILES_LIST)
    refusal = await refusal_of(desk.create(MARKED, writer.by, view=TOKENS))
    assert refusal.metadata == {"permission": "PROFILES_REVEAL"}
    assert await desk.names() == []

    made = await desk.create(MARKED, writer.by)
    refusal = await refusal_of(desk.update(Profile(id=made.id, name="After"), by=writer.by, view=TOKENS))
    assert refusal.metadata == {"permission": "PROFILES_REVEAL"}
    assert await desk.get(made.id) == made


async def test_secrets_stay_when_other_members_change(desk: Desk) -> None:
    made = await desk.create(MARKED)
    before = await desk.row(made)
    await desk.update(Profile(id=made.id, name="After"))
    after = await desk.row(made)
    for column in ("client_secret", "access_token", "refresh_token", "verification_token"):
        assert getattr(after, column) == getattr(before, column)


async def test_a_secret_sealed_for_one_profile_does_not_open_in_another(desk: Desk) -> None:
    first, second = await desk.create(MARKED), await desk.create(own(access_token="other"))
    stolen = (await desk.row(first)).access_token
    await desk.put(second, access_token=stolen)
    refusal = await refusal_of(desk.get(second.id, view=TOKENS))
    assert (refusal.code, refusal.reason) == (StatusCode.INTERNAL, "INTERNAL")
    assert await desk.events("profile.reveal") == []
