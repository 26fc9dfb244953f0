# SPDX-License-Identifier: Apache-2.0
"""200 clients get tokens while their secrets rotate 1,000 times: none that was valid when a request began is refused."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc.aio import AioRpcError

from almoner.v1 import (
    application_pb2,
    application_service_pb2,
    application_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from service.clock import MINUTE, system_clock
from service.crypto.passwords import Cost
from tests.refusals import read_refusal
from tests.running import Almoner, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.databases import Template

CLIENTS = 200
ROTATIONS_EACH = 5
EVERY_TENTH = 10
"""Of so many clients one chooses its secrets."""
AT_ONCE = 16
"""Rotations that are under way at a time."""
INSISTENCE = 3
"""Requests with each secret, one after the other, while a rotation is under way, and again after it."""
COST = Cost(memory_kib=4_864, passes=2)
"""Of a digest: a quarter of the product's, which is still longer than all the rest of a request."""
GRACE = 50_000
"""Microseconds for which the secret of before is still good: some argon2id digests take longer to be computed."""

A = application_service_pb2
_READ: ContextVar[list[int] | None] = ContextVar("read", default=None)


@dataclass
class Watch:
    """The clock of a service; what a request reads first is when it began."""

    ahead: int = 0

    def __call__(self) -> int:
        now = system_clock() + self.ahead
        read = _READ.get()
        if read is not None:
            read.append(now)
        return now

    @contextmanager
    def reading(self) -> Iterator[list[int]]:
        read: list[int] = []
        token = _READ.set(read)
        try:
            yield read
        finally:
            _READ.reset(token)


class Attempt(NamedTuple):
    """A request with a secret, and what became of it."""

    secret: str
    began: int
    let_in: bool


@dataclass
class Client:
    """A client application, whose secret its owner rotates.

    Attributes:
        almoner: The service.
        watch: Its clock.
        id: Id of the application.
        chooses: Whether its secrets are chosen.
        secrets: All that it has had, the newest last.
        ends: When each of them but the newest has ended.
        attempts: Its requests.
    """

    almoner: Almoner
    watch: Watch
    id: str
    chooses: bool
    secrets: list[str]
    ends: dict[str, int] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)

    async def live(self, places: asyncio.Semaphore) -> None:
        """Gets tokens while its owner rotates its secrets."""
        for number in range(ROTATIONS_EACH):
            async with places:
                chosen = f"chosen {number} by {self.id}" if self.chooses else ""
                await asyncio.gather(self.rotate(chosen), self.insist())
            await self.insist()

    def presented(self) -> list[str]:
        """Returns the newest secret and, until it has ended and somewhat longer, the one before."""
        now = self.watch()
        return [secret for secret in self.secrets[-2:] if now < self.ends.get(secret, now) + GRACE]

    async def rotate(self, chosen: str) -> None:
        stub: Any = application_service_pb2_grpc.ApplicationServiceStub(self.almoner.channel)
        request = A.RotateSecretRequest(
            application_id=self.id, client_secret=chosen, previous_lifetime=Duration(nanos=GRACE * 1_000)
        )
        reply = await stub.RotateSecret(request, metadata=self.almoner.as_admin_token)
        self.ends[self.secrets[-1]] = reply.secret.create_time.ToMicroseconds() + GRACE
        self.secrets.append(chosen or reply.client_secret)

    async def insist(self) -> None:
        """Asks for some tokens one after the other."""
        for _ in range(INSISTENCE):
            for secret in self.presented():
                await self.attempt(secret)
            await asyncio.sleep(0)

    async def attempt(self, secret: str) -> bool:
        """Asks for a token."""
        stub: Any = token_service_pb2_grpc.TokenServiceStub(self.almoner.channel)
        request = token_service_pb2.IssueClientTokenRequest(client_id=self.id, client_secret=secret)
        let_in = True
        with self.watch.reading() as read:
            try:
                await stub.IssueClientToken(request)
            except AioRpcError as error:
                if read_refusal(error).reason != "CLIENT_INVALID":
                    raise
                let_in = False
        self.attempts.append(Attempt(secret, read[0], let_in))
        return let_in

    def wrongly_refused(self) -> list[Attempt]:
        """Returns the refused requests with a secret that was valid when they began."""
        return [
            attempt
            for attempt in self.attempts
            if not attempt.let_in and (attempt.secret not in self.ends or attempt.began < self.ends[attempt.secret])
        ]


async def new_client(almoner: Almoner, watch: Watch, number: int) -> Client:
    application = application_pb2.Application(
        id=f"client-{number}",
        name="Client",
        client=application_pb2.ClientApplication(grant_types=[application_pb2.GRANT_TYPE_CLIENT_CREDENTIALS]),
    )
    chosen = f"chosen first by client-{number}" if number % EVERY_TENTH == 0 else ""
    stub: Any = application_service_pb2_grpc.ApplicationServiceStub(almoner.channel)
    reply = await stub.CreateApplication(
        A.CreateApplicationRequest(application=application, client_secret=chosen), metadata=almoner.as_admin_token
    )
    return Client(almoner, watch, application.id, bool(chosen), [chosen or reply.client_secret])


@pytest.mark.timeout(300)
async def test_no_request_with_a_secret_that_was_valid_at_its_start_is_refused(
    template: Template, tmp_path: Path
) -> None:
    watch = Watch()
    async with running(template, tmp_path, clock=watch, password_cost=COST) as almoner:
        clients = [await new_client(almoner, watch, number) for number in range(CLIENTS)]
        places = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(client.live(places) for client in clients))

        assert [attempt for client in clients for attempt in client.wrongly_refused()] == []
        assert sum(len(client.ends) for client in clients) == CLIENTS * ROTATIONS_EACH
        assert all(len(client.attempts) >= 2 * ROTATIONS_EACH * INSISTENCE for client in clients)
        # And they do end.
        watch.ahead = MINUTE
        for client in clients[:: EVERY_TENTH // 2]:
            *ended, newest = client.secrets
            assert not any([await client.attempt(secret) for secret in ended])
            assert await client.attempt(newest)
