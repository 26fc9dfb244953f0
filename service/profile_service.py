# SPDX-License-Identifier: Apache-2.0
"""ProfileService, whose methods several rooms serve, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.broker.rpc import TokenMethods
from service.changes.rpc import WatchMethods
from service.consent.rpc import ConsentMethods
from service.profiles.rpc import ProfileServicer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.access.caller import Caller
    from service.broker.broker import Broker
    from service.changes.feed import ChangeFeed
    from service.consent.exchanges import Exchanges
    from service.consent.revoker import Revoker
    from service.crypto.keyring import Keyring
    from service.rpc.call import Call
    from service.rpc.units import Units


class ProfileService(WatchMethods, TokenMethods, ConsentMethods, ProfileServicer):
    """Serves profiles and links, their tokens, the consents that bring these, and those who watch them."""

    def __init__(
        self,
        units: Units,
        *,
        broker: Broker,
        feed: ChangeFeed,
        exchanges: Exchanges,
        revoker: Revoker,
        keyring: Keyring,
        find_caller: Callable[[Call], Awaitable[Caller]],
        redirect_uri: str,
    ) -> None:
        ProfileServicer.__init__(self, units, revoker)
        TokenMethods.__init__(self, units, broker)
        ConsentMethods.__init__(self, units, exchanges, find_caller, redirect_uri)
        WatchMethods.__init__(self, units, feed, keyring, find_caller)
