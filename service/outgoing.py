# SPDX-License-Identifier: Apache-2.0
"""Requests that the service itself makes, to addresses that its users have named: guarded against misuse (SSRF).

What is connected to is checked where the socket is made, after every name has been resolved: an address that a name
changes to between a check and its use cannot slip through. Redirects are not followed, and size and time are bounded.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import aiohttp

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver
    from aiohttp.connector import AddrInfoType

MOST_BYTES: Final = 256 * 1024
SECONDS: Final = 5.0

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class OutgoingError(Exception):
    """A request was refused, or not answered as it must be. The message is for the log: it may tell of networks."""


class _ForbiddenAddressError(OSError):
    """The address is none of the public internet."""


def is_public(text: str) -> bool:
    """Whether an IP address belongs to the public internet, as itself and as the IPv4 address that it stands for."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast


class Outgoing:
    """Fetches documents by HTTP."""

    def __init__(self, *, allow_http: bool, allow_private: bool, resolver: AbstractResolver | None = None) -> None:
        """Opens nothing yet.

        Args:
            allow_http: Whether plain http is fetched, too.
            allow_private: Whether addresses of private networks, this machine among them, are connected to.
            resolver: What finds the addresses of a name; None: the system.
        """
        self._schemes = ("https", "http") if allow_http else ("https",)
        self._allow_private = allow_private
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str, *, most: int = MOST_BYTES, seconds: float = SECONDS) -> bytes:
        """Returns the body of a document.

        Args:
            url: Where it is.
            most: Bytes that it may have.
            seconds: How long everything may take.

        Raises:
            OutgoingError: the URL or an address is refused, or the answer is late, too large or not 200.
        """
        self._check(url)
        try:
            async with (
                asyncio.timeout(seconds),
                self._opened().get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as reply,
            ):
                if reply.status != 200:
                    raise OutgoingError(f"{url} answers {reply.status}")
                body = bytearray()
                async for chunk in reply.content.iter_any():
                    body += chunk
                    if len(body) > most:
                        raise OutgoingError(f"{url} has more than {most} bytes")
                return bytes(body)
        except TimeoutError:
            raise OutgoingError(f"{url} takes longer than {seconds:g} seconds") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise OutgoingError(f"{url} cannot be had: {error}") from None

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    def _check(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            raise OutgoingError(f"{url!r} is no URL") from None
        if parts.scheme not in self._schemes or not parts.hostname or "@" in parts.netloc:
            raise OutgoingError(f"{url!r} is no URL of {' or '.join(self._schemes)}, or has a user name in it")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(resolver=self._resolver, socket_factory=self._socket, force_close=True)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    def _socket(self, found: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = found
        if not self._allow_private and not is_public(str(address[0])):
            raise _ForbiddenAddressError(errno.EACCES, f"{address[0]} is no address of the public internet")
        return socket.socket(family, kind, protocol)
