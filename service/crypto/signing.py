# SPDX-License-Identifier: Apache-2.0
"""Access tokens as JWTs (RFC 9068): signed and verified under the signing keys of a keyring, and their public set.

Depends on the keyring; on jose from the first token on. Used from one thread (the event loop).
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final, TypedDict

import msgspec

from service.clock import SECOND
from service.crypto.signing_keys import LONGEST_LIFETIME, current, published

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.crypto.jose import JoseKey, PublicJwk
    from service.crypto.keyring import Keyring
    from service.crypto.keyring_file import SigningKey

TYPE: Final = "at+jwt"
"""`typ` of an access token (RFC 9068, section 2.1): no other JWT passes for one."""

MAX_TOKEN_BYTES: Final = 8192
"""Longest token, which must fit into a header."""

_MAX_HEADER: Final = 512


class InvalidTokenError(Exception):
    """A token is refused. The message says why, and holds nothing of the token."""


class NoSigningKeyError(Exception):
    """The keyring has no signing key, and could not be given one at the start."""


class TokenTooLargeError(ValueError):
    """A token would not fit into a header. The message holds nothing of it."""


class JwkSet(TypedDict):
    """A JWK Set (RFC 7517, section 5)."""

    keys: list[PublicJwk]


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The header of our own tokens. `crit`, `jwk`, `jku` and the like are never in it."""

    alg: str
    kid: str
    typ: str


_HEADER: Final = msgspec.json.Decoder(_Header)
_CLAIMS: Final = msgspec.json.Decoder(dict[str, Any])


class TokenSigner:
    """Signs and verifies under the keys of one keyring, which it follows while that changes."""

    def __init__(self, keyring: Keyring) -> None:
        """Reads nothing yet."""
        self._keyring = keyring
        self._keys: tuple[SigningKey, ...] = ()
        self._ready: dict[str, JoseKey] = {}

    def sign(self, claims: Mapping[str, Any], now: int) -> str:
        """Returns a compact JWT of these claims, signed by the key that signs now.

        Args:
            claims: With `iss`, and with `exp` in whole seconds since 1970, at the most LONGEST_LIFETIME from now:
                a key stays published for no longer than its tokens may be valid.
            now: The time in epoch microseconds.

        Raises:
            NoSigningKeyError: There is no key.
            KeyringError: The key is damaged.
            TokenTooLargeError: The token would have more than MAX_TOKEN_BYTES.
            ValueError: The token would be valid for too long or not at all.
        """
        expires = claims["exp"] * SECOND
        # Whoever rounds the end up to a second may.
        if not now < expires < now + LONGEST_LIFETIME + SECOND:
            raise ValueError("exp is past, or further away than a token may be valid")
        key = current(self._following(), now)
        if key is None:
            raise NoSigningKeyError("the keyring has no signing key")
        token = self._ready_for_use(key).sign(TYPE, msgspec.json.encode(claims))
        if len(token) > MAX_TOKEN_BYTES:
            raise TokenTooLargeError(f"the token would have more than {MAX_TOKEN_BYTES} bytes")
        return token

    def verify(self, token: str, now: int, *, issuer: str, audience: str | None = None) -> dict[str, Any]:
        """Returns the claims of a token that a published key has signed, and that is valid now.

        Clocks get no leeway: whoever signed it shares the keyring, and should share the time.

        Args:
            token: What was presented, of any form and length.
            now: The time in epoch microseconds.
            issuer: What `iss` must be.
            audience: What `aud` must be or have; None for whoever accepts tokens for others, too.

        Raises:
            InvalidTokenError: It is refused.
            KeyringError: The key is damaged.
        """
        header = _header_of(token)
        key = next((key for key in published(self._following(), now) if key.kid == header.kid), None)
        if key is None:
            raise InvalidTokenError("the token was signed by no key that is published")
        if header.alg != key.algorithm:
            raise InvalidTokenError("the token names another algorithm than its key's")
        if header.typ != TYPE:
            raise InvalidTokenError("the token is no access token")
        claims = _claims_of(self._ready_for_use(key), token)
        _check_times(claims, now)
        if claims.get("iss") != issuer:
            raise InvalidTokenError("the token has another issuer")
        if audience is not None and not _is_for(audience, claims.get("aud")):
            raise InvalidTokenError("the token is for another audience")
        return claims

    def jwks(self, now: int) -> JwkSet:
        """Returns the public halves of the published keys, the newest first.

        Args:
            now: The time in epoch microseconds.

        Raises:
            KeyringError: A key is damaged.
        """
        keys = published(self._following(), now)
        return {"keys": [self._ready_for_use(key).public_jwk() for key in reversed(keys)]}

    def _following(self) -> tuple[SigningKey, ...]:
        keys = self._keyring.signing_keys
        if keys is not self._keys:
            # What was dropped from the file stays no longer in memory, either.
            self._keys, self._ready = keys, {}
        return keys

    def _ready_for_use(self, key: SigningKey) -> JoseKey:
        ready = self._ready.get(key.kid)
        if ready is None:
            from service.crypto.jose import JoseKey  # noqa: PLC0415 - slow, and not needed where there are no tokens

            ready = self._ready[key.kid] = JoseKey(key)
        return ready


def _header_of(token: str) -> _Header:
    """Returns the header, which nothing vouches for yet."""
    if len(token) > MAX_TOKEN_BYTES:
        raise InvalidTokenError("the token is too long")
    segment, _, _ = token.partition(".")
    if not token.isascii() or len(segment) > _MAX_HEADER:
        raise InvalidTokenError("the token is malformed")
    try:
        return _HEADER.decode(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        # Unsigned tokens and those of others end here, too: their headers have other members.
        raise InvalidTokenError("the token is malformed") from None


def _claims_of(key: JoseKey, token: str) -> dict[str, Any]:
    from service.crypto.jose import SignatureError  # noqa: PLC0415 - see _ready_for_use

    try:
        return _CLAIMS.decode(key.verify(token))
    except SignatureError:
        raise InvalidTokenError("the token's signature is wrong") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidTokenError("the token has no claims") from None


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    # JSON's true is an int in Python.
    if type(expires) is not int or type(begins) is not int:
        raise InvalidTokenError("the token does not say from when to when it is valid")
    if now >= expires * SECOND:
        raise InvalidTokenError("the token has expired")
    if now < begins * SECOND:
        raise InvalidTokenError("the token is not valid yet")


def _is_for(audience: str, aud: object) -> bool:
    return aud == audience or (isinstance(aud, list) and audience in aud)
