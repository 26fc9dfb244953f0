# SPDX-License-Identifier: Apache-2.0
"""Access tokens as credentials of every method: whom they authenticate, and what they limit them to."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from sqlalchemy import insert, update

from almoner.v1 import directory_pb2, directory_service_pb2, token_service_pb2, token_service_pb2_grpc
from service.access.authentication import ACCESS_TOKEN_DIGEST, API_TOKEN_DIGEST
from service.access.permissions import ALL, Permission
from service.access.scopes import SCOPES
from service.clock import MINUTE, system_clock
from service.directory.tables import ApiTokenRow
from service.grants.tables import GrantRow
from service.rpc.interceptors import ANONYMOUS_METHODS
from service.storage.tables import table_of
from tests.refusals import refusal_of
from tests.running import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.databases import Template
    from tests.running import Almoner, Metadata

P = Permission
PROTOS = Path(__file__).parents[3] / "protos/almoner/v1"
TOKEN = base64.b64encode(b"sixteen bytes it").decode()
_GRANTS = table_of(GrantRow)


@dataclass
class Hands:
    """A clock that stands until it is moved; epoch microseconds."""

    now: int = field(default_factory=system_clock)

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def ticking(template: Template, tmp_path: Path, hands: Hands) -> AsyncIterator[Almoner]:
    """A running service on each backend, whose clock the tests move."""
    async with running(template, tmp_path, clock=hands) as almoner:
        yield almoner


async def grant(almoner: Almoner, *scopes: str, user_id: int = 1, token: str = TOKEN, **members: Any) -> Metadata:
    """Stores a grant of the first start's application for a user, and returns its token as credentials."""
    now = almoner.service.clock()
    values: dict[str, Any] = {
        "application_number": 1,
        "user_id": user_id,
        "grant_type": 4,
        "scopes": " ".join(sorted(scopes)),
        "renewable": False,
        "access_token": almoner.service.keyring.digest(ACCESS_TOKEN_DIGEST, token.encode()),
        "access_token_lifetime": MINUTE,
        "access_token_issued": now,
        "access_token_expires": now + MINUTE,
        "issued": now,
        "expires": now + MINUTE,
        "revoked": 0,
    }
    statement = insert(_GRANTS).values({**values, **members})
    await almoner.service.store.write(lambda tx: tx.execute(statement))
    return (("authorization", f"Bearer {token}"),)


async def who(almoner: Almoner, by: Metadata) -> directory_service_pb2.WhoAmIResponse:
    reply = await almoner.directory.WhoAmI(directory_service_pb2.WhoAmIRequest(), metadata=by)
    assert isinstance(reply, directory_service_pb2.WhoAmIResponse)
    return reply


async def refused(almoner: Almoner, by: Metadata) -> str:
    refusal = await refusal_of(who(almoner, by))
    assert refusal.code == StatusCode.UNAUTHENTICATED
    return refusal.reason


async def test_a_token_authenticates_its_user_limited_to_its_scopes(almoner: Almoner) -> None:
    acme = await almoner.organization("Acme")
    ann = await almoner.user("ann", organization_id=acme.id, permissions=[20, 22], role_ids=[2])
    me = await who(almoner, await grant(almoner, "applications", "profiles:reveal", user_id=ann.id))
    assert (me.user, me.organization) == (ann, acme)
    assert (me.scoped, list(me.scopes)) == (True, ["applications", "profiles:reveal"])
    assert list(map(Permission, me.permissions)) == [P.MANAGEMENT_API, P.PROFILES_REVEAL, P.APPLICATIONS_VIEW]


async def test_a_token_that_allows_nothing_still_says_whose_it_is(almoner: Almoner) -> None:
    ann = await almoner.user("ann", permissions=[1])
    me = await who(almoner, await grant(almoner, "certificate:manage", user_id=ann.id))
    assert me.user == ann
    assert me.organization.number == 1
    assert not me.permissions


@pytest.mark.parametrize("scope", ["admin", "profiles", "applications:manage", "tokens:introspect", "ssh"])
async def test_an_administrator_is_limited_everywhere(almoner: Almoner, scope: str) -> None:
    me = await who(almoner, await grant(almoner, scope))
    assert set(map(Permission, me.permissions)) == SCOPES[scope]
    acme = await almoner.organization("Acme")
    request = directory_service_pb2.ListUsersRequest(organization_id=acme.id)
    call = almoner.directory.ListUsers(request, metadata=(("authorization", f"Bearer {TOKEN}"),))
    if scope == "admin":
        await call
    else:
        assert (await refusal_of(call)).reason == "PERMISSION_MISSING"


