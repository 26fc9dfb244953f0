# SPDX-License-Identifier: Apache-2.0
"""Bytes that are no HTTP: refused in our own form, repeating and logging nothing of them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import pytest

from tests.databases import ADMIN_TOKEN
from tests.rest import PROFILES

if TYPE_CHECKING:
    from tests.rest import Rest

MARK: Final = "c4n4rym4rk"
POST = f"POST {PROFILES} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n"
NO_HTTP: Final = {
    "no request line": f"{MARK}\r\n\r\n",
    "an unknown method": f"MADEUP{MARK} / HTTP/1.1\r\nHost: x\r\n\r\n",
    "an unknown version": f"GET /{MARK} HTTP/9.9\r\nHost: x\r\n\r\n",
    "a long path": f"GET /{MARK * 1000} HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long header": f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {MARK * 1000}\r\n\r\n",
    "a NUL in a header": f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {MARK}\x00\r\n\r\n",
    "a space in a header's name": f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization {MARK}: x\r\n\r\n",
    "no colon in a header": f"GET / HTTP/1.1\r\nHost: x\r\n{MARK}\r\n\r\n",
    "a length that is none": f"{POST}Content-Length: {MARK}\r\n\r\n",
    "two lengths": f"{POST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{MARK}",
    "a length and chunks": f"{POST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{MARK}",
    "a chunk without a size": f"{POST}Transfer-Encoding: chunked\r\n\r\n{MARK}\r\n",
    "a TLS greeting": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + MARK + "\r\n\r\n",
}


async def exchange(rest: Rest, data: bytes) -> bytes:
    url = rest.client.make_url("/")
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("data", NO_HTTP.values(), ids=NO_HTTP)
async def test_it_is_refused_without_a_word_of_it(rest: Rest, caplog: pytest.LogCaptureFixture, data: str) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = await exchange(rest, data.encode("latin-1"))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert b"Content-Type: application/problem+json" in head
    assert b"aiohttp" not in head
    assert b'"reason":"MALFORMED_REQUEST"' in body
    assert MARK not in caplog.text
    assert MARK.encode() not in answer


async def test_it_does_not_stop_the_next_request(rest: Rest) -> None:
    await exchange(rest, b"\x00" * 100 + b"\r\n\r\n")

    assert (await rest.get(PROFILES)).status == 200


async def test_a_body_that_ends_early_is_nobodys(rest: Rest) -> None:
    url = rest.client.make_url("/")
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f'{POST}Content-Length: 100\r\n\r\n{{"name": "Half"'.encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert (await rest.get(PROFILES)).json() == {"profiles": []}
