# SPDX-License-Identifier: Apache-2.0
"""ProfileService.WatchProfiles: the outbox as a stream."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc

from almoner.v1 import profile_pb2, profile_service_pb2
from service.changes import cursors, rules
from service.etags import etag_of
from service.rpc.call import current_call
from service.rpc.times import to_timestamp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from service.access.caller import Caller
    from service.changes.feed import ChangeFeed
    from service.changes.rules import Place
    from service.changes.tables import SeenChange
    from service.crypto.keyring import Keyring
    from service.rpc.call import Call
    from service.rpc.units import Units

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

HEARTBEAT: Final = 15.0
"""Seconds after which a stream that has nothing to say says so."""

LOOK: Final = 5.0
"""Seconds after which a watcher is authenticated and authorized again, at the latest."""


class WatchMethods:
    """The methods of ProfileService for those who watch profiles."""

    def __init__(
        self, units: Units, feed: ChangeFeed, keyring: Keyring, find_caller: Callable[[Call], Awaitable[Caller]]
    ) -> None:
        """`find_caller` authenticates a call, as often as it is asked."""
        self._units = units
        self._feed = feed
        self._keyring = keyring
        self._find_caller = find_caller

    async def WatchProfiles(
        self,
        request: profile_service_pb2.WatchProfilesRequest,
        context: Context,  # noqa: ARG002 - every method has one
    ) -> AsyncGenerator[profile_service_pb2.WatchProfilesResponse, None]:
        organization_id = request.organization_id
        with self._feed.followed():
            # Whatever was committed before the call is over by now.
            await self._feed.catch_up()
            place = await self._units.read(lambda work: rules.begin(work, organization_id, request.cursor))
            yield self._message(place)
            spoken = time.monotonic()
            while True:
                news, looked = self._feed.news(), time.monotonic()
                batch = await self._read_on(organization_id, place)
                for change in batch.changes:
                    place = rules.Place(change.position, change.time)
                    yield self._message(place, change)
                    spoken = time.monotonic()
                    if spoken - looked >= LOOK:  # a slow reader, whose right may have ended meanwhile
                        break
                else:
                    place = batch.place
                if batch.more or place != batch.place:
                    continue
                if time.monotonic() - spoken >= HEARTBEAT:
                    yield self._message(place)
                    spoken = time.monotonic()
                await self._feed.wait(news, min(LOOK, spoken + HEARTBEAT - time.monotonic()))

    async def _read_on(self, organization_id: str, place: Place) -> rules.Batch:
        """Reads what comes next for whoever the credentials of the call stand for by now."""
        call = current_call()
        call.caller = await self._find_caller(call)
        return await self._units.read(lambda work: rules.read_on(work, organization_id, place))

    def _message(self, place: Place, change: SeenChange | None = None) -> profile_service_pb2.WatchProfilesResponse:
        cursor = cursors.seal(self._keyring, place.position, place.time)
        return profile_service_pb2.WatchProfilesResponse(cursor=cursor, change=_change(change) if change else None)


def _change(change: SeenChange) -> profile_pb2.ProfileChange:
    return profile_pb2.ProfileChange(
        profile_id=change.profile_id,
        kind=profile_pb2.ChangeKind.ValueType(change.kind),
        organization_id=change.organization_id,
        token_state=profile_pb2.TokenState.ValueType(change.token_state),
        etag=etag_of(change.revision),
        time=to_timestamp(change.time),
    )
