# SPDX-License-Identifier: Apache-2.0
"""Requests of the service's own go to the public internet, unless told otherwise."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from service.outgoing import Outgoing, OutgoingError, is_public

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_addresses_of_the_public_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.255",
        "0.0.0.0",  # noqa: S104 - refused
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
        "2001:0:1234::1",
    ],
)
def test_and_all_others(address: str) -> None:
    assert not is_public(address)


class Names(AbstractResolver):
    """Says that every name has these addresses, in turn."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.addresses[min(self.asked, len(self.addresses) - 1)]
        self.asked += 1
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None:
        pass


class Site:
    """A server on this machine, and how often it was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        if request.path == "/redirect":
            return web.Response(status=302, headers={"Location": "/"})
        return web.Response(text="x" * 100)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_get("/{path:.*}", site.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.port = runner.addresses[0][1]
    yield site
    await runner.cleanup()


async def outcome(outgoing: Outgoing, url: str, *, most: int = 1_000) -> str:
    """Returns `fetched`, or why not."""
    try:
        await outgoing.get(url, most=most)
    except OutgoingError as error:
        return str(error)
    else:
        return "fetched"
    finally:
        await outgoing.close()


def careful(resolver: AbstractResolver | None = None) -> Outgoing:
    return Outgoing(allow_http=True, allow_private=False, resolver=resolver)


def careless() -> Outgoing:
    return Outgoing(allow_http=True, allow_private=True)


async def test_what_is_allowed_is_fetched(site: Site) -> None:
    assert await outcome(careless(), f"http://127.0.0.1:{site.port}/") == "fetched"
    assert site.asked == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1", "0x7f000001", "2130706433"])
async def test_this_machine_is_not_connected_to_however_it_is_written(site: Site, host: str) -> None:
    assert await outcome(careful(), f"http://{host}:{site.port}/") != "fetched"
    assert site.asked == 0


async def test_nor_under_a_public_name(site: Site) -> None:
    said = await outcome(careful(Names("127.0.0.1")), f"http://example.com:{site.port}/")
    assert "no address of the public internet" in said
    assert site.asked == 0


async def test_nor_when_a_name_changes_its_address(site: Site) -> None:
    """DNS rebinding: what is connected to is what was looked at."""
    names = Names("192.0.2.1", "127.0.0.1")
    outgoing = careful(names)
    for _ in range(2):
        with pytest.raises(OutgoingError):
            await outgoing.get(f"http://example.com:{site.port}/", seconds=1)
    await outgoing.close()
    assert site.asked == 0


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "/x",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://",
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://[::1/",
        "http://example.com:99999/",
    ],
)
async def test_what_is_no_url_of_the_web_is_refused(url: str) -> None:
    assert await outcome(careless(), url) != "fetched"


async def test_plain_http_is_refused_unless_allowed(site: Site) -> None:
    outgoing = Outgoing(allow_http=False, allow_private=True)
    assert await outcome(outgoing, f"http://127.0.0.1:{site.port}/") != "fetched"
    assert site.asked == 0


async def test_redirects_are_not_followed(site: Site) -> None:
    assert "answers 302" in await outcome(careless(), f"http://127.0.0.1:{site.port}/redirect")
    assert site.asked == 1


async def test_a_document_may_have_so_many_bytes(site: Site) -> None:
    url = f"http://127.0.0.1:{site.port}/"
    assert await outcome(careless(), url, most=100) == "fetched"
    assert "more than 99 bytes" in await outcome(careless(), url, most=99)


async def test_a_port_that_nobody_listens_on(site: Site) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert "cannot be had" in await outcome(careless(), f"http://127.0.0.1:{taken.getsockname()[1]}/")
