# SPDX-License-Identifier: Apache-2.0
"""The keys that JWTs are checked against: which are published when, and what is accepted while they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from almoner.v1 import token_service_pb2
from service.clock import MINUTE, SECOND
from tests.refusals import refusal_of
from tests.service.clients import DEVELOPER, bearer, claims_of, header_of

if TYPE_CHECKING:
    from service.crypto.keyring_file import SigningAlgorithm
    from tests.service.clients import Clients

T = token_service_pb2
DELAY, OVERLAP = 10 * MINUTE, 30 * MINUTE


async def keys_of(clients: Clients) -> list[Any]:
    return list((await clients.tokens.ListSigningKeys(T.ListSigningKeysRequest())).keys)


async def kids(clients: Clients) -> list[str]:
    return [key.kid for key in await keys_of(clients)]


def rotate(clients: Clients, algorithm: SigningAlgorithm = "ES256", overlap: int = OVERLAP) -> str:
    keyring = clients.almoner.service.keyring
    return keyring.rotate_signing(algorithm, clients.time, delay=DELAY, overlap=overlap).kid


@pytest.mark.parametrize(
    ("algorithm", "described"),
    [
        ("ES256", {"kty": "EC", "crv": "P-256"}),
        ("RS256", {"kty": "RSA", "e": "AQAB"}),
        ("EdDSA", {"kty": "OKP", "crv": "Ed25519"}),
    ],
)
async def test_a_key_is_shown_with_its_public_half_alone(
    clients: Clients, algorithm: SigningAlgorithm, described: dict[str, str]
) -> None:
    rotate(clients, algorithm)
    key = (await keys_of(clients))[0]
    members = {field.name: value for field, value in key.ListFields()}
    assert members.items() >= {**described, "alg": algorithm, "use": "sig"}.items()
    halves = {"EC": {"x", "y"}, "RSA": {"n"}, "OKP": {"x"}}[key.kty]
    assert set(members) == {*described, "alg", "use", "kid", *halves}


async def test_nobody_needs_credentials_for_them(clients: Clients) -> None:
    metadata = (("authorization", "Bearer stale"),)
    assert (await clients.tokens.ListSigningKeys(T.ListSigningKeysRequest(), metadata=metadata)).keys


class TestRotation:
    async def test_a_new_key_is_published_before_it_signs_and_an_old_one_after_it_signed(
        self, clients: Clients
    ) -> None:
        app = await clients.client(DEVELOPER)
        (first,) = await kids(clients)
        second = rotate(clients)

        async def signed_by() -> str:
            return str(header_of(await clients.token(app))["kid"])

        assert await kids(clients) == [second, first]
        clients.time.pass_by(DELAY - 1)
        assert await signed_by() == first
        clients.time.pass_by(1)
        assert await signed_by() == second
        assert await kids(clients) == [second, first]
        clients.time.pass_by(OVERLAP - 1)
        assert await kids(clients) == [second, first]
        clients.time.pass_by(1)
        assert await kids(clients) == [second]

    async def test_a_token_of_the_key_before_is_accepted_until_that_is_gone(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER, access_token_lifetime={"seconds": 18_000})
        by = bearer(await clients.token(app))
        rotate(clients)
        clients.time.pass_by(DELAY + OVERLAP - 1)
        assert await clients.who(by)
        clients.time.pass_by(1)
        assert (await refusal_of(clients.who(by))).reason == "CREDENTIALS_INVALID"
        assert await clients.who(await clients.by_client(app))

    async def test_a_token_outlives_no_overlap_that_is_long_enough(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER, access_token_lifetime={"seconds": 18_000})
        rotate(clients, overlap=305 * MINUTE)
        clients.time.pass_by(DELAY - 1)
        token = await clients.token(app)
        clients.time.now = claims_of(token)["exp"] * SECOND - SECOND
        assert await clients.who(bearer(token))
