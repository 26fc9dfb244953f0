# SPDX-License-Identifier: Apache-2.0
"""Certificates for development: a certificate authority of this machine's own, and what it signs for localhost.

Depends on cryptography and the clock only. No error and no repr holds a key.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from service.clock import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.clock import Clock

CA_LIFETIME: Final = timedelta(days=3650)
LIFETIME: Final = timedelta(days=397)
"""Longer than 398 days, browsers take no certificate of a server."""

RENEWED_BEFORE: Final = timedelta(days=30)
"""What a certificate must still be good for at a start."""

_BEHIND: Final = timedelta(hours=1)
"""How far the clock of a client may be behind."""

_PRIVATE: Final = 0o600
_PUBLIC: Final = 0o644

_LOCALHOST: Final = x509.DNSName("localhost")
_NAMES: Final = (
    _LOCALHOST,
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)
# Whoever trusts this authority trusts it for no other host name, even if somebody else gets its key. Addresses cannot be
# limited likewise: BoringSSL, and with it gRPC, takes no certificate of an authority that has such a limit.
_ALLOWED: Final = (_LOCALHOST,)


class Files(NamedTuple):
    """Where the certificates and their keys are, in PEM."""

    ca: Path
    ca_key: Path
    certificate: Path
    key: Path


class _Pair(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"_Pair({self.certificate!r})"


def files_in(directory: Path) -> Files:
    """Returns the files that `ensure` keeps in a directory."""
    return Files(directory / "ca.crt", directory / "ca.key", directory / "server.crt", directory / "server.key")


def ensure(directory: Path, clock: Clock) -> Files:
    """Makes what is missing, malformed, about to expire or does not fit; what is good stays.

    Processes that start at once wait for each other, and all use what the first one made.

    Raises:
        OSError: the directory or a file in it cannot be read or written.
    """
    for each in (directory.parent, directory):  # of parents that it makes, mkdir leaves the mode to the umask
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = files_in(directory)
    now = datetime.fromtimestamp(clock() // SECOND, UTC)
    with _exclusive(directory):
        if not _is_good(files, now):
            authority = _authority(files, now)
            pair = _signed_by(authority, now)
            _write(files.key, _key_pem(pair.key), _PRIVATE)
            _write(files.certificate, _certificate_pem(pair.certificate), _PUBLIC)
    return files


def _is_good(files: Files, now: datetime) -> bool:
    """Says whether the server's certificate can be used; it needs the authority's certificate for that, not its key."""
    pair = _read_pair(files.certificate, files.key)
    ca = _read_certificate(files.ca)
    if pair is None or ca is None or not _lasts(pair.certificate, now) or not _lasts(ca, now):
        return False
    try:
        pair.certificate.verify_directly_issued_by(ca)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _authority(files: Files, now: datetime) -> _Pair:
    """Returns the authority that is there, or makes one."""
    found = _read_pair(files.ca, files.ca_key)
    if found is not None and _lasts(found.certificate, now):
        return found
    made = _new_authority(now)
    _write(files.ca_key, _key_pem(made.key), _PRIVATE)
    _write(files.ca, _certificate_pem(made.certificate), _PUBLIC)
    return made


def _new_authority(now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # Trust stores tell authorities apart by their names.
    name = _name(f"Almoner development CA {serial % 2**32:08x}")
    subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _builder(name, name, key, serial, now)
        .not_valid_after(now + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=_ALLOWED, excluded_subtrees=None), critical=True)
        .add_extension(subject_key, critical=False)
    )
    return _Pair(builder.sign(key, hashes.SHA256()), key)


def _signed_by(authority: _Pair, now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    ca = authority.certificate
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        _builder(_name("localhost"), ca.subject, key, x509.random_serial_number(), now)
        .not_valid_after(min(now + LIFETIME, ca.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_NAMES), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    return _Pair(builder.sign(authority.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, serial: int, now: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), serial)
    return builder.not_valid_before(now - _BEHIND)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _lasts(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc - RENEWED_BEFORE


def _read_pair(certificate_file: Path, key_file: Path) -> _Pair | None:
    """Returns a certificate with its key; None if one is missing or malformed, or they do not belong together."""
    certificate = _read_certificate(certificate_file)
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except (FileNotFoundError, TypeError, ValueError, UnsupportedAlgorithm):
        return None
    if certificate is None or not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    return _Pair(certificate, key) if certificate.public_key() == key.public_key() else None


def _read_certificate(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Puts a file in its place whole."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)  # noqa: PTH105 - the name is text, from mkstemp
    except OSError:
        os.unlink(temporary)  # noqa: PTH108 - likewise
        raise


@contextmanager
def _exclusive(directory: Path) -> Iterator[None]:
    """Keeps other processes from making certificates there meanwhile."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
