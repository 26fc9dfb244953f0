# SPDX-License-Identifier: Apache-2.0
"""A receiver of webhooks that fails half the time, as a process of its own: `failing_receiver.py SEED`.

It prints its port. Deliveries come by POST; GET / answers with what was taken, pairs of profile and revision in order, and
GET /count with how many of them differ. One in fifty deliveries is taken, and the connection breaks before the answer.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from contextlib import suppress

FAILS = 0.48
BREAKS = 0.02

_TAKEN: list[tuple[int, int]] = []
_DIFFERENT: set[tuple[int, int]] = set()
_CHANCE = random.Random(sys.argv[1])  # noqa: S311 - so that a run can be repeated


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers the requests of one connection."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.startswith(b"GET"):
                answer = json.dumps(len(_DIFFERENT) if head.startswith(b"GET /count ") else _TAKEN).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
                continue
            _, _, length = head.lower().partition(b"content-length: ")
            body = await reader.readexactly(int(length.partition(b"\r")[0]))
            chance = _CHANCE.random()
            if chance < FAILS:
                writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
                continue
            data = json.loads(body)["data"]
            change = (data["profile_id"], int(data["etag"].strip('"')))
            _TAKEN.append(change)
            _DIFFERENT.add(change)
            if chance < FAILS + BREAKS:
                break
            writer.write(b"HTTP/1.1 204 Taken\r\n\r\n")
    writer.close()


async def main() -> None:
    """Serves for ever."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
