# SPDX-License-Identifier: Apache-2.0
"""A new secret, and how long those of before go on being valid: at the edges of time."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from service.applications.rotation import MOST_VALID
from service.clock import DAY, HOUR, SECOND
from tests.refusals import refusal_of
from tests.service.grants.tokens.counter import micros

if TYPE_CHECKING:
    from tests.service.applications.vault import Vault

CHOSEN = "chosen 1 for the first time"
OTHER = "chosen 2 for the second time"


@pytest.mark.parametrize("new", ["", OTHER], ids=["to a generated one", "to a chosen one"])
@pytest.mark.parametrize("old", ["", CHOSEN], ids=["from a generated one", "from a chosen one"])
async def test_both_secrets_are_good_until_the_old_one_ends(vault: Vault, old: str, new: str) -> None:
    held = await vault.client(old)
    reply = await vault.rotate(held.id, HOUR, client_secret=new)
    fresh = new or reply.client_secret
    assert (reply.secret.generated, bool(reply.client_secret)) == (not new, not new)
    for _ in range(2):
        assert await vault.lets_in(held.id, held.secret)
        assert await vault.lets_in(held.id, fresh)
        vault.time.pass_by(HOUR // 2 - 1)
    vault.time.pass_by(1)
    assert await vault.lets_in(held.id, held.secret)
    vault.time.pass_by(1)
    assert not await vault.lets_in(held.id, held.secret)
    vault.time.pass_by(1)
    assert not await vault.lets_in(held.id, held.secret)
    vault.time.pass_by(400 * DAY)
    assert await vault.lets_in(held.id, fresh)


@pytest.mark.parametrize(
    ("of_application", "of_call", "expected"),
    [
        (None, None, 2 * DAY),
        (HOUR, None, HOUR),
        (0, None, 0),
        (HOUR, SECOND, SECOND),
        (0, SECOND, SECOND),
        (HOUR, 0, 0),
        (None, 0, 0),
    ],
)
async def test_the_call_says_how_long_or_else_the_application_or_else_the_server(
    vault: Vault, of_application: int | None, of_call: int | None, expected: int
) -> None:
    lifetime = None if of_application is None else Duration(seconds=of_application // SECOND)
    held = await vault.client(secret_rotation_lifetime=lifetime)
    await vault.rotate(held.id, of_call)
    if expected:
        vault.time.pass_by(expected - 1)
        assert await vault.lets_in(held.id, held.secret)
        vault.time.pass_by(1)
    assert not await vault.lets_in(held.id, held.secret)


async def test_an_end_that_is_nearer_stays(vault: Vault) -> None:
    held = await vault.client()
    ends = vault.time.now + HOUR
    second = await vault.rotate(held.id, HOUR)
    third = await vault.rotate(held.id, DAY)
    _, of_second, of_first = await vault.valid(held.id)
    assert micros(of_first.expire_time) == ends
    assert micros(of_second.expire_time) == vault.time.now + DAY
    vault.time.pass_by(HOUR)
    assert not await vault.lets_in(held.id, held.secret)
    assert await vault.lets_in(held.id, second.client_secret)
    assert await vault.lets_in(held.id, third.client_secret)


async def test_an_end_that_is_farther_comes_nearer(vault: Vault) -> None:
    held = await vault.client()
    second = await vault.rotate(held.id, DAY)
    await vault.rotate(held.id, HOUR)
    vault.time.pass_by(HOUR)
    assert not await vault.lets_in(held.id, held.secret)
    assert not await vault.lets_in(held.id, second.client_secret)


async def test_what_has_ended_does_not_come_back(vault: Vault) -> None:
    held = await vault.client()
    await vault.rotate(held.id, 0)
    await vault.rotate(held.id, DAY)
    assert not await vault.lets_in(held.id, held.secret)


async def test_a_public_client_becomes_a_confidential_one(vault: Vault) -> None:
    held = await vault.client(public=True)
    assert await vault.lets_in(held.id, "")
    reply = await vault.rotate(held.id, HOUR)
    assert not await vault.lets_in(held.id, "")
    assert not await vault.lets_in(held.id, "anything")
    assert await vault.lets_in(held.id, reply.client_secret)


async def test_a_rotation_repeated_has_the_same_secret_for_an_answer(vault: Vault) -> None:
    held = await vault.client()
    request_id = str(uuid.uuid4())
    first = await vault.rotate(held.id, request_id=request_id)
    assert await vault.rotate(held.id, request_id=request_id) == first
    assert len(await vault.valid(held.id)) == 2
    refusal = await refusal_of(vault.rotate(held.id, 0, request_id=request_id))
    assert (refusal.code, refusal.reason) == (StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_a_rotation_makes_a_new_revision(vault: Vault) -> None:
    held = await vault.client()
    vault.time.pass_by(HOUR)
    await vault.rotate(held.id, etag='"1"')
    after = await vault.get(id=held.id)
    assert after.etag == '"2"'
    assert micros(after.update_time) == vault.time.now
    refusal = await refusal_of(vault.rotate(held.id, etag='"1"'))
    assert (refusal.code, refusal.reason, refusal.metadata) == (StatusCode.ABORTED, "ETAG_MISMATCH", {"etag": '"2"'})
    assert len(await vault.valid(held.id)) == 2


async def test_there_are_so_many_valid_secrets_and_no_more(vault: Vault) -> None:
    held = await vault.client()
    for _ in range(MOST_VALID - 1):
        await vault.rotate(held.id, HOUR)
    for call in (vault.rotate(held.id, HOUR), vault.rotate_own(held.id, held.secret, HOUR)):
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "SECRET_LIMIT")
        assert refusal.metadata == {"limit": "50"}
    vault.time.pass_by(HOUR)
    await vault.rotate(held.id, HOUR)
    assert len(await vault.valid(held.id)) == 2


async def test_where_nothing_of_before_stays_the_limit_does_not_matter(vault: Vault) -> None:
    held = await vault.client()
    for _ in range(MOST_VALID - 1):
        await vault.rotate(held.id, HOUR)
    await vault.rotate(held.id, 0)
    assert len(await vault.valid(held.id)) == 1


async def test_a_rotation_is_audited_without_secrets(vault: Vault) -> None:
    held = await vault.client()
    first = await vault.rotate(held.id, HOUR)
    second = await vault.rotate(held.id, 0, client_secret=CHOSEN)
    (oldest,) = {row.id for row in await vault.secrets(held.application)} - {first.secret.id, second.secret.id}
    events = await vault.events("application.rotate_secret")
    assert [(event.actor, event.resource, event.organization) for event in events] == [
        ("admin", f"applications/{held.application.number}", 1)
    ] * 2
    assert [event.changes for event in events] == [
        {
            "secret_id": first.secret.id,
            "secret": "generated",
            "previous_secrets": [oldest],
            "previous_expire_by": vault.time.now + HOUR,
        },
        {
            "secret_id": second.secret.id,
            "secret": "chosen",
            "previous_secrets": [first.secret.id, oldest],
            "previous_expire_by": vault.time.now,
        },
    ]
    assert not any(secret in str(events) for secret in (held.secret, first.client_secret, CHOSEN))


class TestByTheClientItself:
    """RotateOwnSecret: the present secret is all that it takes."""

    @pytest.mark.parametrize("new", ["", OTHER])
    @pytest.mark.parametrize("old", ["", CHOSEN])
    async def test_a_client_gives_itself_a_new_secret(self, vault: Vault, old: str, new: str) -> None:
        held = await vault.client(old)
        reply = await vault.rotate_own(held.id, held.secret, HOUR, new)
        fresh = new or reply.client_secret
        assert (reply.secret.generated, bool(reply.client_secret)) == (not new, not new)
        assert await vault.lets_in(held.id, fresh)
        vault.time.pass_by(HOUR - 1)
        assert await vault.lets_in(held.id, held.secret)
        vault.time.pass_by(1)
        assert not await vault.lets_in(held.id, held.secret)
        assert await vault.lets_in(held.id, fresh)

    async def test_it_is_the_author(self, vault: Vault) -> None:
        held = await vault.client()
        reply = await vault.rotate_own(held.id, held.secret)
        (event,) = await vault.events("application.rotate_secret")
        number = held.application.number
        assert (event.actor, event.resource) == (f"client:{number}", f"applications/{number}")
        assert event.changes["secret_id"] == reply.secret.id
        assert (await vault.get(id=held.id)).etag == '"2"'

    async def test_another_secret_is_no_credential(self, vault: Vault) -> None:
        held, other = await vault.client(), await vault.client()
        for client_id, secret in ((held.id, other.secret), (held.id, ""), ("unknown", held.secret)):
            refusal = await refusal_of(vault.rotate_own(client_id, secret))
            assert (refusal.code, refusal.reason) == (StatusCode.UNAUTHENTICATED, "CLIENT_INVALID")
        assert len(await vault.valid(held.id)) == 1

    @pytest.mark.parametrize("secret", ["", "anything"])
    async def test_a_public_client_stays_one(self, vault: Vault, secret: str) -> None:
        held = await vault.client(public=True)
        refusal = await refusal_of(vault.rotate_own(held.id, secret))
        assert (refusal.code, refusal.reason) == (StatusCode.UNAUTHENTICATED, "CLIENT_INVALID")
        assert await vault.lets_in(held.id, "")

    async def test_a_secret_that_has_ended_is_no_credential(self, vault: Vault) -> None:
        held = await vault.client()
        await vault.rotate(held.id, HOUR)
        vault.time.pass_by(HOUR - 1)
        await vault.rotate_own(held.id, held.secret, DAY)
        vault.time.pass_by(1)
        assert (await refusal_of(vault.rotate_own(held.id, held.secret))).reason == "CLIENT_INVALID"

    async def test_only_the_owner_may_where_the_application_says_so(self, vault: Vault) -> None:
        held = await vault.client(owner_only_secret_rotation=True)
        refusal = await refusal_of(vault.rotate_own(held.id, held.secret))
        assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "SECRET_ROTATION_REFUSED")
        wrong = await refusal_of(vault.rotate_own(held.id, "wrong"))
        assert wrong.reason == "CLIENT_INVALID"
        assert len(await vault.valid(held.id)) == 1
        await vault.rotate(held.id)
        assert len(await vault.valid(held.id)) == 2

    async def test_no_caller_is_needed_and_a_stale_one_does_not_matter(self, vault: Vault) -> None:
        held = await vault.client()
        await vault.rotate_own(held.id, held.secret)
        assert len(await vault.valid(held.id)) == 2
