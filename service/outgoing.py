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
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import SimpleNamespace

    from aiohttp.abc import AbstractResolver
    from aiohttp.connector import AddrInfoType

MOST_BYTES: Final = 256 * 1024
SECONDS: Final = 5.0

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class OutgoingError(Exception):
    """A request was refused, or not answered as it must be. The message is for the log: it may tell of networks."""


class NotSentError(OutgoingError):
    """Nothing of the request has left this machine: it may be made again without a second thought."""


class UnansweredError(OutgoingError):
    """There was a connection, and no whole answer: nobody here knows whether the request was acted on."""


class Answer(NamedTuple):
    """What a server answered, whatever its status.

    Attributes:
        status: Status code.
        headers: Header fields; their names are looked up in any case.
        body: The body, empty where it was not asked for.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


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


class _Progress:
    """How far a request has come."""

    __slots__ = ("connected",)

    def __init__(self) -> None:
        self.connected = False


class Outgoing:
    """Makes requests by HTTP."""

    def __init__(
        self,
        *,
        allow_http: bool,
        allow_private: bool,
        keep_connections: bool = False,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """Opens nothing yet.

        Args:
            allow_http: Whether plain http is spoken, too.
            allow_private: Whether addresses of private networks, this machine among them, are connected to.
            keep_connections: Whether a connection serves further requests. It may end just when one is sent on it, so
                this is for requests that can be repeated.
            resolver: What finds the addresses of a name; None: the system.
        """
        self._schemes = ("https", "http") if allow_http else ("https",)
        self._allow_private = allow_private
        self._keep_connections = keep_connections
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
        answer = await self._request("GET", url, None, {}, most=most, seconds=seconds)
        if answer.status != 200:
            raise OutgoingError(f"{url} answers {answer.status}")
        return answer.body

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, most: int, seconds: float) -> Answer:
        """Sends a document and returns what is answered. A redirect is an answer; it is not followed.

        Args:
            url: Where to.
            body: The document.
            headers: Header fields; Content-Type is one of them.
            most: Bytes that the answer's body may have; 0: it is of no interest, and not read.
            seconds: How long everything may take.

        Raises:
            NotSentError: the URL or an address is refused, or there is no connection.
            UnansweredError: there was one, and the answer is late, cut off, too large or no HTTP.
        """
        return await self._request("POST", url, body, headers, most=most, seconds=seconds)

    def objection(self, url: str) -> str:
        """Returns what is wrong with a URL, whatever its name resolves to; empty: nothing. The URL is not in it."""
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            return "is no URL"
        if parts.scheme not in self._schemes or not parts.hostname:
            return f"is no URL of {' or '.join(self._schemes)}"
        if "@" in parts.netloc:
            return "has a user name in it"
        try:
            public = self._allow_private or is_public(parts.hostname)
        except ValueError:
            return ""  # A name: what it stands for is looked at when it is connected to.
        return "" if public else "has an address that is not of the public internet"

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    async def _request(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], *, most: int, seconds: float
    ) -> Answer:
        if objection := self.objection(url):
            raise NotSentError(f"{url!r} {objection}")
        progress = _Progress()
        try:
            async with (
                asyncio.timeout(seconds),
                self._opened().request(
                    method,
                    url,
                    data=body,
                    headers={"Accept-Encoding": "identity", **headers},
                    allow_redirects=False,
                    trace_request_ctx=progress,
                ) as reply,
            ):
                return Answer(reply.status, reply.headers, await _read(url, reply, most))
        except TimeoutError:
            raise _failure(progress, f"{url} takes longer than {seconds:g} seconds") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failure(progress, f"{url} cannot be had: {error}") from None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=self._resolver,
                socket_factory=self._socket,
                force_close=not self._keep_connections,
                # Whoever makes many requests bounds them: servers that hang must not hold up others here.
                limit=0,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                trace_configs=[_following_connections()],
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


def _following_connections() -> aiohttp.TraceConfig:
    """Returns what notes in the `_Progress` of a request that it has a connection."""
    config = aiohttp.TraceConfig()

    async def connected(_session: object, context: SimpleNamespace, _parameters: object) -> None:
        context.trace_request_ctx.connected = True

    config.on_connection_create_end.append(connected)
    config.on_connection_reuseconn.append(connected)
    return config


async def _read(url: str, reply: aiohttp.ClientResponse, most: int) -> bytes:
    """Returns the body of an answer; see `Outgoing.post`."""
    body = bytearray()
    if most:
        async for chunk in reply.content.iter_any():
            body += chunk
            if len(body) > most:
                raise UnansweredError(f"{url} answers more than {most} bytes")
    return bytes(body)


def _failure(progress: _Progress, message: str) -> OutgoingError:
    return UnansweredError(message) if progress.connected else NotSentError(message)
