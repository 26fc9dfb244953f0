# SPDX-License-Identifier: Apache-2.0
"""Tokens by consent: the way there, and what the state is good for."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from sqlalchemy import select

from almoner.v1 import profile_pb2
from service.clock import HOUR, MINUTE
from service.consent import rules
from service.consent.exchanges import Exchanges
from service.consent.rules import CodeAnswer, Completed, Started, Taken
from service.consent.tables import AuthorizationRow
from service.errors import StorageUnavailable
from service.outgoing import Outgoing
from service.storage.tables import table_of
from tests.broker_faults.provider import faults
from tests.refusals import read_refusal, refusal_of
from tests.service.consent.counterpart import open_counterpart
from tests.service.profiles.desk import Profile, own

if TYPE_CHECKING:
    from service.storage.store import Store
    from tests.service.consent.counterpart import Counterpart

INVALID = (StatusCode.FAILED_PRECONDITION, "AUTHORIZATION_STATE_INVALID")


class Ill:
    """A store that takes some writes, then refuses some, then is well again."""

    def __init__(self, store: Store, *, well_for: int, ill_for: int) -> None:
        self._store = store
        self._outcomes = iter([True] * well_for + [False] * ill_for)
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, use_case: Any) -> Any:
        if not next(self._outcomes, True):
            self.refused += 1
            raise StorageUnavailable
        return await self._store.write(use_case)


async def refused(call: Any) -> tuple[StatusCode, str]:
    refusal = await refusal_of(call)
    return refusal.code, refusal.reason


class TestConnecting:
    async def test_a_consent_gives_a_profile_its_tokens(self, both: Counterpart) -> None:
        started = await both.start()
        completed = await both.complete(await both.consent(started))
        assert (completed.profile_id, completed.profile_name) == (both.profile.id, "Grant")
        assert await both.client.provider.admits(await both.access_token())
        profile = await both.desk.get(both.profile.id)
        assert profile.token_status.state == profile_pb2.TOKEN_STATE_OK
        assert profile.token_status.scope == "read write"
        assert profile.stored.refresh_token
        assert 3500 < profile.access_token_expire_time.seconds - profile.token_status.refresh_time.seconds < 3700

    async def test_what_it_asks_for_is_the_applications_scope_or_that_of_the_request(self, both: Counterpart) -> None:
        await both.connect(scope="read")
        assert (await both.stored()).token_scope == "read"

    async def test_a_redirect_uri_of_ones_own_is_used_for_the_exchange_too(self, both: Counterpart) -> None:
        await both.connect(redirect_uri="https://app.example/done")
        assert (await both.stored()).token_state == profile_pb2.TOKEN_STATE_OK

    async def test_the_answer_goes_to_the_gateway_unless_it_is_said_otherwise(self, both: Counterpart) -> None:
        issuer = both.almoner.settings.token_issuer
        assert f"redirect_uri={issuer}/v1/oauth/callback".replace(":", "%3A").replace("/", "%2F") in (
            (await both.start()).authorization_uri
        )

    async def test_tokens_that_come_take_the_place_of_those_before(self, both: Counterpart) -> None:
        await both.connect()
        before, first = await both.stored(), await both.access_token()
        await both.connect()
        after = await both.stored()
        assert await both.access_token() != first
        assert after.fence == before.fence + 1
        assert after.revision == before.revision + 1
        assert after.spent_refresh_digest

    async def test_a_profile_that_is_kept_fresh_is_due_before_the_end(self, both: Counterpart) -> None:
        await both.desk.update(Profile(id=both.profile.id, keep_fresh=True), "keep_fresh")
        await both.connect()
        row = await both.stored()
        assert row.token_expires - HOUR < row.token_due < row.token_expires

    async def test_whatever_state_the_tokens_were_in_they_are_good_again(self, both: Counterpart) -> None:
        broken = {"token_state": 3, "token_failures": 3, "token_failure": "lost", "token_next_try": 5, "doubtful": True}
        await both.desk.put(both.profile, **broken)
        await both.connect()
        row = await both.stored()
        assert (row.token_state, row.token_failures, row.token_failure, row.token_next_try) == (1, 0, "", 0)
        assert not row.doubtful

    async def test_a_consent_mends_a_profile_whose_key_is_lost(self, both: Counterpart) -> None:
        await both.desk.put(both.profile, refresh_token=b"sealed by a key that is lost")
        await both.connect()
        assert (await both.desk.get(both.profile.id)).token_status.state == profile_pb2.TOKEN_STATE_OK

    async def test_without_a_refresh_token_the_one_before_goes(self, both: Counterpart) -> None:
        """Who consents now need not be who did before."""
        await both.connect()
        await both.client.meets(faults.WITHOUT_REFRESH_TOKEN)
        await both.connect()
        row = await both.stored()
        assert row.access_token is not None
        assert (row.refresh_token, row.spent_refresh_digest, row.token_due) == (None, None, None)
        assert (await both.outcomes())[-1]["refresh_token"] == "cleared"

    @pytest.mark.parametrize(
        "client", [{"authentication": "client_secret_post"}, {"authentication": "none", "secret": ""}]
    )
    async def test_the_client_shows_who_it_is_as_it_does_for_a_refresh(
        self, both: Counterpart, client: dict[str, str]
    ) -> None:
        other = await open_counterpart(both.desk, both.client.provider, **client)
        await other.connect()
        assert (await other.stored()).token_state == profile_pb2.TOKEN_STATE_OK

    async def test_it_is_audited_in_words(self, both: Counterpart) -> None:
        await both.connect()
        await both.connect()
        first, second = await both.desk.events("profile.authorize")
        assert (first.actor, first.resource) == (both.desk.chief.username, f"profiles/{both.profile.id}")
        assert first.changes == {"outcome": "granted", "access_token": "set", "refresh_token": "set"}
        assert second.changes == {"outcome": "granted", "access_token": "replaced", "refresh_token": "replaced"}
        assert [event.changes for event in await both.desk.events("profile.ask_consent")] == 2 * [
            {"scope": "read write"}
        ]


class TestBeginning:
    async def test_an_unknown_provider_cannot_be_asked(self, both: Counterpart) -> None:
        profile = await both.desk.create(own(provider="nobody"))
        refusal = await refusal_of(both.start(id=profile.id))
        assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "PROVIDER_UNKNOWN")
        assert refusal.metadata == {"provider": "nobody", "endpoint": "authorization"}

    async def test_a_known_one_can_without_any_application(self, both: Counterpart) -> None:
        profile = await both.desk.create(own(provider="hubspot"))
        started = await both.start(id=profile.id)
        assert started.authorization_uri.startswith("https://app.hubspot.com/oauth/authorize?")

    @pytest.mark.parametrize(
        "redirect_uri", ["https://a.example/#part", "javascript:alert(1)", "https://a.example/\nx", "/callback"]
    )
    async def test_a_redirect_uri_that_is_none_is_refused(self, both: Counterpart, redirect_uri: str) -> None:
        refusal = await refusal_of(both.start(redirect_uri=redirect_uri))
        assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ["redirect_uri"])
        assert not await both.waiting()

    async def test_the_state_has_256_bits_and_is_stored_as_a_digest_only(self, both: Counterpart) -> None:
        started = await both.start()
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", started.state)
        table = table_of(AuthorizationRow)
        statement = select(table).where(table.c.profile_id == both.profile.id)
        row = await both.almoner.service.store.read(lambda tx: tx.execute(statement).one())
        assert started.state not in str(row)

    async def test_it_is_good_for_ten_minutes(self, both: Counterpart) -> None:
        started = await both.start()
        answer = await both.consent(started)
        await both.age(10 * MINUTE)
        assert await refused(both.complete(answer)) == INVALID

    async def test_until_then_it_is(self, both: Counterpart) -> None:
        answer = await both.consent(await both.start())
        await both.age(9 * MINUTE)
        assert await both.complete(answer)

    async def test_what_has_expired_is_cleared_away(self, both: Counterpart) -> None:
        await both.start()
        await both.age(HOUR)
        await both.start()
        clock = both.almoner.service.clock
        await both.almoner.service.store.write(lambda tx: rules.drop_expired(tx, clock()))
        assert await both.waiting() == 1

    async def test_it_goes_with_its_profile(self, both: Counterpart) -> None:
        answer = await both.consent(await both.start())
        await both.delete()
        assert await refused(both.complete(answer)) == INVALID


class TestState:
    @pytest.mark.parametrize("state", ["x", "a" * 43, "é" * 40])
    async def test_one_that_was_never_issued_is_refused(self, both: Counterpart, state: str) -> None:
        assert await refused(both.complete({"state": state, "code": "c"})) == INVALID

    async def test_it_is_good_once(self, both: Counterpart) -> None:
        answer = await both.consent(await both.start())
        await both.complete(answer)
        assert await refused(both.complete(answer)) == INVALID
        assert len((await both.client.report()).requests) == 1

    async def test_of_answers_at_the_same_time_one_is_exchanged(self, both: Counterpart) -> None:
        answer = await both.consent(await both.start())
        replies = await asyncio.gather(*(both.complete(answer) for _ in range(8)), return_exceptions=True)
        refusals = [read_refusal(reply).reason for reply in replies if isinstance(reply, AioRpcError)]
        assert refusals == 7 * ["AUTHORIZATION_STATE_INVALID"]
        assert len((await both.client.report()).requests) == 1

    async def test_each_is_of_one_request(self, both: Counterpart) -> None:
        """PKCE: the code of one request is worth nothing with the state of another."""
        mine, theirs = await both.consent(await both.start()), await both.consent(await both.start())
        crossed = {"state": mine["state"], "code": theirs["code"]}
        assert await refused(both.complete(crossed)) == (StatusCode.FAILED_PRECONDITION, "PROVIDER_REFUSED")

    async def test_a_state_without_a_code_or_an_error_is_not_spent(self, both: Counterpart) -> None:
        answer = await both.consent(await both.start())
        refusal = await refusal_of(both.complete({"state": answer["state"]}))
        assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ["code"])
        assert await both.complete(answer)


class TestWhoBrings:
    async def test_whoever_began_may_bring_it_themselves(self, both: Counterpart) -> None:
        assert await both.complete(await both.consent(await both.start()), both.desk.chief.by)

    async def test_somebody_else_may_not_and_spends_nothing(self, both: Counterpart) -> None:
        answer = await both.consent(await both.start())
        other = await both.desk.user()
        assert await refused(both.complete(answer, other.by)) == INVALID
        assert await refused(both.complete(answer, both.almoner.as_admin_token)) == INVALID
        assert await both.complete(answer)

    async def test_credentials_that_are_none_are_refused_as_everywhere(self, both: Counterpart) -> None:
        answer = await both.consent(await both.start())
        by = (("authorization", "Bearer nobody"),)
        assert await refused(both.complete(answer, by)) == (StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID")
        assert await both.complete(answer)


class TestAnswers:
    async def test_an_error_ends_it(self, both: Counterpart) -> None:
        await both.desk.update(Profile(id=both.profile.id, refresh_token="kept"), "refresh_token")
        answer = {"state": (await both.start()).state, "error": "access_denied"}
        refusal = await refusal_of(both.complete(answer))
        assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "AUTHORIZATION_REFUSED")
        assert refusal.metadata == {"error": "access_denied"}
        assert await refused(both.complete(answer)) == INVALID
        assert await both.outcomes() == [{"outcome": "refused", "error": "access_denied"}]
        assert (await both.stored()).refresh_token is not None

    async def test_an_error_counts_even_beside_a_code(self, both: Counterpart) -> None:
        answer = await both.consent(await both.start())
        assert (await refused(both.complete({**answer, "error": "server_error"})))[1] == "AUTHORIZATION_REFUSED"
        assert not (await both.client.report()).requests

    async def test_an_error_is_told_as_a_word(self, both: Counterpart) -> None:
        answer = {"state": (await both.start()).state, "error": '<b>no & "never"</b> é ' + 200 * "x"}
        refusal = await refusal_of(both.complete(answer))
        assert re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", refusal.metadata["error"])

    async def test_an_issuer_of_the_providers_origin_is_right(self, both: Counterpart) -> None:
        answer = await both.consent(await both.start())
        assert await both.complete({**answer, "iss": f"{both.client.provider.url}/realms/1"})

    @pytest.mark.parametrize(
        "issuer", ["https://evil.example", "http://127.0.0.1:1", "evil", "https://[", "http://x:y"]
    )
    async def test_another_issuers_code_is_sent_nowhere(self, both: Counterpart, issuer: str) -> None:
        answer = await both.consent(await both.start())
        assert await refused(both.complete({**answer, "iss": issuer})) == INVALID
        assert not (await both.client.report()).requests
        assert await refused(both.complete(answer)) == INVALID


class TestExchange:
    async def test_a_code_that_the_provider_refuses_leaves_the_tokens_as_they_were(self, both: Counterpart) -> None:
        await both.connect()
        before = await both.stored()
        answer = await both.consent(await both.start())
        refusal = await refusal_of(both.complete({**answer, "code": "another"}))
        assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "PROVIDER_REFUSED")
        assert refusal.metadata == {"error": "invalid_grant"}
        assert await both.stored() == before
        assert (await both.outcomes())[-1] == {"outcome": "refused", "failure": "invalid_grant"}

    @pytest.mark.parametrize("fault", [faults.LOST, faults.CUT, faults.MALFORMED, faults.UNAVAILABLE, faults.BROKEN])
    async def test_an_answer_that_is_lost_means_to_begin_again(self, both: Counterpart, fault: faults.Fault) -> None:
        answer = await both.consent(await both.start())
        await both.client.meets(fault)
        with pytest.raises(AioRpcError) as raised:
            await both.complete(answer)
        refusal = read_refusal(raised.value)
        assert (refusal.code, refusal.reason) == (StatusCode.UNAVAILABLE, "PROVIDER_UNAVAILABLE")
        assert "begin again" in (raised.value.details() or "")
        assert await refused(both.complete(answer)) == INVALID
        assert len((await both.client.report()).requests) == 1
        assert [outcome["outcome"] for outcome in await both.outcomes()] == ["lost"]

    async def test_tokens_are_stored_even_if_nobody_waits_for_them(self, both: Counterpart) -> None:
        answer = await both.consent(await both.start())
        await both.client.meets(faults.SLOW)
        call = asyncio.ensure_future(both.complete(answer))
        await both.client.report(held=1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await both.client.release()
        await both.almoner.service.exchanges.finish()
        assert await both.client.provider.admits(await both.access_token())

    async def test_they_are_stored_however_long_the_database_takes_no_writes(self, both: Counterpart) -> None:
        service = both.almoner.service
        store = Ill(service.store, well_for=1, ill_for=3)
        outgoing = Outgoing(allow_http=True, allow_private=True)
        exchanges = Exchanges(
            store=store, keyring=service.keyring, clock=service.clock, outgoing=outgoing, provider_timeout=10
        )
        answer = await both.consent(await both.start())
        await exchanges.complete(CodeAnswer(answer["state"], answer["code"], "", ""), None, "request")
        await outgoing.close()
        assert store.refused == 3
        assert await both.client.provider.admits(await both.access_token())
        assert len((await both.client.report()).requests) == 1

    async def test_the_tokens_of_another_client_are_not_kept(self, both: Counterpart) -> None:
        answer = await both.consent(await both.start())
        await both.client.meets(faults.SLOW)
        call = asyncio.ensure_future(both.complete(answer))
        await both.client.report(held=1)
        await both.desk.mend_application(both.application.number, client_id="another")
        await both.client.release()
        assert await refused(call) == INVALID
        assert (await both.stored()).access_token is None

    async def test_a_profile_that_is_deleted_meanwhile_stays_so(self, both: Counterpart) -> None:
        answer = await both.consent(await both.start())
        await both.client.meets(faults.SLOW)
        call = asyncio.ensure_future(both.complete(answer))
        await both.client.report(held=1)
        await both.delete()
        await both.client.release()
        assert await refused(call) == (StatusCode.NOT_FOUND, "PROFILE_NOT_FOUND")


def test_nothing_of_it_is_in_a_repr() -> None:
    assert repr(Started("https://x/?state=s", "s", 5)) == "Started(expires=5)"
    assert repr(CodeAnswer("s", "c", "", "")) == "CodeAnswer(***)"
    assert "s3cret" not in repr(Taken(1, ..., ..., "", "", "", "s3cret"))  # type: ignore[arg-type]
    assert Completed(1, "n").profile_id == 1
