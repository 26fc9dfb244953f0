# SPDX-License-Identifier: Apache-2.0
"""JWTs that client applications get for themselves: what they say and carry, how long they live, who gets none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode
from joserfc import jwt as jose
from joserfc.jwk import KeySet
from sqlalchemy import func, select, text

from almoner.v1 import application_pb2, application_service_pb2, token_service_pb2
from service.access.organization_roles import service_scope
from service.clock import SECOND
from tests.refusals import refusal_of
from tests.service.clients import (
    ADMINISTRATOR,
    CLIENT_CREDENTIALS,
    DEVELOPER,
    MEMBER,
    OWNER,
    App,
    bearer,
    claims_of,
    header_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from service.storage.store import Tx
    from tests.service.clients import Clients

A, T = application_service_pb2, token_service_pb2
READER, WRITER = service_scope("billing", "reader"), service_scope("billing", "writer")
EVERY_BILLING = service_scope("billing", "*").replace("%2A", "*")
NOBODYS = "00000000-0000-4000-8000-000000000000"


async def reason_of(call: Awaitable[Any]) -> str:
    return (await refusal_of(call)).reason


def seconds(number: int) -> Duration:
    return Duration(seconds=number)


class TestClaims:
    async def test_a_token_says_who_may_do_what_where_until_when(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER, READER, allowed=[DEVELOPER, READER, "openid", "email"])
        issued = await clients.issue(app)
        claims, settings = claims_of(issued.access_token), clients.almoner.settings
        assert len(claims.pop("jti")) == 36
        now = clients.time.now // SECOND
        assert claims == {
            "iss": settings.token_issuer,
            "aud": settings.token_audience,
            "sub": app.id,
            "azp": app.id,
            "client_id": app.id,
            "iat": now,
            "exp": now + 600,
            "org_id": clients.organization.id,
            "permissions": [DEVELOPER, READER],
            "scope": "email openid",
        }
        assert header_of(issued.access_token).items() >= {"alg": "ES256", "typ": "at+jwt"}.items()
        assert issued.lifetime == seconds(600)
        assert list(issued.scopes) == ["email", "openid", DEVELOPER, READER]
        assert issued.organization_id == clients.organization.id

    async def test_what_it_does_not_carry_is_not_there(self, clients: Clients) -> None:
        claims = claims_of(await clients.token(await clients.client(allowed=[])))
        assert claims["permissions"] == []
        assert "scope" not in claims

    async def test_no_two_are_the_same(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER)
        assert await clients.token(app) != await clients.token(app)

    async def test_any_resource_server_can_check_it_with_the_published_keys(self, clients: Clients) -> None:
        token = await clients.token(await clients.client(DEVELOPER))
        keys = (await clients.tokens.ListSigningKeys(T.ListSigningKeysRequest())).keys
        jwks: Any = {"keys": [{field.name: value for field, value in key.ListFields()} for key in keys]}
        assert jose.decode(token, KeySet.import_key_set(jwks), algorithms=["ES256"]).claims == claims_of(token)
        public = jwt.PyJWKSet.from_dict(jwks)[header_of(token)["kid"]]
        settings = clients.almoner.settings
        checked = jwt.decode(
            token,
            public,
            algorithms=["ES256"],
            issuer=settings.token_issuer,
            audience=settings.token_audience,
            options={"verify_exp": False, "verify_iat": False},
        )
        assert checked == claims_of(token)


class TestLifetime:
    @pytest.mark.parametrize(
        ("of_application", "wanted", "lives"),
        [
            (None, None, 600),
            (None, 60, 60),
            (None, 3600, 600),
            (120, None, 120),
            (120, 119, 119),
            (120, 121, 120),
            (18_000, None, 18_000),
            (18_001, None, 18_000),
            (2_147_483, 2_147_483_647, 18_000),
        ],
    )
    async def test_it_is_the_shortest_that_anybody_names(
        self, clients: Clients, of_application: int | None, wanted: int | None, lives: int
    ) -> None:
        app = await clients.client(access_token_lifetime=seconds(of_application) if of_application else None)
        issued = await clients.issue(app, lifetime=seconds(wanted) if wanted else None)
        claims = claims_of(issued.access_token)
        assert claims["exp"] - claims["iat"] == issued.lifetime.seconds == lives

    async def test_it_is_whole_seconds(self, clients: Clients) -> None:
        clients.time.pass_by(700_000)
        app = await clients.client(access_token_lifetime=Duration(seconds=90, nanos=900_000_000))
        issued = await clients.issue(app)
        assert claims_of(issued.access_token)["iat"] == clients.time.now // SECOND
        assert issued.lifetime == seconds(90)
        issued = await clients.issue(app, lifetime=Duration(seconds=1, nanos=500_000_000))
        assert issued.lifetime == seconds(1)

    @pytest.mark.parametrize(("whole", "nanos"), [(0, 0), (0, 999_999_999), (-1, 0)])
    async def test_less_than_a_second_is_none(self, clients: Clients, whole: int, nanos: int) -> None:
        app = await clients.client()
        wanted = Duration(seconds=whole, nanos=nanos)
        assert (await refusal_of(clients.issue(app, lifetime=wanted))).fields == ["lifetime"]


class TestScopes:
    @pytest.mark.parametrize(
        ("given", "allowed", "carried"),
        [
            ([OWNER, DEVELOPER], [DEVELOPER], [DEVELOPER]),
            ([DEVELOPER], [OWNER, DEVELOPER, MEMBER], [DEVELOPER]),
            ([READER, WRITER], [EVERY_BILLING], [READER, WRITER]),
            ([READER], [EVERY_BILLING, WRITER], [READER]),
            ([READER], [service_scope("shipping", "*").replace("%2A", "*")], []),
            ([EVERY_BILLING], [READER], []),
            ([DEVELOPER], ["org:*"], []),
            (["profiles"], ["profiles"], ["profiles"]),
            ([DEVELOPER], [DEVELOPER, "profiles", "admin"], [DEVELOPER]),
            (["openid"], ["email"], ["email"]),
            ([DEVELOPER], ["two words", "openid"], ["openid"]),
            ([], [], []),
        ],
    )
    async def test_a_token_carries_what_was_given_as_far_as_it_is_allowed_and_what_is_general(
        self, clients: Clients, given: list[str], allowed: list[str], carried: list[str]
    ) -> None:
        app = await clients.client(allowed=allowed)
        await clients.join(app, *given)
        assert list((await clients.issue(app)).scopes) == carried

    async def test_a_client_asks_for_some_of_them(self, clients: Clients) -> None:
        app = await clients.client(OWNER, DEVELOPER, READER)
        await clients.allow(app, OWNER, DEVELOPER, EVERY_BILLING, "openid")
        issued = await clients.issue(app, scopes=["openid", READER, DEVELOPER, DEVELOPER])
        assert list(issued.scopes) == ["openid", DEVELOPER, READER]

    @pytest.mark.parametrize("wanted", [OWNER, WRITER, EVERY_BILLING, "email", "admin", "two words"])
    async def test_a_client_gets_nothing_else(self, clients: Clients, wanted: str) -> None:
        app = await clients.client(DEVELOPER, READER, allowed=[OWNER, DEVELOPER, EVERY_BILLING, "openid", "admin"])
        refusal = await refusal_of(clients.issue(app, scopes=["openid", wanted]))
        assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "SCOPE_REFUSED")
        assert refusal.metadata == {"scope": wanted}

    async def test_more_than_fits_into_a_token_is_asked_for_in_part(self, clients: Clients) -> None:
        many = [service_scope("x" * 200, f"role{number}") for number in range(100)]
        app = await clients.client(*many, allowed=many)
        assert await reason_of(clients.issue(app)) == "SCOPE_REFUSED"
        assert list((await clients.issue(app, scopes=many[:5])).scopes) == many[:5]


class TestPlaces:
    async def test_without_a_membership_there_is_no_role(self, clients: Clients) -> None:
        issued = await clients.issue(await clients.client())
        assert list(issued.scopes) == ["openid"]
        assert issued.organization_id == clients.organization.id

    async def test_elsewhere_a_client_has_what_it_was_given_there(self, clients: Clients) -> None:
        other = await clients.almoner.organization("Other")
        app = await clients.client(DEVELOPER)
        await clients.join(app, MEMBER, organization_id=other.id)
        for organization_id in (other.id, other.id.upper()):
            issued = await clients.issue(app, organization_id=organization_id)
            assert (issued.organization_id, list(issued.scopes)) == (other.id, ["openid", MEMBER])
        assert DEVELOPER in (await clients.issue(app, organization_id=clients.organization.id)).scopes

    async def test_where_it_is_no_member_it_gets_none(self, clients: Clients) -> None:
        other = await clients.almoner.organization("Other")
        app = await clients.client(DEVELOPER)
        for organization_id in (other.id, NOBODYS):
            refusal = await refusal_of(clients.issue(app, organization_id=organization_id))
            assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "MEMBERSHIP_NOT_FOUND")


class TestRefusals:
    async def test_a_wrong_secret(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER)
        for wrong in (app._replace(secret="wrong"), app._replace(secret=""), app._replace(id="unknown")):
            refusal = await refusal_of(clients.issue(wrong))
            assert (refusal.code, refusal.reason) == (StatusCode.UNAUTHENTICATED, "CLIENT_INVALID")

    async def test_a_public_client_proves_nothing(self, clients: Clients) -> None:
        client = application_pb2.ClientApplication(grant_types=[CLIENT_CREDENTIALS])
        application = application_pb2.Application(name="C", organization_id=clients.organization.id, client=client)
        request = A.CreateApplicationRequest(application=application, public=True)
        made = (await clients.applications.CreateApplication(request, metadata=clients.by_admin)).application
        for secret in ("", "anything"):
            assert await reason_of(clients.issue(App(made.id, made.number, secret))) == "CLIENT_INVALID"

    @pytest.mark.parametrize("at_home", [True, False])
    async def test_a_disabled_organization(self, clients: Clients, *, at_home: bool) -> None:
        other = await clients.almoner.organization("Other")
        app = await clients.client(DEVELOPER)
        await clients.join(app, DEVELOPER, organization_id=other.id)
        await clients.disable(clients.organization if at_home else other)
        assert await reason_of(clients.issue(app, organization_id=other.id)) == "CLIENT_INVALID"
        if not at_home:
            assert await clients.issue(app)
        await clients.disable(clients.organization if at_home else other, disabled=False)
        assert await clients.issue(app, organization_id=other.id)

    async def test_an_application_that_may_not_have_tokens_of_its_own(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER, grant_types=[application_pb2.GRANT_TYPE_PASSWORD])
        refusal = await refusal_of(clients.issue(app))
        assert (refusal.reason, refusal.metadata) == ("GRANT_TYPE_REFUSED", {"grant_type": "CLIENT_CREDENTIALS"})

    async def test_a_policy_against_it(self, clients: Clients) -> None:
        app = await clients.client(DEVELOPER)
        await clients.refuse_grant_type(application_pb2.GRANT_TYPE_PASSWORD)
        assert await clients.issue(app)
        await clients.refuse_grant_type(application_pb2.GRANT_TYPE_PASSWORD, CLIENT_CREDENTIALS)
        assert await reason_of(clients.issue(app)) == "GRANT_TYPE_REFUSED"

    async def test_an_id_that_would_pass_for_a_users(self, clients: Clients) -> None:
        assert (await refusal_of(clients.client(application_id="user:1"))).fields == ["application.id"]


async def test_nothing_is_written_of_a_token(clients: Clients) -> None:
    app = await clients.client(DEVELOPER)
    tables = ("grants", "request_replies", "users", "client_memberships", "token_policies", "audit_events")

    def count(tx: Tx) -> list[int]:
        return [tx.execute(select(func.count()).select_from(text(table))).scalar_one() for table in tables]

    before = await clients.almoner.service.store.read(count)
    await clients.token(app)
    assert await clients.almoner.service.store.read(count) == before


async def test_it_is_in_no_grant(clients: Clients) -> None:
    app = await clients.client(OWNER)
    token = await clients.token(app)
    request = T.IntrospectTokensRequest(tokens=[token])
    (introspection,) = (await clients.tokens.IntrospectTokens(request, metadata=clients.by_admin)).introspections
    assert not introspection.active
    assert await reason_of(clients.tokens.VerifyToken(T.VerifyTokenRequest(access_token=token))) == "TOKEN_INVALID"
    assert await reason_of(clients.tokens.RevokeToken(T.RevokeTokenRequest(token=token))) == "TOKEN_INVALID"
    assert (await clients.who(bearer(token))).user.display_name == app.id


async def test_it_is_not_changed_for_another(clients: Clients) -> None:
    token = await clients.token(await clients.client(ADMINISTRATOR))
    assert await reason_of(clients.exchange(token)) == "TOKEN_INVALID"
