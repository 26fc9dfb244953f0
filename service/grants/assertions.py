# SPDX-License-Identifier: Apache-2.0
"""JWTs that speak for a user (RFC 7523): what they say, whether they are their issuer's, and whom a mapping takes them for.

Nothing here waits or reads: keys and mappings are given. No message repeats the JWT.
"""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec

from service.clock import MINUTE, SECOND
from service.errors import Reason, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from joserfc import jwk

ALGORITHMS: Final = frozenset(
    {
        *("RS256", "RS384", "RS512"),
        *("PS256", "PS384", "PS512"),
        *("ES256", "ES384", "ES512"),
        *("EdDSA", "Ed25519", "Ed448"),
    }
)
"""Signatures that only their issuer can make: neither none nor HMAC, whose key would be a public one."""

LEEWAY: Final = MINUTE
"""By how much clocks may differ where a JWT says when it was issued, or begins."""

_SMALLEST_RSA: Final = 2048
_LARGEST_RSA: Final = 8192
_LONGEST_TEXT: Final = 2048
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class Key(NamedTuple):
    """A public key of an issuer; `kid` and `alg` are empty where the key has none."""

    kid: str
    alg: str
    key: jwk.Key


class Assertion(NamedTuple):
    """A JWT that is not verified yet: what it says of itself."""

    text: str
    alg: str
    kid: str
    issuer: str
    claims: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Assertion(issuer={self.issuer!r})"


class Claimed(Protocol):
    """What a mapping asks of claims."""

    purpose_field: str
    purpose_match: str
    id_field: str
    id_match: str


def invalid(message: str) -> Unauthenticated:
    """Returns the error that says what is wrong with a JWT."""
    return Unauthenticated(Reason.ASSERTION_INVALID, f"the JWT {message}")


def read(text: str) -> Assertion:
    """Returns what a JWT says of itself.

    Raises:
        Unauthenticated: it is malformed, its algorithm is not among ALGORITHMS, or it names no issuer.
    """
    parts = text.split(".")
    if len(parts) != 3:
        raise invalid("is malformed: it has no three parts")
    header, claims = _decoded(parts[0]), _decoded(parts[1])
    alg, kid, issuer = header.get("alg"), header.get("kid", ""), claims.get("iss")
    if alg not in ALGORITHMS:
        raise invalid("is signed with an algorithm that is not accepted")
    if "crit" in header:
        raise invalid("has critical header parameters, of which none is understood")
    if not isinstance(kid, str):
        raise invalid("is malformed: its kid is no text")
    if not isinstance(issuer, str) or not is_plain(issuer):
        raise invalid("names no issuer")
    return Assertion(text, str(alg), kid, issuer, claims)


def verify(assertion: Assertion, keys: Iterable[Key]) -> None:
    """Checks the signature of a JWT.

    Raises:
        Unauthenticated: none of its issuer's keys has made it.
    """
    from service.grants import signatures  # noqa: PLC0415 - see there

    for kid, alg, key in keys:
        if (assertion.kid and kid and assertion.kid != kid) or (alg and alg != assertion.alg):
            continue
        if signatures.fits(assertion.text, key, ALGORITHMS):
            return
    raise invalid("is not signed by a key of its issuer")


def check_times(claims: Mapping[str, Any], now: int) -> None:
    """Checks when a JWT is good: `exp` is required (RFC 7523 section 3), `nbf` and `iat` must not lie ahead.

    Raises:
        Unauthenticated: it is not good now.
    """
    expires = _time(claims, "exp")
    if expires is None:
        raise invalid("does not say when it expires")
    if expires <= now:
        raise invalid("has expired")
    for name in ("nbf", "iat"):
        time = _time(claims, name)
        if time is not None and time > now + LEEWAY:
            raise invalid("is not good yet")


def identity_of(claims: Mapping[str, Any], mapping: Claimed) -> str | None:
    """Returns who a JWT speaks for by a mapping; None: it is not one of the mapping's."""
    if not any(matches(value, mapping.purpose_match) for value in _values(claims, mapping.purpose_field)):
        return None
    found = [value for value in _values(claims, mapping.id_field) if matches(value, mapping.id_match)]
    # Of several that match it is not for us to choose one.
    return found[0] if len(found) == 1 and is_plain(found[0]) else None


def matches(value: str, pattern: str) -> bool:
    """Whether a whole value has the form of a pattern, in which `*` stands for any characters. Case counts."""
    first, *others = pattern.split("*")
    if not others:
        return value == first
    last = others.pop()
    if len(value) < len(first) + len(last) or not (value.startswith(first) and value.endswith(last)):
        return False
    # Left to right, each as early as can be: no backtracking, however many stars there are.
    position, end = len(first), len(value) - len(last)
    for part in others:
        found = value.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def is_plain(text: str) -> bool:
    """Whether a text of a stranger can be looked for in the database: short, of real characters, and none of them NUL."""
    return 0 < len(text) <= _LONGEST_TEXT and "\x00" not in text and text.isprintable()


class _Jwk(msgspec.Struct, omit_defaults=True, repr_omit_defaults=True):
    """The public members of a JWK (RFC 7517, RFC 7518 section 6, RFC 8037)."""

    kty: str
    kid: str | None = None
    use: str | None = None
    alg: str | None = None
    n: str | None = None
    e: str | None = None
    crv: str | None = None
    x: str | None = None
    y: str | None = None


class _Jwks(msgspec.Struct):
    keys: list[msgspec.Raw]


_decode_jwk = msgspec.json.Decoder(_Jwk).decode
_decode_jwks = msgspec.json.Decoder(_Jwks).decode


def read_keys(document: bytes) -> Sequence[Key]:
    """Returns the keys of a JWK set that signatures can be checked with; others are passed over (RFC 7517 section 5).

    Raises:
        ValueError: it is no JWK set.
    """
    found = (_read_key(raw) for raw in _decode_jwks(document).keys)
    return [key for key in found if key is not None]


def _read_key(raw: msgspec.Raw) -> Key | None:
    from service.grants import signatures  # noqa: PLC0415 - see there

    try:
        read = _decode_jwk(raw)
        if read.kty not in ("RSA", "EC", "OKP") or read.use not in (None, "sig"):
            return None
        if read.kty == "RSA" and not _SMALLEST_RSA <= _bits(read.n or "") <= _LARGEST_RSA:
            return None
        members = {name: value for name, value in msgspec.to_builtins(read).items() if name not in ("alg", "use")}
        key = signatures.public_key(members)
    except ValueError:
        return None
    return None if key is None else Key(read.kid or "", read.alg or "", key)


def _bits(number: str) -> int:
    return int.from_bytes(_from_base64url(number), "big").bit_length()


def _decoded(part: str) -> dict[str, Any]:
    try:
        return _decode_object(_from_base64url(part))
    except (ValueError, RecursionError):
        raise invalid("is malformed: a part of it is no JSON object in base64url") from None


def _from_base64url(text: str) -> bytes:
    """Reads base64url without padding (RFC 7515 section 2).

    Raises:
        ValueError: it is none.
    """
    return b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)


def _time(claims: Mapping[str, Any], name: str) -> int | None:
    """Returns a NumericDate (RFC 7519 section 2) as epoch microseconds."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise invalid(f"is malformed: its {name} is no time")
    return int(value * SECOND)


def _values(claims: Mapping[str, Any], name: str) -> list[str]:
    """Returns a claim as texts: its own, or those of its list. A number is what it is written as."""
    value = claims.get(name)
    values = value if isinstance(value, list) else [value]
    return [str(each) for each in values if isinstance(each, str | int) and not isinstance(each, bool)]
