# SPDX-License-Identifier: Apache-2.0
"""What is sent elsewhere: the answer whatever it is, and without one whether anything has been sent at all."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from service.outgoing import Answer, NotSentError, Outgoing, UnansweredError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Receiver:
    """A server on this machine that answers every request with the same bytes, or with nothing."""

    def __init__(self) -> None:
        self.url = ""
        self.answer: bytes | None = b"HTTP/1.1 204 No Content\r\n\r\n"
        self.closes = False
        self.received = b""
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]))
                self.received = head + body
                if self.answer is None:
                    await reader.read()
                    return
                writer.write(self.answer)
                await writer.drain()
                if self.closes:
                    return
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    yield receiver
    server.close()


@pytest.fixture
async def outgoing() -> AsyncIterator[Outgoing]:
    outgoing = Outgoing(allow_http=True, allow_private=True)
    yield outgoing
    await outgoing.close()


async def posted(outgoing: Outgoing, url: str, *, most: int = 100, seconds: float = 5) -> Answer:
    return await outgoing.post(url, b'{"a": 1}', {"Content-Type": "application/json"}, most=most, seconds=seconds)


async def test_the_document_arrives_with_its_headers(outgoing: Outgoing, receiver: Receiver) -> None:
    assert (await posted(outgoing, receiver.url)).status == 204
    head, _, body = receiver.received.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /hook HTTP/1.1\r\n")
    assert b"Content-Type: application/json" in head
    assert body == b'{"a": 1}'


@pytest.mark.parametrize("status", [200, 302, 400, 410, 429, 503])
async def test_every_status_is_an_answer(outgoing: Outgoing, receiver: Receiver, status: int) -> None:
    receiver.answer = (
        b"HTTP/1.1 %d Said\r\nRetry-After: 7\r\nLocation: http://127.0.0.1/\r\nContent-Length: 2\r\n\r\nno" % status
    )
    answer = await posted(outgoing, receiver.url)
    assert (answer.status, answer.headers["retry-after"], answer.body) == (status, "7", b"no")
    assert receiver.connections == 1


async def test_a_body_of_no_interest_is_not_read(outgoing: Outgoing, receiver: Receiver) -> None:
    receiver.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nx"
    assert (await posted(outgoing, receiver.url, most=0)).body == b""


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + b"x" * 200,
        b"HTTP/1.1 200 OK\r\nLong: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["none", "cut in the head", "cut in the body", "no HTTP", "too large", "too large a head"],
)
async def test_without_a_whole_answer_nobody_knows(outgoing: Outgoing, receiver: Receiver, answer: bytes) -> None:
    receiver.answer, receiver.closes = answer, True
    with pytest.raises(UnansweredError):
        await posted(outgoing, receiver.url)


async def test_nor_when_it_is_late(outgoing: Outgoing, receiver: Receiver) -> None:
    receiver.answer = None
    with pytest.raises(UnansweredError):
        await posted(outgoing, receiver.url, seconds=0.1)


async def test_without_a_connection_nothing_was_sent(outgoing: Outgoing) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(NotSentError):
            await posted(outgoing, f"http://127.0.0.1:{taken.getsockname()[1]}/")


async def test_nor_where_connecting_takes_too_long(outgoing: Outgoing) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)  # noqa: FBT003 - the standard library's own
            each.connect_ex(address)
        with pytest.raises(NotSentError):
            await posted(outgoing, f"http://127.0.0.1:{address[1]}/", seconds=0.2)
        for each in waiting:
            each.close()


async def test_nor_without_tls_where_it_is_asked_for(outgoing: Outgoing, receiver: Receiver) -> None:
    with pytest.raises(NotSentError):
        await posted(outgoing, receiver.url.replace("http:", "https:"), seconds=1)


async def test_nor_to_what_is_refused(receiver: Receiver) -> None:
    for careful in (Outgoing(allow_http=True, allow_private=False), Outgoing(allow_http=False, allow_private=True)):
        with pytest.raises(NotSentError):
            await posted(careful, receiver.url)
        await careful.close()
    assert receiver.connections == 0


@pytest.mark.parametrize(("keep", "connections"), [(False, 3), (True, 1)])
async def test_connections_are_kept_where_that_is_wanted(receiver: Receiver, *, keep: bool, connections: int) -> None:
    outgoing = Outgoing(allow_http=True, allow_private=True, keep_connections=keep)
    for _ in range(3):
        await posted(outgoing, receiver.url)
    assert receiver.connections == connections
    await outgoing.close()


async def test_a_kept_connection_that_ends_just_then_leaves_it_open_what_was_done(receiver: Receiver) -> None:
    outgoing = Outgoing(allow_http=True, allow_private=True, keep_connections=True)
    await posted(outgoing, receiver.url)
    receiver.answer, receiver.closes = b"", True
    with pytest.raises(UnansweredError):
        await posted(outgoing, receiver.url)
    await outgoing.close()
