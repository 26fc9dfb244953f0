# SPDX-License-Identifier: Apache-2.0
"""TLS as clients have it: connections that verify, show what they were shown, and stay open; and their certificates."""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from service.settings import host_and_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from service.command.certificates import Files


@dataclass
class Connection:
    """An open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def ssl(self) -> ssl.SSLObject:
        """What was agreed upon."""
        found: ssl.SSLObject = self.writer.get_extra_info("ssl_object")
        return found

    @property
    def certificate(self) -> bytes | None:
        """What the server showed, in DER."""
        return self.ssl.getpeercert(binary_form=True)

    async def get(self, path: str) -> tuple[str, bytes]:
        """Gets a path; returns the head of the reply and its body."""
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await self.writer.drain()
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        return head, await self.reader.readexactly(length)


def trusting(ca: Path) -> ssl.SSLContext:
    """Returns what a strict client has that trusts one authority."""
    context = ssl.create_default_context(cafile=ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@asynccontextmanager
async def connected(address: str, context: ssl.SSLContext, name: str = "localhost") -> AsyncIterator[Connection]:
    """Connects to HOST:PORT, where a server of this name must answer."""
    reader, writer = await asyncio.open_connection(*host_and_port(address), ssl=context, server_hostname=name)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


async def shown_by(address: str, context: ssl.SSLContext) -> bytes | None:
    """Returns the certificate that a new connection is shown."""
    async with connected(address, context) as connection:
        return connection.certificate


def der(path: Path) -> bytes:
    """Returns the certificate in a PEM file as DER."""
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def replace(old: Files, new: Files) -> None:
    """Puts a new certificate and its key into the place of old ones, as a tool that renews them does."""
    for source, target in ((new.key, old.key), (new.certificate, old.certificate)):
        temporary = target.with_suffix(".new")
        temporary.write_bytes(source.read_bytes())
        os.replace(temporary, target)  # noqa: PTH105 - what such tools call


def client_certificate(authority: Files, path: Path) -> bytes:
    """Writes a certificate for a client, signed by an authority, and its key to a file; returns it in DER."""
    ca = x509.load_pem_x509_certificate(authority.ca.read_bytes())
    ca_key = serialization.load_pem_private_key(authority.ca_key.read_bytes(), password=None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a client")])
    certificate = (
        x509.CertificateBuilder(ca.subject, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key_pem)
    return certificate.public_bytes(serialization.Encoding.DER)
