# SPDX-License-Identifier: Apache-2.0
"""Users as Venafi names them (contract section 1): `local:{UUID}`, the UUID made of the user's id.

The UUID is one of version 8 (RFC 9562 section 5.8): fixed bytes, and the id in the last 48 bits. So nothing has to be
stored for it. Where an identity is asked for, `local:name` and a plain name will do, too.
"""

from __future__ import annotations

import re
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from grpc import aio

from almoner.v1.directory_service_pb2 import GetUserRequest, WhoAmIRequest, WhoAmIResponse
from gateway.call import Call, Reply
from gateway.constraints import INT64_MAX
from gateway.dialects.venafi.bodies import IdentityEntry, SelfReply
from gateway.failures import from_rpc, not_found

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX: Final = "local"
USER: Final = 1
"""Type of an identity that is a user."""
NOBODY: Final = INT64_MAX
"""Id of no user: 48 bits are the most that an id here ever has."""

_FIXED = 0x616C6D6F_6E65_8000_8000_000000000000
_ID_BITS = 48
_UUID = re.compile(r"\{?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})}?")
_INVISIBLE = ("USER_NOT_FOUND", "PERMISSION_MISSING", "INVALID_FIELD")


def prefixed_universal(user_id: int) -> str:
    """Returns the identity of a user: `local:{616c6d6f-6e65-8000-8000-000000000001}`."""
    return f"{PREFIX}:{universal(user_id)}"


@lru_cache(maxsize=4096)
def universal(user_id: int) -> str:
    """Returns the identity of a user within its provider."""
    return f"{{{uuid.UUID(int=_FIXED | user_id)}}}"


def entry(user_id: int, username: str) -> IdentityEntry:
    """Returns all that Venafi says of an identity."""
    return IdentityEntry(
        full_name=rf"\VED\Identity\{username}",
        name=username,
        prefix=PREFIX,
        prefixed_name=f"{PREFIX}:{username}",
        prefixed_universal=prefixed_universal(user_id),
        type=USER,
        universal=universal(user_id),
    )


def entries(users: Iterable[tuple[int, str]]) -> list[IdentityEntry]:
    """Returns the identities of users, each once, in the order of their ids. Id 0 is nobody's."""
    return [entry(user_id, username) for user_id, username in sorted(set(users)) if user_id]


async def caller_of(call: Call[Any, Any, Any]) -> WhoAmIResponse:
    """Returns who calls."""
    return await call.send(call.services.directory.WhoAmI, WhoAmIRequest())


async def get_self(call: Call[None, None, None]) -> Reply:
    """Says who the caller is."""
    user = (await caller_of(call)).user
    return Reply(SelfReply([entry(user.id, user.username)]))


async def user_id_of(call: Call[Any, Any, Any], identity: str) -> int:
    """Returns the id of the user whom an identity names.

    NOBODY, where it names none that the caller may look up: the service then decides what they learn of it.
    """
    prefix, colon, name = identity.partition(":")
    if colon and prefix.lower() != PREFIX:
        return NOBODY
    name = name if colon else identity
    made = _UUID.fullmatch(name)
    return _id_in(uuid.UUID(made[1])) if made else await _find(call, name)


async def require_somebody(call: Call[Any, Any, Any], user_id: int) -> None:
    """Refuses the id of nobody. Whoever may not look users up is believed.

    Raises:
        Failure: USER_NOT_FOUND.
    """
    if user_id != NOBODY:
        try:
            await call.send(call.services.directory.GetUser, GetUserRequest(id=user_id))
        except aio.AioRpcError as error:
            if from_rpc(error, {}).reason not in _INVISIBLE:
                raise
            if from_rpc(error, {}).reason == "PERMISSION_MISSING":
                return
        else:
            return
    raise not_found("USER_NOT_FOUND", "")


def _id_in(identity: uuid.UUID) -> int:
    user_id = identity.int & ((1 << _ID_BITS) - 1)
    return user_id if user_id and identity.int == _FIXED | user_id else NOBODY


async def _find(call: Call[Any, Any, Any], username: str) -> int:
    try:
        found = await call.send(call.services.directory.GetUser, GetUserRequest(username=username))
    except aio.AioRpcError as error:
        if from_rpc(error, {}).reason not in _INVISIBLE:
            raise
        return NOBODY
    return found.user.id
