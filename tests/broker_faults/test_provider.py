# SPDX-License-Identifier: Apache-2.0
"""The provider itself: what the rest of the suite believes of it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import aiohttp
import pytest
from yarl import URL

from tests.broker_faults.provider import faults

if TYPE_CHECKING:
    from tests.broker_faults.provider.process import ClientAtProvider, Provider

CALLBACK = "http://127.0.0.1/callback"
VERIFIER = "a-verifier-of-some-forty-three-characters-or-more"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def basic(client: ClientAtProvider) -> dict[str, str]:
    registered = client.registered
    pair = f"{quote_plus(registered.id)}:{quote_plus(registered.secret)}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


async def post(client: ClientAtProvider, **form: str) -> tuple[int, Any]:
    async with client.provider.session.post(f"{client.endpoints}/token", data=form, headers=basic(client)) as reply:
        return reply.status, await reply.json()


async def refresh(client: ClientAtProvider, refresh_token: str | None, **form: str) -> tuple[int, Any]:
    return await post(client, grant_type="refresh_token", refresh_token=refresh_token or "", **form)


async def test_a_code_is_exchanged_once_and_only_with_its_verifier(provider: Provider) -> None:
    client = await provider.client()
    query = {
        "response_type": "code",
        "client_id": client.registered.id,
        "redirect_uri": CALLBACK,
        "state": "xyz",
        "scope": "read",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }

    async def code() -> str:
        url = f"{client.endpoints}/authorize"
        async with provider.session.get(url, params=query, allow_redirects=False) as reply:
            assert reply.status == 302
            answer = URL(reply.headers["Location"]).query
        assert answer["state"] == "xyz"
        return answer["code"]

    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    first = await code()
    status, body = await post(client, code=first, **form)
    assert (status, body["scope"]) == (200, "read")
    assert await provider.admits(body["access_token"])
    assert (await post(client, code=first, **form))[1]["error"] == "invalid_grant"
    assert (await post(client, code=await code(), **form | {"code_verifier": "x" * 43}))[1]["error"] == "invalid_grant"


async def test_a_refresh_token_that_was_used_ends_its_family_and_is_counted(provider: Provider) -> None:
    client = await provider.client()
    first = await client.grant()
    _, second = await refresh(client, first.refresh_token)

    assert (await refresh(client, first.refresh_token))[1]["error"] == "invalid_grant"

    assert (await refresh(client, second["refresh_token"]))[1]["error"] == "invalid_grant"
    assert not await provider.admits(second["access_token"])
    report = await client.report()
    assert (report.refreshes, report.reuses) == (1, 1)
    assert [record.generation for record in report.requests] == [1, 1, 2]


async def test_a_provider_that_forgives_takes_the_refresh_token_before_the_newest(provider: Provider) -> None:
    client = await provider.client(forgives=True)
    first = await client.grant()
    await refresh(client, first.refresh_token)

    assert (await refresh(client, first.refresh_token))[0] == 200
    assert (await refresh(client, first.refresh_token))[1]["error"] == "invalid_grant"
    assert (await client.report()).reuses == 1


async def test_a_refresh_token_that_does_not_rotate_stays_good(provider: Provider) -> None:
    client = await provider.client(rotates=False)
    tokens = await client.grant()

    for _ in range(2):
        status, body = await refresh(client, tokens.refresh_token)
        assert status == 200
        assert "refresh_token" not in body


async def test_a_scope_is_narrowed_and_never_widened(provider: Provider) -> None:
    client = await provider.client(rotates=False)
    tokens = await client.grant("read write")

    assert (await refresh(client, tokens.refresh_token, scope="read"))[1]["scope"] == "read"
    assert (await refresh(client, tokens.refresh_token))[1]["scope"] == "read write"
    assert (await refresh(client, tokens.refresh_token, scope="read all"))[1]["error"] == "invalid_scope"


@pytest.mark.parametrize("method", ["client_secret_post", "none"])
async def test_a_client_authenticates_in_one_way_only(provider: Provider, method: str) -> None:
    secret = "" if method == "none" else "secret"
    client = await provider.client(authentication=method, secret=secret)
    tokens = await client.grant()
    assert tokens.refresh_token
    assert (await refresh(client, tokens.refresh_token))[0] == 401

    form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token, "client_id": client.registered.id}
    async with provider.session.post(
        f"{client.endpoints}/token", data=form | ({"client_secret": secret} if secret else {})
    ) as reply:
        assert reply.status == 200


async def test_a_revoked_token_is_worth_nothing(provider: Provider) -> None:
    client = await provider.client()
    tokens = await client.grant()
    assert tokens.refresh_token

    async with provider.session.post(
        f"{client.endpoints}/revoke", data={"token": tokens.refresh_token}, headers=basic(client)
    ) as reply:
        assert reply.status == 200

    assert (await refresh(client, tokens.refresh_token))[1]["error"] == "invalid_grant"
    assert (await client.report()).reuses == 0


@pytest.mark.parametrize("fault", [faults.LOST, faults.CUT], ids=["lost", "cut"])
async def test_an_answer_is_lost_after_the_token_rotated(provider: Provider, fault: faults.Fault) -> None:
    client = await provider.client()
    tokens = await client.grant()
    await client.meets(fault)

    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientOSError)):
        await refresh(client, tokens.refresh_token)

    assert (await client.report(answered=1)).refreshes == 1
    assert (await refresh(client, tokens.refresh_token))[1]["error"] == "invalid_grant"
    assert (await client.report()).reuses == 1


@pytest.mark.parametrize("held_before", [True, False])
async def test_a_request_is_held_until_it_is_released(provider: Provider, *, held_before: bool) -> None:
    client = await provider.client()
    tokens = await client.grant()
    await client.meets(faults.SLOW if held_before else faults.SLOW_ANSWER)
    waiting = asyncio.create_task(refresh(client, tokens.refresh_token))

    report = await client.report(held=1)
    assert report.refreshes == (0 if held_before else 1)
    assert not waiting.done()
    await client.release()

    assert (await waiting)[0] == 200


async def test_a_redirect_tells_whether_credentials_went_along(provider: Provider) -> None:
    client = await provider.client()
    tokens = await client.grant()
    await client.meets(faults.TEMPORARILY_ELSEWHERE)

    await refresh(client, tokens.refresh_token)

    (arrival,) = (await client.report()).elsewhere
    assert arrival.with_credentials


async def test_a_refusal_says_when_to_come_back(provider: Provider) -> None:
    client = await provider.client()
    tokens = await client.grant()
    await client.meets(faults.UNAVAILABLE_FOR_A_WHILE)

    async with provider.session.post(
        f"{client.endpoints}/token", data={"grant_type": "refresh_token"}, headers=basic(client)
    ) as reply:
        assert (reply.status, reply.headers["Retry-After"]) == (503, "1800")

    assert (await refresh(client, tokens.refresh_token))[0] == 200
