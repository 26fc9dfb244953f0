# SPDX-License-Identifier: Apache-2.0
"""A response that is whole when it is made, and is written in one step where nothing about it is out of the ordinary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.helpers import rfc822_formatted_time
from typing_extensions import override

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping
    from http import HTTPStatus

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.web_request import BaseRequest


class Head:
    """What every answer of a route begins with, spelled once.

    Attributes:
        status: HTTP status.
        headers: Headers that all have.
        text: The status line and these headers.
    """

    def __init__(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        self.status = int(status)
        self.headers = headers
        lines = (f"HTTP/1.1 {self.status} {status.phrase}", *map(": ".join, headers.items()))
        self.text = "".join(f"{line}\r\n" for line in lines)


class Answer(web.Response):
    """`aiohttp.web.Response` of a body in bytes.

    What aiohttp works out for each response step by step (encodings, chunks, cookies, hooks, hop-by-hop headers) comes
    to the same few headers for every answer of the gateway. So it becomes a response of aiohttp's only where it has to.
    """

    def __init__(self, head: Head, headers: Mapping[str, str], body: bytes) -> None:
        """`headers` are its own, beside those of its head."""
        self._head = head
        self._own_headers = headers
        self._whole_body = body

    @override
    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        transport = request.transport
        if transport is None or not self._is_ordinary(request, transport):
            headers = {**self._head.headers, **self._own_headers}
            super().__init__(status=self._head.status, headers=headers, body=self._whole_body)
            return await super().prepare(request)
        lines = "".join([f"{name}: {value}\r\n" for name, value in self._own_headers.items()])
        length, date = len(self._whole_body), rfc822_formatted_time()
        text = f"{self._head.text}{lines}Content-Length: {length}\r\nDate: {date}\r\n\r\n"
        transport.write(text.encode() + self._whole_body)
        self._keep_alive = self._eof_sent = True
        writer = request.writer
        await writer.drain()
        return writer

    def _is_ordinary(self, request: BaseRequest, transport: asyncio.Transport) -> bool:
        if not request.keep_alive or request.version != HttpVersion11 or request.method == hdrs.METH_HEAD:
            return False
        if self.keep_alive is False or transport.is_closing():
            return False
        # aiohttp refuses what would end a line of the headers.
        return "".join(self._own_headers.values()).isprintable()
