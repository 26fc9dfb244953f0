# SPDX-License-Identifier: Apache-2.0
"""The secrets of a client application: listed, ended, replaced, and by whom."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from almoner.v1 import application_pb2, application_service_pb2
from service.access.permissions import Permission
from service.clock import HOUR
from tests.refusals import refusal_of
from tests.service.applications.registry import Application, client, permissions, provider
from tests.service.applications.test_permissions import DENIED, HIDDEN, OK, named, outcome_of
from tests.service.grants.tokens.counter import micros

if TYPE_CHECKING:
    from tests.running import Metadata
    from tests.service.applications.vault import Vault

A = application_service_pb2
CHOSEN = "chosen by somebody"
VIEW, MANAGE = Permission.APPLICATIONS_VIEW, Permission.APPLICATIONS_MANAGE
UPDATE, ADMINISTRATOR = Permission.APPLICATIONS_UPDATE, Permission.ADMINISTRATOR


async def test_valid_secrets_are_listed_the_newest_first_without_values(vault: Vault) -> None:
    held = await vault.client()
    made = vault.time.now
    vault.time.pass_by(HOUR)
    reply = await vault.rotate(held.id, HOUR, client_secret=CHOSEN)
    newest, oldest = await vault.valid(held.id)
    assert newest == reply.secret
    assert (newest.generated, oldest.generated) == (False, True)
    assert (micros(newest.create_time), micros(oldest.create_time)) == (vault.time.now, made)
    assert not newest.HasField("expire_time")
    assert micros(oldest.expire_time) == vault.time.now + HOUR
    assert not oldest.HasField("last_use_time")
    assert held.secret not in str((newest, oldest))


async def test_what_has_ended_is_not_listed(vault: Vault) -> None:
    held = await vault.client()
    await vault.rotate(held.id, HOUR)
    vault.time.pass_by(HOUR - 1)
    assert len(await vault.valid(held.id)) == 2
    vault.time.pass_by(1)
    assert len(await vault.valid(held.id)) == 1


async def test_a_public_client_has_none(vault: Vault) -> None:
    held = await vault.client(public=True)
    assert await vault.valid(held.id) == []
    assert await vault.end(held.id) is None


@pytest.mark.parametrize("secret", ["", CHOSEN])
async def test_a_secret_that_is_revoked_is_good_for_nothing(vault: Vault, secret: str) -> None:
    held = await vault.client(secret)
    other = await vault.rotate(held.id, HOUR)
    assert await vault.lets_in(held.id, held.secret)
    _, oldest = await vault.valid(held.id)
    await vault.revoke(held.id, oldest.id)
    assert not await vault.lets_in(held.id, held.secret)
    assert await vault.lets_in(held.id, other.client_secret)


async def test_who_has_no_secret_left_is_not_public(vault: Vault) -> None:
    held = await vault.client()
    (only,) = await vault.valid(held.id)
    await vault.revoke(held.id, only.id)
    assert await vault.valid(held.id) == []
    for presented in ("", held.secret, "anything"):
        assert not await vault.lets_in(held.id, presented)
    another = await vault.rotate(held.id)
    assert await vault.lets_in(held.id, another.client_secret)
    assert not await vault.lets_in(held.id, held.secret)


async def test_only_a_valid_secret_of_this_application_can_be_revoked(vault: Vault) -> None:
    held, other = await vault.client(), await vault.client()
    (only,) = await vault.valid(held.id)
    await vault.rotate(held.id, 0)
    (of_other,) = await vault.valid(other.id)
    for secret_id in (only.id, of_other.id, 4711):
        refusal = await refusal_of(vault.revoke(held.id, secret_id))
        assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "SECRET_NOT_FOUND")
        assert refusal.metadata == {"id": str(secret_id)}
    assert await vault.lets_in(other.id, other.secret)


async def test_a_rotation_ends_with_the_newest(vault: Vault) -> None:
    held = await vault.client()
    second = await vault.rotate(held.id, HOUR)
    third = await vault.rotate(held.id, HOUR)
    left = await vault.end(held.id)
    assert left.id == third.secret.id
    assert await vault.valid(held.id) == [left]
    assert not await vault.lets_in(held.id, held.secret)
    assert not await vault.lets_in(held.id, second.client_secret)
    assert await vault.lets_in(held.id, third.client_secret)


async def test_to_end_a_rotation_that_is_over_changes_nothing(vault: Vault) -> None:
    held = await vault.client()
    (only,) = await vault.valid(held.id)
    assert await vault.end(held.id) == only
    assert (await vault.get(id=held.id)).etag == '"1"'
    assert await vault.events("application.end_rotation") == []


async def test_changes_make_new_revisions_and_are_audited(vault: Vault) -> None:
    held = await vault.client()
    second = await vault.rotate(held.id, HOUR, etag='"1"')
    third = await vault.rotate(held.id, HOUR, etag='"2"')
    fourth = await vault.rotate(held.id, HOUR, etag='"3"')
    *_, oldest = await vault.valid(held.id)
    for stale in (vault.revoke(held.id, third.secret.id, etag='"3"'), vault.end(held.id, etag='"3"')):
        assert (await refusal_of(stale)).reason == "ETAG_MISMATCH"
    await vault.revoke(held.id, third.secret.id, etag='"4"')
    await vault.end(held.id, etag='"5"')
    assert (await vault.get(id=held.id)).etag == '"6"'
    (revoked,) = await vault.events("application.revoke_secret")
    assert revoked.changes == {"secret_id": third.secret.id}
    (ended,) = await vault.events("application.end_rotation")
    assert ended.changes == {"secret_id": fourth.secret.id, "ended_secrets": [second.secret.id, oldest.id]}
    assert ended.resource == revoked.resource == f"applications/{held.application.number}"


async def test_of_changes_at_once_with_one_etag_one_wins(vault: Vault) -> None:
    held = await vault.client()
    results = await asyncio.gather(*(vault.rotate(held.id, HOUR, etag='"1"') for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(result, BaseException) for result in results) == 5
    assert len(await vault.valid(held.id)) == 2


def calls(vault: Vault, application_id: str, by: Metadata | None = None) -> dict[str, Any]:
    return {
        "list": vault.valid(application_id, by),
        "rotate": vault.rotate(application_id, by=by),
        "revoke": vault.revoke(application_id, 4711, by),
        "end": vault.end(application_id, by),
        "choose": vault.choose(application_id, CHOSEN, by),
    }


async def test_a_registration_at_a_provider_has_none_of_these(vault: Vault) -> None:
    registration = await vault.add(provider())
    for call in calls(vault, registration.id).values():
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "WRONG_KIND")
        assert refusal.metadata["kind"] == "provider" or refusal.metadata["id"] == registration.id
    assert (await vault.get(id=registration.id)) == registration


async def test_an_application_that_is_not_there_has_none(vault: Vault) -> None:
    for call in calls(vault, "unknown").values():
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "APPLICATION_NOT_FOUND")
        assert refusal.metadata == {"id": "unknown"}


class Outcomes(NamedTuple):
    """What calls to the secrets of an application of organization Acme end with."""

    list: str
    rotate: str
    revoke: str
    end: str
    choose: str


GONE = "SECRET_NOT_FOUND"
THERE = {
    (): Outcomes(DENIED, DENIED, DENIED, DENIED, DENIED),
    (VIEW,): Outcomes(OK, DENIED, DENIED, DENIED, DENIED),
    (UPDATE,): Outcomes(DENIED, OK, GONE, OK, OK),
    (MANAGE,): Outcomes(DENIED, OK, GONE, OK, OK),
    (Permission.APPLICATIONS_REVEAL,): Outcomes(DENIED, DENIED, DENIED, DENIED, DENIED),
    (ADMINISTRATOR,): Outcomes(OK, OK, GONE, OK, OK),
}
ELSEWHERE = {
    (): Outcomes(DENIED, DENIED, DENIED, DENIED, DENIED),
    (VIEW,): Outcomes(HIDDEN, DENIED, DENIED, DENIED, DENIED),
    (MANAGE,): Outcomes(DENIED, HIDDEN, HIDDEN, HIDDEN, HIDDEN),
    (ADMINISTRATOR,): Outcomes(HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN),
}


@pytest.mark.parametrize("held", THERE, ids=named)
async def test_what_is_held_in_the_organization_counts(vault: Vault, held: tuple[Permission, ...]) -> None:
    acme = await vault.almoner.organization("Acme")
    made = await vault.client(organization_id=acme.id)
    await vault.almoner.user("ann", organization_id=acme.id, permissions=permissions(*held))
    by = vault.almoner.as_("ann")
    outcomes = [await outcome_of(call) for call in calls(vault, made.id, by).values()]
    assert Outcomes(*outcomes) == THERE[held]


@pytest.mark.parametrize("held", ELSEWHERE, ids=named)
async def test_what_is_held_in_another_organization_does_not(vault: Vault, held: tuple[Permission, ...]) -> None:
    acme, other = await vault.almoner.organization("Acme"), await vault.almoner.organization("Other")
    made = await vault.client(organization_id=acme.id)
    await vault.almoner.user("ann", organization_id=other.id, permissions=permissions(*held))
    by = vault.almoner.as_("ann")
    outcomes = [await outcome_of(call) for call in calls(vault, made.id, by).values()]
    assert Outcomes(*outcomes) == ELSEWHERE[held]


class TestWorthOfASecret:
    """A secret is worth what the client's tokens may do: nobody sets one who may not do that."""

    @staticmethod
    async def member(vault: Vault, allowed: str) -> tuple[str, Metadata]:
        """Returns a client that is an owner of organization Acme, and somebody who may only manage applications there."""
        acme = await vault.almoner.organization("Acme")
        made = await vault.client(organization_id=acme.id, allowed_scopes=[allowed])
        membership = application_pb2.ClientMembership(
            application_id=made.id, organization_id=acme.id, scopes=["org:org_owner"]
        )
        await vault.stub.CreateClientMembership(
            A.CreateClientMembershipRequest(membership=membership), metadata=vault.almoner.as_admin
        )
        await vault.almoner.user("ann", organization_id=acme.id, permissions=permissions(VIEW, MANAGE))
        return made.id, vault.almoner.as_("ann")

    async def test_who_holds_less_does_not_set_one(self, vault: Vault) -> None:
        client_id, by = await self.member(vault, "org:org_owner")
        for call in (vault.rotate(client_id, by=by), vault.choose(client_id, CHOSEN, by)):
            refusal = await refusal_of(call)
            assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "PERMISSION_ESCALATION")
        assert len(await vault.valid(client_id)) == 1
        await vault.end(client_id, by)
        await vault.rotate(client_id)

    async def test_what_the_application_does_not_allow_does_not_count(self, vault: Vault) -> None:
        client_id, by = await self.member(vault, "openid")
        await vault.rotate(client_id, by=by)
        await vault.choose(client_id, CHOSEN, by)

    async def test_who_holds_less_does_not_let_the_application_allow_it(self, vault: Vault) -> None:
        client_id, by = await self.member(vault, "openid")
        wider = client("Changed", allowed_scopes=["openid", "org:org_owner"])
        wider.id = client_id
        assert (await refusal_of(vault.update(wider, by=by))).reason == "PERMISSION_ESCALATION"
        refused = await refusal_of(vault.choose(client_id, CHOSEN, by, application=wider))
        assert refused.reason == "PERMISSION_ESCALATION"
        await vault.update(wider)

    async def test_to_allow_less_takes_nothing(self, vault: Vault) -> None:
        client_id, by = await self.member(vault, "org:org_owner")
        narrower = client("Changed", allowed_scopes=["openid"])
        narrower.id = client_id
        wrong = await refusal_of(vault.update(narrower, "client.vendor", by=by, etag='"9"'))
        assert wrong.reason == "ETAG_MISMATCH"
        narrower.client.ClearField("allowed_scopes")
        await vault.update(narrower, "client.allowed_scopes", by=by)
        assert list((await vault.get(id=client_id)).client.allowed_scopes) == []


