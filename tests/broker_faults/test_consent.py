# SPDX-License-Identifier: Apache-2.0
"""Consents at the independent provider, which names itself in its answers (RFC 9207), and their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from yarl import URL

from almoner.v1.application_pb2 import CLIENT_AUTHENTICATION_BASIC
from almoner.v1.profile_pb2 import PROFILE_VIEW_TOKENS, Profile
from almoner.v1.profile_service_pb2 import REVOCATION_DONE
from tests.broker_faults.oidc_provider.process import CALLBACK, CLIENT_ID, CLIENT_SECRET
from tests.refusals import refusal_of
from tests.running import running
from tests.service.profiles.desk import open_desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.broker_faults.oidc_provider.process import OidcProvider
    from tests.databases import SqliteTemplate
    from tests.service.profiles.desk import Desk

OUTGOING: Any = {"outgoing_allow_http": True, "outgoing_allow_private": True}


@pytest.fixture
async def desk(sqlite_template: SqliteTemplate, tmp_path: Path) -> AsyncIterator[Desk]:
    """The profiles of an organization whose service may call the provider."""
    async with running(sqlite_template, tmp_path, **OUTGOING) as almoner:
        yield await open_desk(almoner)


async def profile_at(desk: Desk, provider: OidcProvider) -> Profile:
    application = await desk.application(
        provider="oidc-provider",
        authorize_uri=f"{provider.url}/auth",
        token_uri=f"{provider.url}/token",
        revocation_uri=f"{provider.url}/token/revocation",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        client_authentication=CLIENT_AUTHENTICATION_BASIC,
        scope="read write",
    )
    return await desk.create(Profile(name="Grant", application_number=application.number))


async def answer_of(desk: Desk, provider: OidcProvider, profile: Profile) -> dict[str, Any]:
    """Returns what a browser brings of a consent."""
    started = await desk.call("StartAuthorization", id=profile.id, redirect_uri=CALLBACK)
    answer = dict((await provider.consent(URL(started.authorization_uri, encoded=True))).query)
    assert answer.keys() == {"code", "state", "iss"}
    return {"code": answer["code"], "state": answer["state"], "issuer": answer["iss"]}


async def test_a_consent_gives_tokens_that_end_with_the_profile(desk: Desk, oidc_provider: OidcProvider) -> None:
    profile = await profile_at(desk, oidc_provider)
    await desk.call("CompleteAuthorization", **await answer_of(desk, oidc_provider, profile))
    revealed = await desk.get(profile.id, view=PROFILE_VIEW_TOKENS)
    assert revealed.token_status.scope == "read write"
    status, tokens = await oidc_provider.refresh(revealed.refresh_token)
    assert status == 200
    await desk.update(Profile(id=profile.id, refresh_token=tokens["refresh_token"]), "refresh_token")

    reply = await desk.call("DeleteProfile", id=profile.id)

    assert reply.revocation == REVOCATION_DONE
    assert (await oidc_provider.refresh(tokens["refresh_token"]))[1]["error"] == "invalid_grant"


async def test_the_answer_of_another_issuer_is_dropped(desk: Desk, oidc_provider: OidcProvider) -> None:
    profile = await profile_at(desk, oidc_provider)
    answer = await answer_of(desk, oidc_provider, profile)
    refusal = await refusal_of(desk.call("CompleteAuthorization", **{**answer, "issuer": "https://evil.example"}))
    assert refusal.reason == "AUTHORIZATION_STATE_INVALID"
