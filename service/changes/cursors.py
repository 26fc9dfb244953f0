# SPDX-License-Identifier: Apache-2.0
"""Cursors of the outbox: how far a reader has come, sealed, since positions tell how busy others are."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import msgspec

from service.crypto.keyring import UnsealError, Where
from service.errors import InvalidField, Violation

if TYPE_CHECKING:
    from service.crypto.keyring import Keyring

_PLACE: Final = Where("cursor", "profile_changes", "")
_decode = msgspec.msgpack.Decoder(tuple[int, int]).decode


def seal(keyring: Keyring, position: int, time: int) -> str:
    """Returns the cursor of a position, whose change was made at a time."""
    return base64.urlsafe_b64encode(keyring.seal(msgspec.msgpack.encode((position, time)), _PLACE)).decode()


def unseal(keyring: Keyring, cursor: str) -> tuple[int, int]:
    """Returns the position and the time that a cursor holds.

    Raises:
        InvalidField: it was not made here.
    """
    try:
        return _decode(keyring.unseal(base64.b64decode(cursor, altchars=b"-_", validate=True), _PLACE))
    except (UnsealError, ValueError):
        raise InvalidField(Violation("cursor", "is no cursor of this server")) from None
