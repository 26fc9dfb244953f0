# SPDX-License-Identifier: Apache-2.0
"""When credentials stop working, and that they do so at once, cached or not."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from almoner.v1 import directory_pb2, directory_service_pb2
from service.clock import system_clock
from tests.conftest import TRANSPORTS
from tests.rest import PROFILES, Rest, gateway_over
from tests.running import as_user, basic, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.databases import Template

USERS = "/api/admin/users"
USER_ROLE = 2
SECOND = 1_000_000

_NUMBERS = itertools.count(1)


@dataclass
class Clock:
    """A clock that the test moves."""

    now: int = field(default_factory=system_clock)

    def __call__(self) -> int:
        return self.now


@dataclass
class Ann:
    """A user with a password, of a service whose clock is the test's."""

    rest: Rest
    clock: Clock
    name: str
    path: str = ""

    async def register(self, **password: Any) -> None:
        body = {
            "userName": self.name,
            "passwordInfo": {"password": "first", **password},
            "permissions": {"roles": [USER_ROLE]},
        }
        answer = await self.rest.post(USERS, body)
        assert answer.status == 201, answer
        self.path = answer.headers["Location"]

    async def change(self, **members: Any) -> None:
        answer = await self.rest.put(self.path, {"userName": self.name, **members})
        assert answer.status == 200, answer

    async def login(self, password: str = "first") -> int:
        return (await self.rest.get(PROFILES, by=basic(self.name, password))).status

    async def login_with(self, token: str) -> int:
        return (await self.rest.get(PROFILES, by=f"Bearer {token}")).status

    async def token(self, **members: Any) -> str:
        return await self.rest.token(self.user_id, **members)

    @property
    def user_id(self) -> int:
        return int(self.path.rpartition("/")[2])


@pytest.fixture(scope="module", params=TRANSPORTS)
async def clocked(
    request: pytest.FixtureRequest, module_template: Template, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Rest, Clock]]:
    """A gateway whose service has a clock of the test's, on each backend and over each transport."""
    clock = Clock()
    over_grpc = request.param == "over_grpc"
    async with (
        running(module_template, tmp_path_factory.mktemp("clocked"), over_grpc=over_grpc, clock=clock) as almoner,
        gateway_over(almoner) as rest,
    ):
        yield rest, clock


@pytest.fixture
def ann(clocked: tuple[Rest, Clock]) -> Ann:
    return Ann(*clocked, name=f"ann {next(_NUMBERS)}")


async def test_a_password_works_until_it_expires(ann: Ann) -> None:
    end = datetime.fromtimestamp(ann.clock.now // SECOND, UTC) + timedelta(hours=1)
    await ann.register(passwordExpiration=end.isoformat())
    assert await ann.login() == 200

    ann.clock.now = int(end.timestamp()) * SECOND - 1
    assert await ann.login() == 200
    ann.clock.now += 1
    assert await ann.login() == 401

    await ann.change(passwordInfo={"passwordExpiration": None})
    assert await ann.login() == 200


async def test_an_api_token_works_until_it_expires(ann: Ann) -> None:
    await ann.register()
    end = ann.clock.now // SECOND + 3600
    token = await ann.token(expire_time=Timestamp(seconds=end))

    ann.clock.now = end * SECOND - 1
    assert await ann.login_with(token) == 200
    ann.clock.now += 1
    assert await ann.login_with(token) == 401


async def test_a_changed_password_ends_the_old_one_at_once(ann: Ann) -> None:
    await ann.register()
    assert await ann.login() == 200

    await ann.change(passwordInfo={"password": "second"})

    assert await ann.login("first") == 401
    assert await ann.login("second") == 200
    assert await ann.login("first") == 401


async def test_one_may_change_ones_own_password(ann: Ann) -> None:
    await ann.register()
    user = directory_pb2.User(id=ann.user_id, password="second")

    request = directory_service_pb2.UpdateUserRequest(user=user)
    await ann.rest.almoner.directory.UpdateUser(request, metadata=as_user(ann.name, "first"))

    assert (await ann.login("first"), await ann.login("second")) == (401, 200)


@pytest.mark.parametrize("state", [{"accountLocked": True}, {"status": 0}, {"status": 0, "accountLocked": True}])
async def test_who_is_locked_or_disabled_is_nobody_until_they_are_not(ann: Ann, state: dict[str, Any]) -> None:
    await ann.register()
    token = await ann.token()
    assert (await ann.login(), await ann.login_with(token)) == (200, 200)

    await ann.change(statusInfo=state)
    assert (await ann.login(), await ann.login_with(token)) == (401, 401)

    await ann.change(statusInfo={"status": 1, "accountLocked": False})
    assert (await ann.login(), await ann.login_with(token)) == (200, 200)


async def test_a_revoked_token_ends_at_once_and_alone(ann: Ann) -> None:
    await ann.register()
    revoked, kept = await ann.token(), await ann.token()
    assert await ann.login_with(revoked) == 200
    listed = await ann.rest.almoner.directory.ListApiTokens(
        directory_service_pb2.ListApiTokensRequest(), metadata=(("authorization", f"Bearer {revoked}"),)
    )

    request = directory_service_pb2.RevokeApiTokenRequest(id=listed.api_tokens[0].id)
    await ann.rest.almoner.directory.RevokeApiToken(request, metadata=ann.rest.almoner.as_admin_token)

    assert (await ann.login_with(revoked), await ann.login_with(kept)) == (401, 200)


async def test_a_deleted_user_is_nobody_at_once(ann: Ann) -> None:
    await ann.register()
    token = await ann.token()
    assert (await ann.login(), await ann.login_with(token)) == (200, 200)

    assert (await ann.rest.delete(ann.path)).status == 204

    assert (await ann.login(), await ann.login_with(token)) == (401, 401)


async def test_a_user_of_the_same_name_is_another_one(ann: Ann) -> None:
    await ann.register()
    assert await ann.login() == 200
    await ann.rest.delete(ann.path)

    await ann.register(password="second")

    assert (await ann.login("first"), await ann.login("second")) == (401, 200)


async def test_many_first_logins_with_one_password_share_its_check(ann: Ann) -> None:
    """More than may wait for checks of their own."""
    await ann.register()
    assert await asyncio.gather(*(ann.login() for _ in range(200))) == [200] * 200
    assert await asyncio.gather(*(ann.login("wrong") for _ in range(200))) == [401] * 200


async def test_a_password_is_checked_again_after_some_minutes(ann: Ann) -> None:
    await ann.register()
    assert await ann.login() == 200

    ann.clock.now += 3600 * SECOND

    assert (await ann.login(), await ann.login("wrong")) == (200, 401)
