# SPDX-License-Identifier: Apache-2.0
"""One request to a revocation endpoint, and what its answer means (RFC 7009 section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from service.broker.token_endpoint import MOST_BYTES, authenticated, error_of, retry_after
from service.outgoing import OutgoingError

if TYPE_CHECKING:
    from service.applications.tables import ClientAuthentication
    from service.outgoing import Outgoing

_TRY_LATER: Final = frozenset({408, 425, 429})

_GONE: Final = "invalid_token"
"""What some providers say of a token that is worth nothing any more; RFC 7009 section 2.2 would have them say 200."""


class Revocation(IntEnum):
    """The values of almoner.v1.Revocation, where each is described; a test holds the two lists together."""

    DONE = 1
    PENDING = 2
    REFUSED = 3


class Outcome(NamedTuple):
    """What a provider has made of a request.

    Attributes:
        revocation: What became of the grant.
        failure: A word for why not; empty: it is done.
        retry_after: Microseconds after which the provider wants to be asked again; 0: it does not say.
    """

    revocation: Revocation
    failure: str = ""
    retry_after: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class RevocationRequest:
    """What a provider is asked, and by which client.

    Attributes:
        profile_id: Id of the profile that there was.
        revocation_uri: The revocation endpoint.
        client_id: Our client id.
        client_secret: Our client secret; empty: we have none.
        authentication: How we show who we are.
        token: The token.
        token_type_hint: Which it is, `refresh_token` or `access_token`.
    """

    profile_id: int
    revocation_uri: str
    client_id: str
    client_secret: str
    authentication: ClientAuthentication
    token: str
    token_type_hint: str

    def __repr__(self) -> str:
        return f"RevocationRequest(profile_id={self.profile_id})"


async def revoke(outgoing: Outgoing, request: RevocationRequest, *, seconds: float) -> Outcome:
    """Asks a provider to revoke a token. To do so again changes nothing, so that whatever got lost is tried again."""
    headers, body = authenticated(request, {"token": request.token, "token_type_hint": request.token_type_hint})
    try:
        answer = await outgoing.post(request.revocation_uri, body, headers, most=MOST_BYTES, seconds=seconds)
    except OutgoingError:
        return Outcome(Revocation.PENDING, "unanswered")
    status = answer.status
    if 200 <= status < 300:
        return Outcome(Revocation.DONE)
    failure = error_of(answer) or f"http_{status}"
    if status in _TRY_LATER or status >= 500:
        return Outcome(Revocation.PENDING, failure, retry_after(answer.headers))
    return Outcome(Revocation.DONE) if failure == _GONE else Outcome(Revocation.REFUSED, failure)
