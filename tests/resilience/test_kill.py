# SPDX-License-Identifier: Apache-2.0
"""kill -9 in the middle of a write load: what was answered is there, nothing is there by half, the chain is whole."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc.aio import AioRpcError

from almoner.v1.profile_pb2 import PROFILE_VIEW_TOKENS, Profile
from almoner.v1.profile_service_pb2 import (
    CreateProfileRequest,
    GetProfileRequest,
    ListProfilesRequest,
    UpdateProfileRequest,
)
from almoner.v1.profile_service_pb2_grpc import ProfileServiceStub
from tests.running import Almoner
from tests.service.profiles.desk import own

if TYPE_CHECKING:
    from tests.command.processes import Almoner as Command

CLIENTS = 8
ANSWERS = 150
"""Answers after which the server is killed."""
ROUNDS = 3

_NUMBERS = itertools.count(1)


@dataclass
class Memory:
    """What the clients know of the profiles.

    Attributes:
        answered: Which write of each profile was answered last, by the profile's name.
        asked: Which write was sent last: it may have been done, or not.
    """

    answered: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)


def tokens(name: str, write: int) -> dict[str, Any]:
    """Returns the two tokens that one write stores together; they are long, and each says which write it was."""
    return {kind: f"{name}/{write}/{kind}" + "x" * 2000 for kind in ("access_token", "refresh_token")}


def write_of(profile: Profile) -> int:
    """Returns which write the tokens come from, which must be the same for both."""
    parts = [token.split("/") for token in (profile.access_token, profile.refresh_token)]
    assert [part[0] for part in parts] == [profile.name] * 2
    assert parts[0][1] == parts[1][1], "half a write"
    return int(parts[0][1])


async def work(stub: Any, memory: Memory, answers: asyncio.Semaphore) -> None:
    """Creates profiles and updates each a few times, until the server is gone."""
    while True:
        name = f"profile {next(_NUMBERS)}"
        memory.asked[name] = 1
        request = CreateProfileRequest(profile=own(name, **tokens(name, 1)))
        reply = await stub.CreateProfile(request, metadata=Almoner.as_admin_token)
        memory.answered[name] = 1
        answers.release()
        for write in range(2, 8):
            memory.asked[name] = write
            changed = Profile(id=reply.profile.id, **tokens(name, write))
            reply = await stub.UpdateProfile(
                UpdateProfileRequest(profile=changed, etag=reply.profile.etag), metadata=Almoner.as_admin_token
            )
            memory.answered[name] = write
            answers.release()


async def load_until_killed(command: Command, memory: Memory) -> None:
    """Serves, and kills the server while every client waits for an answer."""
    with command.serving() as server:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            answers = asyncio.Semaphore(0)
            stub = ProfileServiceStub(channel)
            clients = [asyncio.create_task(work(stub, memory, answers)) for _ in range(CLIENTS)]
            for _ in range(ANSWERS):
                await answers.acquire()
            server.process.kill()
            ends = await asyncio.gather(*clients, return_exceptions=True)
    codes = {end.code() for end in ends if isinstance(end, AioRpcError)}
    assert codes == {grpc.StatusCode.UNAVAILABLE}, ends


async def stored(command: Command) -> list[Profile]:
    """Returns all profiles with their tokens, from a server that has been started again."""
    with command.serving() as server:
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            stub: Any = ProfileServiceStub(channel)
            listed = await stub.ListProfiles(ListProfilesRequest(page_size=1000), metadata=Almoner.as_admin_token)
            requests = [GetProfileRequest(id=profile.id, view=PROFILE_VIEW_TOKENS) for profile in listed.profiles]
            replies = [await stub.GetProfile(request, metadata=Almoner.as_admin_token) for request in requests]
        assert server.stop() == 0
    return [reply.profile for reply in replies]


@pytest.mark.timeout(180)
async def test_what_was_answered_survives(command: Command) -> None:
    memory = Memory()
    for _ in range(ROUNDS):
        await load_until_killed(command, memory)
        found = {profile.name: profile for profile in await stored(command)}

        assert set(memory.answered) <= set(found) <= set(memory.asked)
        for name, profile in found.items():
            write = write_of(profile)
            assert memory.answered.get(name, 1) <= write <= memory.asked[name]
            assert profile.etag == f'"{write}"'
            assert profile.stored.client_secret
            memory.answered[name] = memory.asked[name] = write

        assert "the chain is whole" in command.done("audit", "verify")
        assert writes_by_profile(command) == {profile.id: write_of(profile) for profile in found.values()}


def writes_by_profile(command: Command) -> Counter[int]:
    """Returns how many writes of each profile the audit trail tells of, by the profile's id."""
    events = [json.loads(line) for line in command.done("audit", "list").splitlines()]
    writes = [event for event in events if event["action"] in {"profile.create", "profile.update"}]
    return Counter(int(event["resource"].removeprefix("profiles/")) for event in writes)
