# SPDX-License-Identifier: Apache-2.0
"""Whom a TLS client certificate speaks for, by what the policy of an organization says.

TLS has verified it up to a trusted authority and had its private key proven; who says so is decided elsewhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from service.clock import SECOND
from service.errors import Reason, Unauthenticated
from service.grants.tables import CertificateField

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UPN: Final = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
"""otherName of a user principal name ([MS-WCCE] section 2.2.2.7.7.4)."""

_UTF8_STRING: Final = 0x0C


def _invalid(message: str) -> Unauthenticated:
    return Unauthenticated(Reason.CREDENTIALS_INVALID, f"the client certificate {message}")


def username_in(der: bytes, field: CertificateField, issuers: Sequence[str], now: int) -> str:
    """Returns the user name in a certificate.

    Args:
        der: The certificate.
        field: Where the name stands.
        issuers: Distinguished names (RFC 4514) of the issuers that are taken; none: all.
        now: Epoch microseconds.

    Raises:
        Unauthenticated: it is malformed, not valid now, of another issuer, or has not exactly one name there.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        issuer, names = certificate.issuer, list(_names(certificate, field))
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise _invalid("is malformed") from None
    moment = datetime.fromtimestamp(now / SECOND, UTC)
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        raise _invalid("is not valid at this time")
    if issuers and not any(_is_named(issuer, allowed) for allowed in issuers):
        raise _invalid("has an issuer that the policy of the organization does not take")
    if len(names) != 1 or not names[0] or "\x00" in names[0]:
        raise _invalid("does not have exactly one user name where the policy of the organization looks for it")
    return names[0]


def _is_named(issuer: x509.Name, allowed: str) -> bool:
    try:
        return issuer == x509.Name.from_rfc4514_string(allowed)
    except ValueError:
        return False


def _names(certificate: x509.Certificate, field: CertificateField) -> Iterable[str]:
    if field is CertificateField.COMMON_NAME:
        return [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    if field is CertificateField.EMAIL:
        return found.get_values_for_type(x509.RFC822Name)
    return [_utf8_string(name.value) for name in found.get_values_for_type(x509.OtherName) if name.type_id == UPN]


def _utf8_string(der: bytes) -> str:
    """Reads a DER UTF8String (X.690 section 8.21).

    Raises:
        ValueError: it is none.
    """
    if len(der) < 2 or der[0] != _UTF8_STRING:
        raise ValueError("no UTF8String")
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if len(der) != start + length:
        raise ValueError("no UTF8String of its length")
    return der[start:].decode()