async def test_a_password_and_an_api_token_are_not_limited(almoner: Almoner) -> None:
    for by in (almoner.as_admin, almoner.as_admin_token):
        me = await who(almoner, by)
        assert (me.scoped, list(me.scopes)) == (False, [])
        assert set(map(Permission, me.permissions)) == ALL


async def test_everything_that_is_bound_to_the_caller_is_told_whatever_the_scopes(almoner: Almoner) -> None:
    acme = await almoner.organization("Acme")
    ann = await almoner.user("ann", organization_id=acme.id, role_ids=[2])
    bound = []
    for place in ({"server": True}, {"organization_id": acme.id}, {"application_id": "almoner"}):
        wanted = directory_pb2.RoleBinding(user_id=ann.id, role_id=9, **place)
        request = directory_service_pb2.CreateRoleBindingRequest(role_binding=wanted)
        reply = await almoner.directory.CreateRoleBinding(request, metadata=almoner.as_admin)
        bound.append(reply.role_binding)
    by_token = await who(almoner, await grant(almoner, "ssh", user_id=ann.id))
    by_password = await who(almoner, almoner.as_("ann"))
    on_behalf = await who(almoner, (*almoner.as_admin, ("almoner-on-behalf-of", "ann")))
    at_home, *rest = by_token.role_bindings
    assert (at_home.role_id, at_home.organization_id) == (2, acme.id)
    assert rest == bound
    assert by_password.role_bindings == on_behalf.role_bindings == by_token.role_bindings


async def test_a_token_is_good_until_it_expires(ticking: Almoner, hands: Hands) -> None:
    by = await grant(ticking, "admin")
    hands.now += MINUTE - 1
    assert (await who(ticking, by)).user.id == 1
    hands.now += 1
    assert await refused(ticking, by) == "CREDENTIALS_INVALID"


async def test_a_revoked_token_is_refused(almoner: Almoner) -> None:
    by = await grant(almoner, "admin")
    assert (await who(almoner, by)).user.id == 1
    statement = update(_GRANTS).values(revoked=almoner.service.clock())
    await almoner.service.store.write(lambda tx: tx.execute(statement))
    assert await refused(almoner, by) == "CREDENTIALS_INVALID"


@pytest.mark.parametrize("member", ["locked", "disabled"])
async def test_a_token_of_a_user_who_may_not_log_in_is_refused(almoner: Almoner, member: str) -> None:
    ann = await almoner.user("ann")
    by = await grant(almoner, "admin", user_id=ann.id)
    assert (await who(almoner, by)).user.id == ann.id
    user = directory_pb2.User(id=ann.id, **{member: True})  # type: ignore[arg-type]
    request = directory_service_pb2.UpdateUserRequest(user=user, update_mask=FieldMask(paths=[member]))
    await almoner.directory.UpdateUser(request, metadata=almoner.as_admin)
    assert await refused(almoner, by) == "CREDENTIALS_INVALID"


async def test_a_token_of_a_disabled_organization_is_refused(almoner: Almoner) -> None:
    acme = await almoner.organization("Acme")
    ann = await almoner.user("ann", organization_id=acme.id)
    by = await grant(almoner, "admin", user_id=ann.id)
    organization = directory_pb2.Organization(id=acme.id, disabled=True)
    request = directory_service_pb2.UpdateOrganizationRequest(organization=organization)
    await almoner.directory.UpdateOrganization(request, metadata=almoner.as_admin)
    assert await refused(almoner, by) == "CREDENTIALS_INVALID"


async def test_an_expired_password_ends_no_token(ticking: Almoner, hands: Hands) -> None:
    ann = await ticking.user("ann")
    by = await grant(ticking, "admin", user_id=ann.id)
    user = directory_pb2.User(id=ann.id)
    user.password_expire_time.FromMicroseconds(hands.now + 1)
    request = directory_service_pb2.UpdateUserRequest(user=user)
    await ticking.directory.UpdateUser(request, metadata=ticking.as_admin)
    hands.now += 2
    assert await refused(ticking, ticking.as_("ann")) == "CREDENTIALS_INVALID"
    assert (await who(ticking, by)).user.id == ann.id


@pytest.mark.parametrize(
    "token",
    [
        base64.b64encode(b"another 16 bytes").decode(),
        TOKEN.removesuffix("=="),
        TOKEN.swapcase(),
        f"{TOKEN}=",
        f"{TOKEN[:-3]}é==",
    ],
)
async def test_anything_else_is_no_token(almoner: Almoner, token: str) -> None:
    assert await refused(almoner, (("authorization", f"Bearer {token}"),)) == "CREDENTIALS_INVALID"