class TestChosenWithAChange:
    """UpdateApplication.client_secret."""

    @pytest.mark.parametrize("old", ["", "another one"])
    async def test_it_is_the_only_secret_at_once(self, vault: Vault, old: str) -> None:
        held = await vault.client(old)
        second = await vault.rotate(held.id, HOUR)
        after = await vault.choose(held.id, CHOSEN)
        assert (after.name, after.etag) == ("Changed", '"3"')
        (only,) = await vault.valid(held.id)
        assert not only.generated
        assert await vault.lets_in(held.id, CHOSEN)
        assert not await vault.lets_in(held.id, held.secret)
        assert not await vault.lets_in(held.id, second.client_secret)

    async def test_it_goes_without_any_other_change(self, vault: Vault) -> None:
        held = await vault.client()
        after = await vault.choose(held.id, CHOSEN, application=Application())
        assert after.name == held.application.name
        assert await vault.lets_in(held.id, CHOSEN)

    async def test_a_change_that_is_refused_leaves_the_secrets_alone(self, vault: Vault) -> None:
        held = await vault.client()
        assert (await refusal_of(vault.choose(held.id, CHOSEN, etag='"9"'))).reason == "ETAG_MISMATCH"
        assert await vault.lets_in(held.id, held.secret)
        assert not await vault.lets_in(held.id, CHOSEN)

    async def test_a_public_client_is_none_from_then_on(self, vault: Vault) -> None:
        held = await vault.client(public=True)
        await vault.choose(held.id, CHOSEN)
        assert not await vault.lets_in(held.id, "")
        assert await vault.lets_in(held.id, CHOSEN)

    async def test_it_is_audited_as_the_rotation_that_it_is(self, vault: Vault) -> None:
        held = await vault.client()
        (before,) = await vault.valid(held.id)
        await vault.choose(held.id, CHOSEN)
        (changed,) = await vault.events("application.update")
        assert changed.changes == {"name": ["Reports", "Changed"]}
        (rotated,) = await vault.events("application.rotate_secret")
        assert rotated.changes["secret"] == "chosen"
        assert rotated.changes["previous_secrets"] == [before.id]
        assert CHOSEN not in str((changed, rotated))


