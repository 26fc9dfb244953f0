# SPDX-License-Identifier: Apache-2.0
"""What an answer looks like on the wire: the same whether it is written in one step or as aiohttp writes any other."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from gateway.answer import Answer, Head
from gateway.runner import Runner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HEAD = Head(HTTPStatus.CREATED, {"Content-Type": "application/json", "Server": "almoner"})


async def answer(_request: web.Request) -> web.Response:
    return Answer(HEAD, {"ETag": '"1"'}, b"{}")


async def usual(_request: web.Request) -> web.Response:
    return web.Response(status=201, body=b"{}", headers={**HEAD.headers, "ETag": '"1"'})


async def breaking(_request: web.Request) -> web.Response:
    return Answer(HEAD, {"ETag": '"1"\r\nSet-Cookie: of=another'}, b"{}")


@pytest.fixture
async def socket(tmp_path: Path) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/answer", answer)
    app.router.add_get("/usual", usual)
    app.router.add_get("/breaking", breaking)
    runner = Runner(app)
    await runner.setup()
    await web.UnixSite(runner, tmp_path / "socket").start()
    yield str(tmp_path / "socket")
    await runner.cleanup()


CLOSING = "GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"


async def said(socket: str, requests: str) -> list[bytes]:
    """Sends requests, after the last of which the connection ends, and returns what comes back, but for the dates."""
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(requests.encode())
    lines = (await reader.read()).split(b"\r\n")
    writer.close()
    return sorted(line for line in lines if not line.startswith(b"Date: "))


@pytest.mark.parametrize(
    "requests",
    [
        CLOSING,
        "GET {path} HTTP/1.1\r\nHost: here\r\n\r\n" + CLOSING,
        "HEAD {path} HTTP/1.1\r\nHost: here\r\n\r\n" + CLOSING,
        "GET {path} HTTP/1.0\r\n\r\n",
        "GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + CLOSING,
    ],
)
async def test_an_answer_is_what_aiohttp_would_write(socket: str, requests: str) -> None:
    lines = await said(socket, requests.format(path="/answer"))
    assert b"Content-Type: application/json" in lines
    assert lines == await said(socket, requests.format(path="/usual"))


async def test_an_answer_has_a_date(socket: str) -> None:
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(b"GET /answer HTTP/1.1\r\nHost: here\r\n\r\n")
    assert b"\r\nDate: " in await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def test_an_answer_with_a_header_that_would_begin_another_is_not_sent(socket: str) -> None:
    assert await said(socket, "GET /breaking HTTP/1.1\r\nHost: here\r\n\r\n") == [b""]
