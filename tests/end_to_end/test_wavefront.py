# SPDX-License-Identifier: Apache-2.0
"""VMware's own Python client, as it is published, gets tokens from the gateway, also while a secret is rotated."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from tests.databases import ADMIN_TOKEN
from tests.wavefront import token_service

if TYPE_CHECKING:
    from tests.rest import Rest

CSP = "/csp/gateway/am/api"
OLD = "Abcdefg1"
NEW = "Bcdefgh2:%+ü"

_NUMBERS = itertools.count(1)


@dataclass
class App:
    """An OAuth app of the first organization, and VMware's client that acts as it."""

    rest: Rest
    organization: str
    id: str

    @property
    def path(self) -> str:
        return f"{CSP}/orgs/{self.organization}/oauth-apps/{self.id}"

    async def token(self, secret: str, **options: str) -> str | None:
        """Returns the token that the client gets with a secret."""
        return await got(self.rest, "OAUTH", csp_app_id=self.id, csp_app_secret=secret, **options)


async def got(rest: Rest, kind: str, **options: str) -> str | None:
    """Returns the token that the client gets."""
    url = str(rest.client.make_url(""))
    service = token_service(kind, base_url=url, **options)
    token: str | None = await asyncio.to_thread(service.get_csp_access_token)
    return token


def claims_of(token: str | None) -> dict[str, Any]:
    """Returns what a token says, unverified."""
    assert token is not None
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


@pytest.fixture
async def app(rest: Rest) -> App:
    tenant = await rest.tenant()
    made = await rest.post(
        f"{CSP}/orgs/{tenant.id}/oauth-apps",
        {
            "id": f"wavefront-{next(_NUMBERS)}",
            "displayName": "App",
            "description": "Sends metrics",
            "grantTypes": ["client_credentials"],
            "allowedScopes": {"generalScopes": ["openid"]},
            "secret": OLD,
        },
    )
    assert made.status == 200, made
    return App(rest, tenant.id, made.json()["clientId"])


def test_it_is_the_published_client() -> None:
    assert version("wavefront-sdk-python") == "2.1.0"


async def test_it_gets_a_token_with_the_id_and_the_secret_of_an_app(app: App) -> None:
    claims = claims_of(await app.token(OLD))

    assert (claims["azp"], claims["sub"], claims["org_id"]) == (app.id, app.id, app.organization)
    assert claims["scope"] == "openid"
    assert claims["exp"] - claims["iat"] == 600


async def test_it_gets_a_token_for_the_organization_that_it_names(app: App) -> None:
    assert claims_of(await app.token(OLD, csp_org_id=app.organization))["org_id"] == app.organization


async def test_it_gets_tokens_with_both_secrets_until_a_rotation_ends(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    begun = await app.rest.post(f"{app.path}/secret", {"newClientSecret": NEW})
    assert begun.status == 200, begun
    assert await app.token(OLD)
    assert await app.token(NEW)

    assert (await app.rest.delete(f"{app.path}/secret")).status == 200

    assert await app.token(OLD) is None
    assert "CSP auth token refresh failed with status code: 401 invalid_client: " in caplog.text
    assert await app.token(NEW)


async def test_it_fails_with_a_secret_that_was_replaced_at_once(app: App) -> None:
    replaced = await app.rest.put(f"{app.path}/secret", {})

    assert await app.token(OLD) is None
    assert await app.token(replaced.json()["clientSecret"])


async def test_it_tells_what_is_wrong_with_the_organization(app: App, caplog: pytest.LogCaptureFixture) -> None:
    elsewhere = await app.rest.tenant()

    assert await app.token(OLD, csp_org_id=elsewhere.id) is None
    assert "CSP auth token refresh failed with status code: 404 " in caplog.text


async def test_it_changes_an_api_token(rest: Rest) -> None:
    claims = claims_of(await got(rest, "API_TOKEN", csp_api_token=ADMIN_TOKEN))

    assert claims["sub"] == "user:1"
    assert "azp" not in claims


async def test_it_is_told_that_an_api_token_is_wrong(rest: Rest, caplog: pytest.LogCaptureFixture) -> None:
    wrong = f"{ADMIN_TOKEN}x"

    assert await got(rest, "API_TOKEN", csp_api_token=wrong) is None
    assert "status code: 400 invalid_grant: Invalid refresh token: " in caplog.text
    assert wrong not in caplog.text
