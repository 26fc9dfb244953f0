# SPDX-License-Identifier: Apache-2.0
"""JWTs that users get for their API tokens: what they say, how long they live, who gets none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode
from sqlalchemy import func, select

from almoner.v1 import directory_pb2, directory_service_pb2
from service.audit.tables import AuditEventRow
from service.clock import HOUR, MINUTE, SECOND
from service.storage.tables import table_of
from tests.databases import ADMIN_TOKEN
from tests.refusals import refusal_of
from tests.service.clients import ADMINISTRATOR, DEVELOPER, MEMBER, OWNER, ROLES, claims_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.running import Metadata
    from tests.service.clients import Clients

D = directory_service_pb2
NOBODYS = "00000000-0000-4000-8000-000000000000"


async def reason_of(call: Awaitable[Any]) -> str:
    return (await refusal_of(call)).reason


def at(time: int) -> Timestamp:
    return Timestamp(seconds=time // SECOND, nanos=time % SECOND * 1_000)


async def api_token(clients: Clients, by: Metadata, **members: Any) -> str:
    return str((await clients.api_token(by, **members)).token)


async def update(clients: Clients, *paths: str, **members: Any) -> None:
    request = D.UpdateUserRequest(user=directory_pb2.User(**members), update_mask=FieldMask(paths=paths))
    await clients.directory.UpdateUser(request, metadata=clients.by_admin)


class TestClaims:
    async def test_a_token_says_who_may_do_what_where_until_when(self, clients: Clients) -> None:
        by = await clients.user("ann", DEVELOPER)
        made = await clients.api_token(by)
        issued = await clients.exchange(made.token)
        claims, settings = claims_of(issued.access_token), clients.almoner.settings
        assert len(claims.pop("jti")) == 36
        now = clients.time.now // SECOND
        assert claims == {
            "iss": settings.token_issuer,
            "aud": settings.token_audience,
            "sub": f"user:{(await clients.who(by)).user.id}",
            "sid": str(made.api_token.id),
            "iat": now,
            "exp": now + 1800,
            "org_id": clients.organization.id,
            "permissions": [DEVELOPER, MEMBER],
        }
        assert issued.lifetime == Duration(seconds=1800)
        assert list(issued.scopes) == [DEVELOPER, MEMBER]
        assert issued.organization_id == clients.organization.id

    @pytest.mark.parametrize(
        ("role", "told"),
        [
            (OWNER, ROLES),
            (ADMINISTRATOR, (ADMINISTRATOR, DEVELOPER, MEMBER)),
            (DEVELOPER, (DEVELOPER, MEMBER)),
            (MEMBER, (MEMBER,)),
            ("", ()),
        ],
    )
    async def test_it_tells_the_roles_whose_permissions_are_held(
        self, clients: Clients, role: str, told: tuple[str, ...]
    ) -> None:
        await clients.user("ann", role)
        ann = directory_pb2.ApiToken(name="T", user_id=(await clients.who(clients.almoner.as_("ann"))).user.id)
        request = D.CreateApiTokenRequest(api_token=ann)
        made = await clients.directory.CreateApiToken(request, metadata=clients.by_admin)
        assert list((await clients.exchange(made.token)).scopes) == sorted(told)

    async def test_elsewhere_it_tells_the_roles_there(self, clients: Clients) -> None:
        other, third = [await clients.almoner.organization(name) for name in ("Other", "Third")]
        by = await clients.user("ann", OWNER)
        binding = directory_pb2.RoleBinding(
            user_id=(await clients.who(by)).user.id, role_id=13, organization_id=other.id
        )
        request = D.CreateRoleBindingRequest(role_binding=binding)
        await clients.directory.CreateRoleBinding(request, metadata=clients.by_admin)
        token = await api_token(clients, by)
        issued = await clients.exchange(token, organization_id=other.id.upper())
        assert (issued.organization_id, list(issued.scopes)) == (other.id, [MEMBER])
        for organization_id in (third.id, NOBODYS):
            refusal = await refusal_of(clients.exchange(token, organization_id=organization_id))
            assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "ORGANIZATION_NOT_FOUND")
        await clients.disable(other)
        assert await reason_of(clients.exchange(token, organization_id=other.id)) == "ORGANIZATION_NOT_FOUND"

    async def test_the_administrator_of_the_server_owns_every_organization(self, clients: Clients) -> None:
        issued = await clients.exchange(ADMIN_TOKEN, organization_id=clients.organization.id)
        assert list(issued.scopes) == sorted(ROLES)


class TestLifetime:
    @pytest.mark.parametrize(
        ("wanted", "lives"), [(None, 1800), (1, 1), (7200, 7200), (18_000, 18_000), (18_001, 18_000)]
    )
    async def test_it_is_what_is_asked_for_within_five_hours(
        self, clients: Clients, wanted: int | None, lives: int
    ) -> None:
        issued = await clients.exchange(ADMIN_TOKEN, lifetime=Duration(seconds=wanted) if wanted else None)
        claims = claims_of(issued.access_token)
        assert claims["exp"] - claims["iat"] == issued.lifetime.seconds == lives

    async def test_it_ends_with_the_api_token(self, clients: Clients) -> None:
        ends = clients.time.now + 90 * SECOND + 500_000
        token = await api_token(clients, await clients.user("ann", MEMBER), expire_time=at(ends))
        issued = await clients.exchange(token)
        assert issued.lifetime == Duration(seconds=90)
        assert claims_of(issued.access_token)["exp"] == ends // SECOND
        clients.time.pass_by(89 * SECOND + 999_999)
        assert (await clients.exchange(token)).lifetime == Duration(seconds=1)
        clients.time.pass_by(1)
        assert await reason_of(clients.exchange(token)) == "TOKEN_INVALID"


class TestRefusals:
    async def test_what_is_no_api_token(self, clients: Clients) -> None:
        jwt = (await clients.exchange(ADMIN_TOKEN)).access_token
        for wrong in ("almoner_unknown", jwt, "x" * 8192, "ä"):
            refusal = await refusal_of(clients.exchange(wrong))
            assert (refusal.code, refusal.reason) == (StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
        assert (await refusal_of(clients.exchange(""))).fields == ["api_token"]

    async def test_a_revoked_one(self, clients: Clients) -> None:
        made = await clients.api_token(clients.by_admin)
        await clients.exchange(made.token)
        request = D.RevokeApiTokenRequest(id=made.api_token.id)
        await clients.directory.RevokeApiToken(request, metadata=clients.by_admin)
        assert await reason_of(clients.exchange(made.token)) == "TOKEN_INVALID"

    @pytest.mark.parametrize("state", ["locked", "disabled"])
    async def test_a_user_who_may_not_log_in(self, clients: Clients, state: str) -> None:
        by = await clients.user("ann", MEMBER)
        token, user = await api_token(clients, by), (await clients.who(by)).user
        await update(clients, state, id=user.id, **{state: True})
        assert await reason_of(clients.exchange(token)) == "TOKEN_INVALID"

    async def test_a_disabled_organization(self, clients: Clients) -> None:
        token = await api_token(clients, await clients.user("ann", MEMBER))
        await clients.disable(clients.organization)
        assert await reason_of(clients.exchange(token)) == "TOKEN_INVALID"


async def test_nothing_is_written_of_a_token(clients: Clients) -> None:
    statement = select(func.count()).select_from(table_of(AuditEventRow))
    before = await clients.almoner.service.store.read(lambda tx: tx.execute(statement).scalar_one())
    await clients.exchange(ADMIN_TOKEN)
    assert await clients.almoner.service.store.read(lambda tx: tx.execute(statement).scalar_one()) == before


async def test_the_api_token_stays_as_it_is(clients: Clients) -> None:
    clients.time.pass_by(HOUR + MINUTE)
    for _ in range(2):
        assert (await clients.exchange(ADMIN_TOKEN)).access_token
    assert (await clients.who((("authorization", f"Bearer {ADMIN_TOKEN}"),))).user.username == "admin"
