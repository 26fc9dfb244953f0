# SPDX-License-Identifier: Apache-2.0
"""Grants that end at their provider with the profiles that held them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from almoner.v1 import (
    application_service_pb2,
    application_service_pb2_grpc,
    directory_service_pb2,
    profile_service_pb2,
)
from service.applications.tables import ClientAuthentication
from service.clock import DAY, HOUR, MINUTE
from service.consent.revocation_endpoint import RevocationRequest
from tests.broker_faults.provider import faults
from tests.service.consent.counterpart import open_counterpart
from tests.service.profiles.desk import P, Profile, own

if TYPE_CHECKING:
    from service.consent.revoker import Revoker
    from tests.service.consent.counterpart import Counterpart

NONE = profile_service_pb2.REVOCATION_UNSPECIFIED
DONE = profile_service_pb2.REVOCATION_DONE
PENDING = profile_service_pb2.REVOCATION_PENDING
REFUSED = profile_service_pb2.REVOCATION_REFUSED


@pytest.fixture
async def connected(both: Counterpart) -> Counterpart:
    """A profile whose tokens are good at the provider."""
    await both.connect()
    return both


@pytest.fixture
def revoker(both: Counterpart) -> Revoker:
    return both.almoner.service.revoker


class TestDeleting:
    async def test_the_grant_ends_with_the_profile(self, connected: Counterpart) -> None:
        access_token = await connected.access_token()
        assert (await connected.delete()).revocation == DONE
        assert not await connected.client.provider.admits(access_token)
        assert not await connected.revocations()

    @pytest.mark.parametrize(
        "client", [{"authentication": "client_secret_post"}, {"authentication": "none", "secret": ""}]
    )
    async def test_however_our_client_shows_who_it_is(self, both: Counterpart, client: dict[str, str]) -> None:
        other = await open_counterpart(both.desk, both.client.provider, **client)
        await other.connect()
        assert (await other.delete()).revocation == DONE

    async def test_an_access_token_alone_is_revoked_too(self, both: Counterpart) -> None:
        tokens = await both.client.grant()
        changed = Profile(id=both.profile.id, access_token=tokens.access_token)
        await both.desk.update(changed, "access_token")
        assert (await both.delete()).revocation == DONE
        assert not await both.client.provider.admits(tokens.access_token)

    async def test_it_is_audited_as_the_services_own_doing(self, connected: Counterpart) -> None:
        await connected.delete()
        (event,) = await connected.desk.events("profile.revoke")
        assert (event.actor, event.resource) == ("almoner", f"profiles/{connected.profile.id}")
        assert event.changes == {"outcome": "revoked"}

    async def test_without_tokens_there_is_nothing_to_revoke(self, both: Counterpart) -> None:
        assert (await both.delete()).revocation == NONE
        assert not (await both.client.report()).requests

    async def test_nor_without_an_endpoint(self, both: Counterpart) -> None:
        profile = await both.desk.create(own(provider="nobody", refresh_token="r"))
        reply = await both.desk.call("DeleteProfile", id=profile.id)
        assert reply.revocation == NONE
        assert not await both.revocations()

    async def test_a_known_provider_has_one_without_any_application(self, both: Counterpart) -> None:
        """Nobody answers there: tests have no way to it."""
        profile = await both.desk.create(own(provider="zoom", refresh_token="r"))
        reply = await both.desk.call("DeleteProfile", id=profile.id)
        assert reply.revocation == PENDING
        (row,) = await both.revocations()
        assert row.revocation_uri == "https://zoom.us/oauth/revoke"

    async def test_what_cannot_be_read_keeps_no_profile_from_going(self, connected: Counterpart) -> None:
        await connected.desk.put(connected.profile, refresh_token=b"sealed by a key that is lost")
        assert (await connected.delete()).revocation == NONE
        assert not await connected.revocations()


class TestFailing:
    @pytest.mark.parametrize(
        "fault", [faults.UNAVAILABLE, faults.TOO_MANY_REQUESTS, faults.BROKEN, faults.UNAVAILABLE_FOR_A_WHILE]
    )
    async def test_what_the_provider_does_not_do_yet_is_pending(
        self, connected: Counterpart, revoker: Revoker, fault: faults.Fault
    ) -> None:
        access_token = await connected.access_token()
        await connected.client.meets(fault)
        assert (await connected.delete()).revocation == PENDING
        assert not await connected.desk.events("profile.revoke")

        await connected.let_revocations_be_due()
        await revoker.retry()
        assert not await connected.client.provider.admits(access_token)
        assert not await connected.revocations()
        assert [event.changes for event in await connected.desk.events("profile.revoke")] == [{"outcome": "revoked"}]

    async def test_so_is_what_a_provider_that_is_not_there_does_not_do(self, connected: Counterpart) -> None:
        await connected.desk.mend_application(connected.application.number, revocation_uri="http://127.0.0.1:9/revoke")
        assert (await connected.delete()).revocation == PENDING

    async def test_a_provider_that_hangs_holds_no_deletion_up(self, connected: Counterpart) -> None:
        await connected.client.meets(faults.SLOW)
        assert (await connected.delete(timeout=2)).revocation == PENDING
        await connected.client.release()

    async def test_who_goes_away_leaves_it_pending(self, connected: Counterpart) -> None:
        await connected.client.meets(faults.SLOW)
        call = asyncio.ensure_future(connected.delete())
        await connected.client.report(held=1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await connected.client.release()
        assert len(await connected.revocations()) == 1

    async def test_what_the_provider_refuses_is_over(self, connected: Counterpart) -> None:
        await connected.client.change(secret="changed there")
        assert (await connected.delete()).revocation == REFUSED
        assert not await connected.revocations()
        (event,) = await connected.desk.events("profile.revoke")
        assert event.changes == {"outcome": "refused", "failure": "invalid_client"}

    async def test_a_token_that_is_worth_nothing_any_more_is_revoked(self, connected: Counterpart) -> None:
        await connected.client.meets(
            faults.Fault(faults.Answer.ERROR, processed=False, status=400, error="invalid_token")
        )
        assert (await connected.delete()).revocation == DONE


class TestTryingAgain:
    async def test_there_is_longer_and_longer_between_two_tries(self, connected: Counterpart, revoker: Revoker) -> None:
        await connected.client.meets(*(8 * [faults.UNAVAILABLE]))
        await connected.delete()
        minutes = []
        for _ in range(7):
            await connected.let_revocations_be_due()
            before = connected.almoner.service.clock()
            await revoker.retry()
            (row,) = await connected.revocations()
            minutes.append(round((row.next_try - before) / MINUTE))
        assert minutes == [1, 2, 4, 8, 16, 32, 60]

    async def test_what_is_not_due_is_left_alone(self, connected: Counterpart, revoker: Revoker) -> None:
        await connected.client.meets(faults.UNAVAILABLE)
        await connected.delete()
        seen = len((await connected.client.report()).requests)
        await revoker.retry()
        assert len((await connected.client.report()).requests) == seen

    async def test_a_provider_is_asked_when_it_wants_to_be(self, connected: Counterpart) -> None:
        await connected.client.meets(faults.UNAVAILABLE_FOR_A_WHILE)
        before = connected.almoner.service.clock()
        await connected.delete()
        (row,) = await connected.revocations()
        assert HOUR // 2 <= row.next_try - before < HOUR

    async def test_after_a_day_it_is_given_up(self, connected: Counterpart, revoker: Revoker) -> None:
        await connected.client.meets(faults.UNAVAILABLE)
        await connected.delete()
        seen = len((await connected.client.report()).requests)
        await connected.let_revocations_be_due(first_try=connected.almoner.service.clock() - DAY)
        await revoker.retry()
        assert not await connected.revocations()
        assert len((await connected.client.report()).requests) == seen
        (event,) = await connected.desk.events("profile.revoke")
        assert event.changes == {"outcome": "gave_up", "failure": "expired"}

    async def test_what_cannot_be_read_is_given_up_and_holds_up_nothing_else(
        self, connected: Counterpart, revoker: Revoker
    ) -> None:
        access_token = await connected.access_token()
        await connected.client.meets(faults.UNAVAILABLE, faults.UNAVAILABLE)
        await connected.delete()
        await connected.let_revocations_be_due(token=b"sealed by a key that is lost")
        another = await open_counterpart(connected.desk, connected.client.provider)
        await another.connect()
        await another.client.meets(faults.UNAVAILABLE)
        await another.delete()
        await connected.let_revocations_be_due()
        await revoker.retry()
        assert not await connected.revocations()
        assert await connected.client.provider.admits(access_token)
        changes = [event.changes for event in await connected.desk.events("profile.revoke")]
        assert {"outcome": "gave_up", "failure": "unreadable"} in changes
        assert {"outcome": "revoked"} in changes

    async def test_processes_share_the_work(self, connected: Counterpart, revoker: Revoker) -> None:
        await connected.client.meets(faults.UNAVAILABLE)
        await connected.delete()
        seen = len((await connected.client.report()).requests)
        await connected.let_revocations_be_due()
        await asyncio.gather(*(revoker.retry() for _ in range(5)))
        assert len((await connected.client.report()).requests) == seen + 1


class TestCascades:
    async def test_the_grants_of_an_application_end_with_it(self, connected: Counterpart, revoker: Revoker) -> None:
        access_token = await connected.access_token()
        stub = application_service_pb2_grpc.ApplicationServiceStub(connected.almoner.channel)
        request = application_service_pb2.DeleteApplicationRequest(number=connected.application.number, cascade=True)
        await stub.DeleteApplication(request, metadata=connected.almoner.as_admin_token)
        await connected.let_revocations_be_due()
        await revoker.retry()
        assert not await connected.client.provider.admits(access_token)

    async def test_those_of_a_user_with_them(self, both: Counterpart, revoker: Revoker) -> None:
        person = await both.desk.person(P.PROFILES_CREATE, P.PROFILES_UPDATE)
        tokens = await both.client.grant()
        profile = Profile(
            name="Theirs",
            application_number=both.application.number,
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token or "",
        )
        await both.desk.create(profile, person.by)
        request = directory_service_pb2.DeleteUserRequest(id=person.id, cascade=True)
        await both.almoner.directory.DeleteUser(request, metadata=both.almoner.as_admin_token)
        await both.let_revocations_be_due()
        await revoker.retry()
        assert not await both.client.provider.admits(tokens.access_token)


async def test_nothing_in_clear_is_left_of_it(connected: Counterpart) -> None:
    await connected.client.meets(faults.UNAVAILABLE)
    access_token = await connected.access_token()
    await connected.delete()
    (row,) = await connected.revocations()
    assert access_token not in str(row)
    assert connected.client.registered.secret not in str(row)


def test_nothing_of_it_is_in_a_repr() -> None:
    request = RevocationRequest(7, "https://p.example", "c", "s3cret", ClientAuthentication.BASIC, "t", "access_token")
    assert repr(request) == "RevocationRequest(profile_id=7)"
