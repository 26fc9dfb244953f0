# SPDX-License-Identifier: Apache-2.0
"""Signatures of tokens and public JWKs, with joserfc; the only module that knows it.

Imported only where there is something to sign or to verify: joserfc takes 80 ms and three megabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import EdDSAAlgorithm, JWSAlgModel
from joserfc.jwk import ECKey, OKPKey, RSAKey

from service.crypto.keyring_file import KeyringError

if TYPE_CHECKING:
    from service.crypto.keyring_file import SigningAlgorithm, SigningKey

PublicJwk: TypeAlias = dict[str, str | list[str]]
"""The public members of a key (RFC 7517, section 4)."""

_RSA_BITS: Final = 2048
_RSA_EXPONENT: Final = 65_537

_PrivateKey: TypeAlias = EllipticCurvePrivateKey | RSAPrivateKey | Ed25519PrivateKey
_Jwk: TypeAlias = ECKey | RSAKey | OKPKey


class SignatureError(Exception):
    """A token is not what the key has signed."""


class _EdDSA(EdDSAAlgorithm):
    # RFC 9864 deprecates the name because it leaves the curve open. Here it is always Ed25519, and resource servers
    # still know the old name better than the new one.
    security_warning = ""


class _Registry(jws.JWSRegistry):
    """Knows the algorithms that keys may have, and none beside: neither `none` nor a MAC."""

    algorithms: ClassVar[dict[str, JWSAlgModel]] = {  # type: ignore[misc]  # joserfc's is a class variable, too
        "ES256": jws.JWSRegistry.algorithms["ES256"],
        "RS256": jws.JWSRegistry.algorithms["RS256"],
        "EdDSA": _EdDSA(),
    }


class JoseKey:
    """A signing key, ready for use."""

    __slots__ = ("_header", "_private", "_public", "_registry", "algorithm", "kid")

    def __init__(self, key: SigningKey) -> None:
        """Reads the private key.

        Raises:
            KeyringError: It is none, or none for the algorithm, or not the one that the kid names.
        """
        self.kid: Final = key.kid
        self.algorithm: Final = key.algorithm
        private = _loaded(key)
        self._private = _jwk(private)
        self._public = _public_jwk(private)
        self._registry = _Registry(algorithms=[key.algorithm])
        if self._public.thumbprint() != key.kid:
            raise KeyringError(f"signing key {key.kid} of the keyring is another one than its kid says")

    def __repr__(self) -> str:
        return f"JoseKey(kid={self.kid!r}, algorithm={self.algorithm!r})"

    def sign(self, typ: str, payload: bytes) -> str:
        """Returns a compact JWS (RFC 7515, section 3.1) whose header has this key's alg and kid.

        Args:
            typ: The media type in the header.
            payload: What is signed.
        """
        header = {"alg": self.algorithm, "kid": self.kid, "typ": typ}
        return jws.serialize_compact(header, payload, self._private, registry=self._registry)

    def verify(self, token: str) -> bytes:
        """Returns the payload of a compact JWS that this key has signed with its algorithm.

        Raises:
            SignatureError: It has not. Neither the message nor a cause holds the token.
        """
        try:
            found = jws.deserialize_compact(token, self._public, registry=self._registry)
        except (JoseError, ValueError) as error:
            raise SignatureError(type(error).__name__) from None
        return found.payload or b""

    def public_jwk(self) -> PublicJwk:
        """Returns the public half as it is published."""
        return self._public.as_dict(private=False, use="sig", alg=self.algorithm, kid=self.kid)


def new_private_key(algorithm: SigningAlgorithm) -> tuple[str, bytes]:
    """Returns the thumbprint (RFC 7638) of a random key, and the key itself as PKCS #8 (DER)."""
    private = _generated(algorithm)
    encoded = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return _public_jwk(private).thumbprint(), encoded


def _generated(algorithm: SigningAlgorithm) -> _PrivateKey:
    match algorithm:
        case "ES256":
            return generate_private_key(SECP256R1())
        case "RS256":
            return generate_rsa_private_key(_RSA_EXPONENT, _RSA_BITS)
        case "EdDSA":
            return Ed25519PrivateKey.generate()


def _loaded(key: SigningKey) -> _PrivateKey:
    try:
        private = load_der_private_key(key.private_key, password=None)
    except (ValueError, TypeError):
        raise KeyringError(f"signing key {key.kid} of the keyring is malformed") from None
    match key.algorithm, private:
        case "ES256", EllipticCurvePrivateKey(curve=SECP256R1()):
            return private
        case "RS256", RSAPrivateKey(key_size=bits) if bits >= _RSA_BITS:
            return private
        case "EdDSA", Ed25519PrivateKey():
            return private
        case _:
            raise KeyringError(f"signing key {key.kid} of the keyring is not one for {key.algorithm}")


def _jwk(private: _PrivateKey) -> _Jwk:
    match private:
        case EllipticCurvePrivateKey():
            return ECKey(private, private)
        case RSAPrivateKey():
            return RSAKey(private, private)
        case Ed25519PrivateKey():
            return OKPKey(private, private)


def _public_jwk(private: _PrivateKey) -> _Jwk:
    match private:
        case EllipticCurvePrivateKey():
            return ECKey(private.public_key(), None)
        case RSAPrivateKey():
            return RSAKey(private.public_key(), None)
        case Ed25519PrivateKey():
            return OKPKey(private.public_key(), None)