async def test_an_api_token_that_an_operator_chose_may_look_like_an_access_token(
    almoner: Almoner,
) -> None:
    digest = almoner.service.keyring.digest(API_TOKEN_DIGEST, TOKEN.encode())
    statement = update(table_of(ApiTokenRow)).values(digest=digest)
    await almoner.service.store.write(lambda tx: tx.execute(statement))
    assert not (await who(almoner, (("authorization", f"Bearer {TOKEN}"),))).scoped


@pytest.mark.parametrize(
    ("demanded", "missing"),
    [
        ("admin", None),
        ("admin,admin:delete", None),
        ("profiles", "profiles"),
        ("admin,profiles,ssh", "profiles"),
        ("Admin", "Admin"),
        ("admin,", ""),
    ],
)
async def test_a_dialect_can_demand_scopes_of_those_who_are_limited(
    almoner: Almoner, demanded: str, missing: str | None
) -> None:
    demand = ("almoner-required-scopes", demanded)
    by = await grant(almoner, "admin", "admin:delete")
    if missing is None:
        assert (await who(almoner, (*by, demand))).user.id == 1
    else:
        refusal = await refusal_of(who(almoner, (*by, demand)))
        assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")
        assert refusal.metadata == {"scope": missing}
    for unlimited in (almoner.as_admin, almoner.as_admin_token):
        assert (await who(almoner, (*unlimited, demand))).user.id == 1


async def test_scopes_are_looked_at_before_permissions(almoner: Almoner) -> None:
    ann = await almoner.user("ann")
    by = await grant(almoner, "ssh", user_id=ann.id)
    demands = (("almoner-required-permissions", "MANAGEMENT_API"), ("almoner-required-scopes", "admin"))
    assert (await refusal_of(who(almoner, (*by, *demands)))).reason == "SCOPE_MISSING"


async def test_who_acts_for_another_stays_limited(almoner: Almoner) -> None:
    ann = await almoner.user("ann", permissions=[11, 16])
    for_ann = ("almoner-on-behalf-of", "ann")
    me = await who(almoner, (*await grant(almoner, "admin"), for_ann))
    assert (me.user, me.actor.id, list(me.scopes)) == (ann, 1, ["admin"])
    assert list(map(Permission, me.permissions)) == [P.PROFILES_GET, P.PROFILES_ALL]
    other = base64.b64encode(b"16 bytes of other").decode()[:22] + "=="
    by = await grant(almoner, "profiles", token=other)
    assert (await refusal_of(who(almoner, (*by, for_ann)))).reason == "ON_BEHALF_REFUSED"


@pytest.mark.parametrize(
    ("method", "members", "reason"),
    [
        ("VerifyToken", {"access_token": TOKEN}, "TOKEN_INVALID"),
        ("RevokeToken", {"token": TOKEN}, "TOKEN_INVALID"),
        ("RefreshToken", {"client_id": "almoner", "refresh_token": TOKEN}, "TOKEN_INVALID"),
        ("StartDeviceAuthorization", {"client_id": "nobody", "scopes": ["admin"]}, "CLIENT_INVALID"),
        ("IssueToken", {"client_id": "nobody", "scopes": ["admin"], "jwt": "x"}, "CLIENT_INVALID"),
        ("IssueToken", {}, "INVALID_FIELD"),
    ],
)
async def test_anonymous_methods_look_at_no_credentials_of_a_caller(
    almoner_over: Almoner, method: str, members: dict[str, Any], reason: str
) -> None:
    request = getattr(token_service_pb2, f"{method}Request")(**members)
    stub: Any = token_service_pb2_grpc.TokenServiceStub(almoner_over.channel)
    for authorization in ("", "Bearer stale", "Basic !!!", "Digest x"):
        metadata = (("authorization", authorization), ("almoner-required-scopes", "admin")) if authorization else ()
        assert (await refusal_of(getattr(stub, method)(request, metadata=metadata))).reason == reason


def test_every_method_that_says_so_is_anonymous_and_no_other() -> None:
    said = {
        f"/almoner.v1.{service}/{method}"
        for path in PROTOS.glob("*_service.proto")
        for service in re.findall(r"^service (\w+) ", path.read_text(), re.MULTILINE)
        for method in re.findall(r"// Required permissions: anonymous.*?rpc (\w+)\(", path.read_text(), re.DOTALL)
    }
    assert said == ANONYMOUS_METHODS