@pytest.mark.parametrize("before", [None, 0, 60])
@pytest.mark.parametrize("after", [None, 0, 60])
async def test_whether_a_client_says_how_long_can_be_said_and_left_open(
    vault: Vault, before: int | None, after: int | None
) -> None:
    def lifetime(seconds: int | None) -> Duration | None:
        return None if seconds is None else Duration(seconds=seconds)

    held = await vault.client(secret_rotation_lifetime=lifetime(before))
    assert held.application.client.HasField("secret_rotation_lifetime") == (before is not None)
    change = client(secret_rotation_lifetime=lifetime(after))
    change.id = held.id
    changed = (await vault.update(change, "client.secret_rotation_lifetime")).client
    assert changed.HasField("secret_rotation_lifetime") == (after is not None)
    assert changed.secret_rotation_lifetime.seconds == (after or 0)


async def test_without_a_mask_a_lifetime_of_zero_is_one(vault: Vault) -> None:
    held = await vault.client(secret_rotation_lifetime=Duration(seconds=5), owner_only_secret_rotation=True)
    change = Application(id=held.id)
    change.client.secret_rotation_lifetime.SetInParent()
    changed = (await vault.update(change)).client
    assert changed.HasField("secret_rotation_lifetime")
    assert changed.secret_rotation_lifetime.seconds == 0
    assert changed.owner_only_secret_rotation


async def test_what_is_said_about_rotation_is_audited(vault: Vault) -> None:
    held = await vault.client(secret_rotation_lifetime=Duration(), owner_only_secret_rotation=True)
    (created,) = await vault.events("application.create")
    assert created.changes["secret_rotation_lifetime"] == [None, 0]
    assert created.changes["owner_only_secret_rotation"] == [None, True]
    await vault.update(Application(id=held.id), "client.secret_rotation_lifetime", "client.owner_only_secret_rotation")
    (changed,) = await vault.events("application.update")
    assert changed.changes == {
        "secret_rotation_lifetime": [0, None],
        "owner_only_secret_rotation": [True, False],
    }
