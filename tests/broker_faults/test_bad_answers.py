# SPDX-License-Identifier: Apache-2.0
"""Everything that a token endpoint can do wrong, and what becomes of the tokens of a profile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from service import background
from service.broker import token_endpoint
from service.clock import HOUR, SECOND
from tests.broker_faults.held import hold_of, outcome, works
from tests.broker_faults.provider import faults
from tests.running import running
from tests.service.grants.tokens.counter import Time, micros

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.broker_faults.held import Held
    from tests.broker_faults.provider.faults import Fault
    from tests.broker_faults.provider.process import ClientAtProvider, Provider
    from tests.broker_faults.window import Window
    from tests.databases import Template
    from tests.running import Almoner

SHORT = 0.3
"""Seconds that a provider gets that is not going to answer."""

refresh = token_endpoint.refresh

REFUSED = {
    "429": faults.TOO_MANY_REQUESTS,
    "429 with Retry-After": faults.TOO_MANY_REQUESTS_FOR_A_WHILE,
    "503": faults.UNAVAILABLE,
    "503 with Retry-After": faults.UNAVAILABLE_FOR_A_WHILE,
}
"""Answers of a provider that says it has done nothing."""

UNCLEAR = {
    "no answer": faults.REFUSED_WITHOUT_ANSWER,
    "hanging": faults.HANGING,
    "500": faults.BROKEN,
}
"""Answers of a provider that has done nothing, and does not say so."""

LOST = {
    "no answer": faults.LOST,
    "cut": faults.CUT,
    "hanging": faults.HANGING_AFTER_ROTATION,
    "malformed": faults.MALFORMED,
    "10 MiB": faults.OVERSIZED,
    "500": faults.BROKEN_AFTER_ROTATION,
}
"""Answers of a provider that has rotated, so that the refresh token which we have is spent."""

LASTING = {
    "an error with 200": faults.ERROR_WITH_200,
    "invalid_client": faults.INVALID_CLIENT,
}
"""Answers that nobody expects to change by themselves."""

ELSEWHERE = {
    "302": faults.FOUND_ELSEWHERE,
    "307": faults.TEMPORARILY_ELSEWHERE,
}
"""Answers that send us where nobody has registered us."""


def each(answers: dict[str, Fault]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fault", answers.values(), ids=answers)


@pytest.fixture(scope="module")
def time() -> Time:
    """The clock of the service."""
    return Time()


@pytest.fixture(scope="module")
async def almoner(
    module_template: Template, tmp_path_factory: pytest.TempPathFactory, time: Time
) -> AsyncIterator[Almoner]:
    """A service on each backend, for the whole module."""
    allowed: dict[str, Any] = {"outgoing_allow_http": True, "outgoing_allow_private": True}
    with pytest.MonkeyPatch.context() as patch:
        # The time that tests let pass must not be taken back by the database's clock.
        patch.setattr(background, "CLOCK_INTERVAL", 3600.0)
        # Nor may anything be tried that a test has not asked for.
        patch.setattr(background, "REFRESH_INTERVAL", 3600.0)
        async with running(module_template, tmp_path_factory.mktemp("faults"), clock=time, **allowed) as service:
            yield service


async def refresh_without_patience(*arguments: Any, seconds: float) -> Any:
    """Gives a provider that is not going to answer less time than `seconds`."""
    return await refresh(*arguments, seconds=min(seconds, SHORT))


@dataclass
class Trial:
    """A profile, the client at the provider whose grant it holds, and the time.

    What hangs is given up soon.
    """

    almoner: Almoner
    held: Held
    client: ClientAtProvider
    time: Time
    window: Window

    async def fails(self, fault: Fault) -> str:
        """Asks for a token while the provider answers badly, and returns what the caller is told."""
        await self.client.meets(fault)
        with pytest.MonkeyPatch.context() as patch:
            if fault.answer is faults.Answer.HANGING:
                patch.setattr(token_endpoint, "refresh", refresh_without_patience)
            return await outcome(self.held.token())

    async def works(self) -> bool:
        """Whether the refresh token is good; see `held.works`."""
        return await works(self.held, self.client)

    async def note(self, *, lost: bool = False) -> None:
        """Notes what the provider has counted; see `Window`."""
        await self.window.note_client(self.client, lost=lost)


@pytest.fixture
async def trial(almoner: Almoner, provider: Provider, time: Time, window: Window) -> Trial:
    """A trial with refresh tokens that rotate."""
    client = await provider.client()
    return Trial(almoner, await hold_of(almoner.channel, client), client, time, window)


@pytest.fixture
async def lasting_trial(almoner: Almoner, provider: Provider, time: Time, window: Window) -> Trial:
    """A trial with refresh tokens that do not rotate."""
    client = await provider.client(rotates=False)
    return Trial(almoner, await hold_of(almoner.channel, client), client, time, window)


@pytest.fixture
async def forgiving_trial(almoner: Almoner, provider: Provider, time: Time, window: Window) -> Trial:
    """A trial with refresh tokens that rotate, at a provider that takes the one before once more."""
    client = await provider.client(forgives=True)
    return Trial(almoner, await hold_of(almoner.channel, client), client, time, window)


@each(REFUSED)
async def test_a_provider_that_is_not_ready_is_asked_again_later(trial: Trial, fault: Fault) -> None:
    assert await trial.fails(fault) == "UNAVAILABLE"
    assert await trial.held.state() == "FAILING"
    assert await outcome(trial.held.token()) == "UNAVAILABLE"
    assert len((await trial.client.report()).requests) == 1, "nobody asks before it is time"

    trial.time.pass_by(int(fault.retry_after or 2) * SECOND)

    assert await trial.works()
    assert await trial.held.state() == "OK"
    await trial.note()


@each(UNCLEAR)
async def test_where_nobody_knows_the_refresh_token_is_tried_once_more(trial: Trial, fault: Fault) -> None:
    assert await trial.fails(fault) == "UNAVAILABLE"
    assert await trial.held.state() == "IN_DOUBT"

    trial.time.pass_by(2 * SECOND)

    assert await trial.works()
    assert await trial.held.state() == "OK"
    await trial.note()


@each(UNCLEAR)
async def test_where_nobody_knows_twice_it_stays_in_doubt(trial: Trial, fault: Fault) -> None:
    await trial.fails(fault)
    trial.time.pass_by(2 * SECOND)

    assert await trial.fails(fault) == "FAILED_PRECONDITION"

    trial.time.pass_by(HOUR)
    assert await outcome(trial.held.token()) == "FAILED_PRECONDITION"
    assert await trial.held.state() == "IN_DOUBT"
    assert len((await trial.client.report()).requests) == 2
    await trial.note()


@each(LOST)
async def test_an_answer_that_is_lost_after_the_rotation_is_found_out_and_said(trial: Trial, fault: Fault) -> None:
    assert await trial.fails(fault) == "UNAVAILABLE"
    assert await trial.held.state() == "IN_DOUBT"

    trial.time.pass_by(2 * SECOND)

    assert await outcome(trial.held.token()) == "FAILED_PRECONDITION"
    assert await trial.held.state() == "NEEDS_CONSENT"
    await trial.note(lost=True)


@each(LOST)
async def test_a_lost_answer_costs_nothing_where_refresh_tokens_do_not_rotate(
    lasting_trial: Trial, fault: Fault
) -> None:
    assert await lasting_trial.fails(fault) == "UNAVAILABLE"
    assert await lasting_trial.held.state() == "FAILING"

    lasting_trial.time.pass_by(2 * SECOND)

    assert await lasting_trial.works()
    await lasting_trial.note()


@each(LOST)
async def test_a_lost_answer_costs_nothing_where_the_provider_forgives_it(forgiving_trial: Trial, fault: Fault) -> None:
    assert await forgiving_trial.fails(fault) == "UNAVAILABLE"
    assert await forgiving_trial.held.state() == "IN_DOUBT"

    forgiving_trial.time.pass_by(2 * SECOND)

    assert await forgiving_trial.works()
    assert await forgiving_trial.held.state() == "OK"
    await forgiving_trial.note()


@each(LASTING)
async def test_a_refusal_that_lasts_is_not_asked_about_again(trial: Trial, fault: Fault) -> None:
    assert await trial.fails(fault) == "FAILED_PRECONDITION"
    assert await trial.held.state() == "FAILING"

    trial.time.pass_by(HOUR)

    assert await outcome(trial.held.token()) == "FAILED_PRECONDITION"
    assert len((await trial.client.report()).requests) == 1
    await trial.note()


@each(ELSEWHERE)
async def test_a_redirect_is_not_followed_and_the_endpoint_asked_again_later(trial: Trial, fault: Fault) -> None:
    assert await trial.fails(fault) == "UNAVAILABLE"
    assert not (await trial.client.report()).elsewhere

    trial.time.pass_by(2 * SECOND)

    assert await trial.works()
    await trial.note()


async def test_a_new_refresh_token_is_kept_even_if_no_access_token_comes_with_it(trial: Trial) -> None:
    assert await trial.fails(faults.WITHOUT_ACCESS_TOKEN) == "UNAVAILABLE"
    assert await trial.held.state() == "FAILING"

    trial.time.pass_by(2 * SECOND)

    assert await trial.works()
    await trial.note()


@pytest.mark.parametrize(
    ("slug", "fault"), [("slack", faults.INVALID_GRANT_OF_SLACK), ("github", faults.INVALID_GRANT_OF_GITHUB)]
)
async def test_a_refusal_with_200_in_words_of_the_providers_own_needs_consent(
    trial: Trial, slug: str, fault: Fault
) -> None:
    trial.held = await hold_of(trial.almoner.channel, trial.client, provider=slug)

    assert await trial.fails(fault) == "FAILED_PRECONDITION"

    assert await trial.held.state() == "NEEDS_CONSENT"
    await trial.note()


async def test_a_refused_grant_needs_consent_and_is_not_asked_for_again(trial: Trial) -> None:
    assert await trial.fails(faults.INVALID_GRANT) == "FAILED_PRECONDITION"
    assert await trial.held.state() == "NEEDS_CONSENT"

    trial.time.pass_by(HOUR)

    assert await outcome(trial.held.token()) == "FAILED_PRECONDITION"
    assert len((await trial.client.report()).requests) == 1
    await trial.note()


async def test_an_answer_that_says_it_is_something_else_is_read_nevertheless(trial: Trial) -> None:
    await trial.client.meets(faults.WRONG_TYPE)

    assert await trial.client.provider.admits(await outcome(trial.held.token()))

    assert await trial.works()
    await trial.note()


async def test_a_slow_answer_comes_even_if_nobody_waits_for_it_any_more(trial: Trial) -> None:
    await trial.client.meets(faults.SLOW)
    call = asyncio.create_task(trial.held.token())
    await trial.client.report(held=1)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)

    await trial.client.release()

    assert await trial.client.provider.admits(await outcome(trial.held.token()))
    assert len((await trial.client.report()).requests) == 1
    assert await trial.works()
    await trial.note()


@pytest.mark.parametrize("scope", ["", "read"])
async def test_the_life_of_a_token_does_not_begin_when_it_comes_but_when_it_was_asked_for(
    trial: Trial, scope: str
) -> None:
    await trial.client.meets(faults.SLOW_ANSWER)
    asked = trial.almoner.service.broker.clock()
    call = asyncio.create_task(trial.held.token(scope=scope))
    await trial.client.report(held=1)
    trial.time.pass_by(HOUR // 2)
    await trial.client.release()

    assert micros((await call).expire_time) == asked + HOUR

    assert await trial.works()
    await trial.note()
