# SPDX-License-Identifier: Apache-2.0
"""TLS as the listeners use it: a certificate that is checked at the start and followed in its files afterwards."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from service.clock import system_clock
from service.command import certificates
from service.command.failures import CommandError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    import grpc

    from service.clock import Clock
    from service.settings import Settings

_LOG = structlog.get_logger(__name__)

INTERVAL: Final = 1.0
"""Seconds between two looks at the files. They are read when two looks have found them changed and the same."""


@dataclass(frozen=True, slots=True)
class PemFile:
    """A file that a setting names.

    Attributes:
        setting: The variable, as it is called in what is said about the file.
        path: Where it is.
    """

    setting: str
    path: Path

    def read(self) -> bytes:
        """Returns its content.

        Raises:
            UsageError: it cannot be read.
        """
        try:
            return self.path.read_bytes()
        except OSError as error:
            self.refuse(f"cannot be read: {error.strerror}")

    def refuse(self, reason: str) -> NoReturn:
        """Says why the file cannot be used.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{self.setting}: {self.path} {reason}") from None


class _Pem(NamedTuple):
    """A certificate with its chain, and its key."""

    chain: bytes
    key: bytes

    def __repr__(self) -> str:
        return "_Pem(***)"


class Tls:
    """What the TLS listeners of a process show and ask for.

    Attributes:
        context: What REST's listener takes. It stays the same while the certificate in it changes.
    """

    def __init__(self, certificate: PemFile, key: PemFile, client_ca: PemFile | None = None) -> None:
        """Reads and checks the files.

        Args:
            certificate: The certificate, and after it its chain.
            key: Its key.
            client_ca: Authorities whose client certificates are asked for, read once; None asks for none.

        Raises:
            UsageError: a file cannot be read or used, or the key is not the certificate's.
        """
        self._certificate = certificate
        self._key = key
        self._used = self._found = self._state()
        self._pem = _read(certificate, key)
        self.context = self._new_context()
        if client_ca is not None:
            _ask_for_clients(self.context, client_ca)

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Returns what a gRPC listener takes; each handshake asks it for the certificate of that moment."""
        import grpc  # noqa: PLC0415 - slow, and not for REST alone

        used = self._pem

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal used
            if used is self._pem:
                return None
            used = self._pem
            return configuration()

        def configuration() -> grpc.ServerCertificateConfiguration:
            return grpc.ssl_server_certificate_configuration([(used.key, used.chain)])

        # The published types leave out that None stands for no change.
        return grpc.dynamic_ssl_server_credentials(configuration(), fetch)  # type: ignore[arg-type]

    async def follow(self, interval: float = INTERVAL) -> NoReturn:
        """Looks at the files for ever."""
        while True:
            await asyncio.sleep(interval)
            self.look()

    def look(self) -> None:
        """Takes the certificate over that is in the files now; if it cannot be used, the one from before stays."""
        before, self._found = self._found, self._state()
        # A certificate and its key are two files: what is still changing is left alone until it has come to rest.
        if self._found != before or self._found == self._used:
            return
        self._used = self._found
        try:
            pem = _read(self._certificate, self._key)
            # A context that refuses a certificate may have lost the one from before: the first try is on another one.
            self._new_context()
            self.context.load_cert_chain(self._certificate.path, self._key.path)
        except (UsageError, OSError) as error:
            _LOG.warning("tls.not_reloaded", error=str(error))
            return
        self._pem = pem
        _LOG.info("tls.reloaded", certificate=str(self._certificate.path))

    def _new_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._certificate.path, self._key.path)
        except OSError as error:
            self._certificate.refuse(f"cannot be used: {error.strerror or error}")
        return context

    def _state(self) -> tuple[tuple[int, int, int] | None, ...]:
        """Tells one version of the files from another without reading them."""
        return tuple(_version(file.path) for file in (self._certificate, self._key))


def open_tls(settings: Settings, clock: Clock = system_clock) -> Tls:
    """Returns what the settings say of TLS; self-signed certificates are made if need be.

    Raises:
        UsageError: a file that a setting names cannot be used.
        CommandError: self-signed certificates cannot be made.
    """
    client_ca = None
    if settings.tls_client_ca_file is not None:
        client_ca = PemFile("ALMONER_TLS_CLIENT_CA_FILE", settings.tls_client_ca_file)
    if settings.tls_certificate_file is not None and settings.tls_key_file is not None:
        certificate = PemFile("ALMONER_TLS_CERTIFICATE_FILE", settings.tls_certificate_file)
        return Tls(certificate, PemFile("ALMONER_TLS_KEY_FILE", settings.tls_key_file), client_ca)
    try:
        files = certificates.ensure(settings.tls_directory, clock)
    except OSError as error:
        raise CommandError(f"no certificates can be kept in {settings.tls_directory}: {error.strerror}") from None
    certificate = PemFile("ALMONER_TLS_SELF_SIGNED", files.certificate)
    return Tls(certificate, PemFile("ALMONER_TLS_SELF_SIGNED", files.key), client_ca)


def authorities(file: PemFile) -> bytes:
    """Returns the certificates of authorities in a file.

    Raises:
        UsageError: it cannot be read, or has none.
    """
    pem = file.read()
    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError:
        file.refuse("is no PEM certificate")
    return pem


def _ask_for_clients(context: ssl.SSLContext, client_ca: PemFile) -> None:
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=authorities(client_ca).decode("ascii", "ignore"))


def _read(certificate: PemFile, key: PemFile) -> _Pem:
    """Returns what is in the files; no message has anything of the key."""
    pem = _Pem(certificate.read(), key.read())
    try:
        public_key = x509.load_pem_x509_certificates(pem.chain)[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        certificate.refuse("is no PEM certificate")
    try:
        fits = load_pem_private_key(pem.key, password=None).public_key() == public_key
    except TypeError:
        key.refuse("has a password, which nobody is there to type")
    except (ValueError, UnsupportedAlgorithm):
        key.refuse("is no PEM key")
    if not fits:
        key.refuse(f"is not the key of the certificate in {certificate.path}")
    return pem


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
