# SPDX-License-Identifier: Apache-2.0
"""Page tokens (AIP-158): the last row's keys, sealed for one list, one request and one caller.

What a token belongs to is not in it but in what it is bound to: elsewhere it does not open at all.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from service.crypto.keyring import UnsealError, Where
from service.errors import InvalidPageToken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.crypto.keyring import Keyring

KeyValue: TypeAlias = int | str

_decoder = msgspec.msgpack.Decoder(tuple[KeyValue, ...])


def place_of(listing: str, *request: object) -> Where:
    """Where tokens of a list belong that answer one request: its organization, caller, filter and order."""
    digest = hashlib.sha256(msgspec.msgpack.encode(request)).hexdigest()
    return Where("page_token", listing, digest)


def seal_token(keyring: Keyring, place: Where, keys: Sequence[KeyValue]) -> str:
    """Makes the token of the page after the row with these keys."""
    return _text(keyring.seal(msgspec.msgpack.encode(keys), place))


def open_token(keyring: Keyring, place: Where, token: str) -> tuple[KeyValue, ...]:
    """Returns the keys of the row that the page comes after.

    Raises:
        InvalidPageToken: the token was not sealed here, or for another list, request or caller.
    """
    try:
        return _decoder.decode(keyring.unseal(_bytes(token), place))
    except UnsealError:
        raise InvalidPageToken from None


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _bytes(token: str) -> bytes:
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise InvalidPageToken from None
    if _text(sealed) != token:  # the spare bits of the last character: one token has one spelling
        raise InvalidPageToken
    return sealed
