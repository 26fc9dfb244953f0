# SPDX-License-Identifier: Apache-2.0
"""A response that is whole when it is made, and is written in one step where nothing about it is out of the ordinary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.helpers import rfc822_formatted_time
from typing_extensions import override

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.web_request import BaseRequest


class Answer(web.Response):
    """`aiohttp.web.Response` of a body in bytes.

    What aiohttp works out for each response step by step (encodings, chunks, cookies, hooks, hop-by-hop headers) comes
    to the same few headers for every answer of the gateway.
    """

    @override
    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        body = self.body
        is_ordinary = request.keep_alive and request.version == HttpVersion11 and request.method != hdrs.METH_HEAD
        if not isinstance(body, bytes) or self.keep_alive is False or not is_ordinary:
            return await super().prepare(request)
        self._keep_alive = True
        headers = self.headers
        headers[hdrs.CONTENT_LENGTH] = str(len(body))
        headers[hdrs.DATE] = rfc822_formatted_time()
        writer = request.writer
        await writer.write_headers(f"HTTP/1.1 {self.status} {self.reason}", headers)
        await writer.write_eof(body)
        self._eof_sent = True
        return writer
