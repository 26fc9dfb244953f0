# SPDX-License-Identifier: Apache-2.0
"""ProfileService, whose methods several rooms serve, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.broker.rpc import TokenMethods
from service.changes.rpc import WatchMethods
from service.profiles.rpc import ProfileServicer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.access.caller import Caller
    from service.broker.broker import Broker
    from service.changes.feed import ChangeFeed
    from service.crypto.keyring import Keyring
    from service.rpc.call import Call
    from service.rpc.units import Units


class ProfileService(WatchMethods, TokenMethods, ProfileServicer):
    """Serves profiles and links, their access tokens, and those who watch them."""

    def __init__(
        self,
        units: Units,
        *,
        broker: Broker,
        feed: ChangeFeed,
        keyring: Keyring,
        find_caller: Callable[[Call], Awaitable[Caller]],
    ) -> None:
        ProfileServicer.__init__(self, units)
        TokenMethods.__init__(self, units, broker)
        WatchMethods.__init__(self, units, feed, keyring, find_caller)
