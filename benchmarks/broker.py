# SPDX-License-Identifier: Apache-2.0
"""What the broker costs: `python -m benchmarks.broker [--rounds N] [--seconds S] [--profiles N] [--refreshes N]`.

Three things, each on SQLite, with a provider in a process of its own that grants whatever it is asked for: an access
token that is stored, beside GetProfile in turn; profiles that are kept fresh, whose tokens end in the course of an hour,
beside a server that has none; and resident memory over many refreshes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from almoner.v1 import application_pb2, application_service_pb2_grpc, profile_pb2, profile_service_pb2_grpc
from almoner.v1.application_service_pb2 import CreateApplicationRequest
from almoner.v1.profile_service_pb2 import CreateProfileRequest, GetAccessTokenRequest, GetProfileRequest
from benchmarks import ceilings, servers
from benchmarks.h2load import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

CALLERS: Final = 32
LIFETIME: Final = 3_600
"""Seconds for which an access token is good."""

ALLOWED: Final = ("--outgoing-allow-http", "--outgoing-allow-private")
METADATA: Final = (("authorization", f"Bearer {servers.TOKEN}"),)
GET: Final = "GetProfile"
REVEAL: Final = "GetProfile with tokens"
TAKE: Final = "GetAccessToken, stored"


@dataclass(frozen=True)
class Provider:
    """A provider that runs."""

    address: str

    @property
    def granted(self) -> int:
        """How many refreshes it has granted."""
        with urllib.request.urlopen(f"http://{self.address}/") as reply:
            return int(json.load(reply))


class Client:
    """Calls the service of one server by its stubs."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._profiles: Any = profile_service_pb2_grpc.ProfileServiceStub(channel)
        self._applications: Any = application_service_pb2_grpc.ApplicationServiceStub(channel)

    async def register(self, provider: Provider) -> int:
        """Makes an application at the provider, and returns its number."""
        registration = application_pb2.ProviderRegistration(
            provider="example", token_uri=f"http://{provider.address}/token", client_id="id", client_secret="secret"
        )
        application = application_pb2.Application(name="Measured", provider=registration)
        reply = await self._applications.CreateApplication(
            CreateApplicationRequest(application=application), metadata=METADATA
        )
        return int(reply.application.number)

    async def create(self, **members: Any) -> int:
        """Makes a profile, and returns its id."""
        profile = profile_pb2.Profile(name="Measured", refresh_token="first", **members)
        reply = await self._profiles.CreateProfile(CreateProfileRequest(profile=profile), metadata=METADATA)
        return int(reply.profile.id)

    async def refresh(self, profile: int) -> None:
        """Gets a token that the provider is asked for, whatever is stored."""
        request = GetAccessTokenRequest(id=profile, minimum_validity=Duration(seconds=10 * LIFETIME))
        await self._profiles.GetAccessToken(request, metadata=METADATA)


async def by_many(count: int, work: Callable[[int], Coroutine[Any, Any, object]]) -> None:
    """Does work for each number below a count, CALLERS at once."""
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            await work(number)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


async def prepared(server: servers.Running, provider: Provider) -> int:
    """Makes a profile with a live token, and returns its id."""
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        client = Client(channel)
        profile = await client.create(application_number=await client.register(provider))
        await client.refresh(profile)
        return profile


def stored(server: servers.Running, provider: Provider, rounds: int, seconds: int) -> None:
    """Measures a stored token beside GetProfile."""
    profile = asyncio.run(prepared(server, provider))
    service, authorization = "/almoner.v1.ProfileService", METADATA[0][1]
    tokens = GetProfileRequest(id=profile, view=profile_pb2.PROFILE_VIEW_TOKENS)
    calls = {
        GET: Call(server.grpc, f"{service}/GetProfile", GetProfileRequest(id=profile), authorization),
        REVEAL: Call(server.grpc, f"{service}/GetProfile", tokens, authorization),
        TAKE: Call(server.grpc, f"{service}/GetAccessToken", GetAccessTokenRequest(id=profile), authorization),
    }
    rates: dict[str, list[float]] = {name: [] for name in calls}
    used: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            before = server.cpu()
            result = call.run(CALLERS, seconds)
            rates[name].append(result.rate)
            used[name].append((server.cpu() - before) / max(1, result.requests) * 1e6)
    for name in calls:
        print(
            f"{name}: {statistics.median(rates[name]):,.0f} requests/s, {statistics.median(used[name]):.0f} us CPU each"
        )
    for name in (GET, REVEAL):
        costs = [take / other for take, other in zip(used[TAKE], used[name], strict=True)]
        print(f"{TAKE}: {_spread(costs)} times the CPU of {name}")


async def kept_fresh(server: servers.Running, provider: Provider, count: int) -> None:
    """Makes profiles that are kept fresh, whose tokens end in the course of the next hour."""
    draw, now = random.Random(33), time.time()
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        client = Client(channel)
        number = await client.register(provider)

        async def create(_: int) -> int:
            end = Timestamp(seconds=int(now + draw.uniform(20, 20 + LIFETIME)))
            return await client.create(
                application_number=number, access_token="first", access_token_expire_time=end, keep_fresh=True
            )

        await by_many(count, create)


def fresh(server: servers.Running, idle: servers.Running, provider: Provider, count: int, seconds: int) -> None:
    """Measures what it costs to keep profiles fresh."""
    asyncio.run(kept_fresh(server, provider, count))
    # Those whose tokens end first are refreshed about as often as all of them are from then on.
    granted, ours, others = provider.granted, server.cpu(), idle.cpu()
    began = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    refreshes = provider.granted - granted
    share, none = (server.cpu() - ours) / elapsed, (idle.cpu() - others) / elapsed
    print(
        f"{count:,} profiles kept fresh: {refreshes / elapsed:.2f} refreshes/s, {share:.1%} of a core, "
        f"where a server without any takes {none:.1%}"
    )


async def over_refreshes(server: servers.Running, provider: Provider, count: int) -> None:
    """Measures memory over refreshes."""
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        client = Client(channel)
        number = await client.register(provider)
        profiles = [await client.create(application_number=number) for _ in range(CALLERS)]
        for done in range(0, count, count // 10):
            began = time.monotonic()
            await by_many(count // 10, lambda turn: client.refresh(profiles[turn % CALLERS]))
            rate = count // 10 / (time.monotonic() - began)
            print(f"after {done + count // 10:,} refreshes: {server.resident() / 2**20:.1f} MB, {rate:,.0f} a second")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.broker", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds of a round (default 3)")
    parser.add_argument("--profiles", type=int, default=10_000, help="profiles that are kept fresh (default 10000)")
    parser.add_argument("--watched", type=int, default=60, help="seconds for which these are watched (default 60)")
    parser.add_argument("--refreshes", type=int, default=100_000, help="refreshes for the memory (default 100000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="almoner-broker-") as name, ceilings.provider(LIFETIME) as address:
        provider = Provider(address)
        with servers.almoner(Path(name, "first"), *ALLOWED) as server, servers.almoner(Path(name, "idle")) as idle:
            stored(server, provider, options.rounds, options.seconds)
            fresh(server, idle, provider, options.profiles, options.watched)
        with servers.almoner(Path(name, "second"), *ALLOWED) as server:
            asyncio.run(over_refreshes(server, provider, options.refreshes))


if __name__ == "__main__":
    main()
