# SPDX-License-Identifier: Apache-2.0
"""A client that watches profiles."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from almoner.v1 import profile_pb2, profile_service_pb2, profile_service_pb2_grpc

if TYPE_CHECKING:
    from tests.running import Almoner, Metadata

CREATED = profile_pb2.CHANGE_KIND_CREATED
UPDATED = profile_pb2.CHANGE_KIND_UPDATED
TOKEN_STATE = profile_pb2.CHANGE_KIND_TOKEN_STATE
DELETED = profile_pb2.CHANGE_KIND_DELETED

PATIENCE = 10
"""Seconds that something is waited for."""


class Seen(NamedTuple):
    """A change, as far as most tests look at it."""

    profile_id: int
    kind: int
    etag: str


class Watcher:
    """One stream, and the last cursor that came."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.cursor = ""

    async def message(self) -> profile_service_pb2.WatchProfilesResponse:
        """Returns the next message, whatever it is."""
        async with asyncio.timeout(PATIENCE):
            message = await self.call.read()
        assert isinstance(message, profile_service_pb2.WatchProfilesResponse)
        self.cursor = message.cursor
        return message

    async def change(self) -> profile_pb2.ProfileChange:
        """Returns the next change."""
        while not (message := await self.message()).HasField("change"):
            pass
        return message.change

    async def changes(self, number: int) -> list[Seen]:
        """Returns the next so many changes."""
        found = [await self.change() for _ in range(number)]
        return [Seen(change.profile_id, change.kind, change.etag) for change in found]


async def watch(almoner: Almoner, by: Metadata, cursor: str = "", organization_id: str = "") -> Watcher:
    """Begins to watch; the first message, which has a cursor only, has come."""
    stub: Any = profile_service_pb2_grpc.ProfileServiceStub(almoner.channel)
    request = profile_service_pb2.WatchProfilesRequest(organization_id=organization_id, cursor=cursor)
    watcher = Watcher(stub.WatchProfiles(request, metadata=by))
    first = await watcher.message()
    assert first.cursor
    assert not first.HasField("change")
    return watcher
