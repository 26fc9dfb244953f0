# SPDX-License-Identifier: Apache-2.0
"""The keys of those who issue JWTs, found by OpenID Connect Discovery 1.0 and kept for a while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from service.clock import MINUTE, SECOND
from service.errors import IssuerUnavailable
from service.grants.assertions import read_keys
from service.outgoing import OutgoingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.clock import Clock
    from service.grants.assertions import Key
    from service.outgoing import Outgoing

_LOG = structlog.get_logger(__name__)

KEPT: Final = 10 * MINUTE
"""How long keys are used without being fetched again."""

PAUSE: Final = MINUTE
"""How long an issuer is left alone whose keys were fetched, however many keys JWTs name that are not among them."""

PAUSE_AFTER_FAILURE: Final = 10 * SECOND
"""How long an issuer is left alone that did not answer."""

MOST_ISSUERS: Final = 256


class _Discovery(msgspec.Struct):
    """The members of a discovery document that matter here."""

    issuer: str
    jwks_uri: str


_decode_discovery = msgspec.json.Decoder(_Discovery).decode


@dataclass(slots=True)
class _Issuer:
    """What is known of an issuer.

    Attributes:
        asked: When it was asked last.
        answered: When it gave its keys.
        keys: Those; none until it has answered.
    """

    asked: int
    answered: int = 0
    keys: Sequence[Key] = ()

    def knows(self, kid: str) -> bool:
        return not kid or any(not key.kid or key.kid == kid for key in self.keys)


class IssuerKeys:
    """Fetches and keeps keys. Used from one event loop."""

    def __init__(self, outgoing: Outgoing, clock: Clock) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._issuers: OrderedDict[str, _Issuer] = OrderedDict()
        self._fetching: dict[str, asyncio.Task[_Issuer]] = {}

    async def keys_of(self, issuer: str, kid: str) -> Sequence[Key]:
        """Returns the keys of an issuer.

        Args:
            issuer: One that a JWT mapping names: it is asked for what it serves.
            kid: Id of the key that is looked for; one that is not known is a reason to ask again. Empty: any key.

        Raises:
            IssuerUnavailable: they cannot be had.
        """
        known = self._issuers.get(issuer)
        if known is None or self._is_worth_asking(known, kid):
            known = await self._ask_once(issuer)
        if not self._is_fresh(known):
            raise IssuerUnavailable(issuer)
        return known.keys

    async def close(self) -> None:
        """Ends what is being fetched."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_fresh(self, known: _Issuer) -> bool:
        return bool(known.answered) and self._clock() - known.answered < KEPT

    def _is_worth_asking(self, known: _Issuer, kid: str) -> bool:
        age = self._clock() - known.asked
        if not self._is_fresh(known):
            return age >= PAUSE_AFTER_FAILURE
        return not known.knows(kid) and age >= PAUSE

    async def _ask_once(self, issuer: str) -> _Issuer:
        """Asks an issuer, once for all who wait for it: the end of one of them ends nothing for the others."""
        task = self._fetching.get(issuer)
        if task is None:
            task = self._fetching[issuer] = asyncio.create_task(self._ask(issuer))
            task.add_done_callback(lambda _: self._fetching.pop(issuer, None))
        return await asyncio.shield(task)

    async def _ask(self, issuer: str) -> _Issuer:
        known = self._issuers.setdefault(issuer, _Issuer(0))
        self._issuers.move_to_end(issuer)
        if len(self._issuers) > MOST_ISSUERS:
            self._issuers.popitem(last=False)
        try:
            # Without an answer the keys of the last one stay good for their time.
            known.keys = await self._fetch(issuer)
            known.answered = self._clock()
        except (OutgoingError, ValueError, RecursionError) as error:
            _LOG.warning("issuer.unavailable", issuer=issuer, error=str(error))
        # Only now: until then all who look for its keys wait for the same answer.
        known.asked = self._clock()
        return known

    async def _fetch(self, issuer: str) -> Sequence[Key]:
        found = _decode_discovery(await self._outgoing.get(issuer.rstrip("/") + "/.well-known/openid-configuration"))
        if found.issuer != issuer:
            raise OutgoingError(f"the discovery document is that of {found.issuer!r}")
        return read_keys(await self._outgoing.get(found.jwks_uri))
