# SPDX-License-Identifier: Apache-2.0
"""Bodies that are no JSON object, in every way: refused, never a fault of the server, nothing changed."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Final

import pytest

from tests.rest import CUSTOM_PROFILES, PROFILES, custom_body, profile_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bad_input.conftest import World
    from tests.rest import Answer

DEEP = 100_000
HDP = json.dumps(profile_body(1))
WORKATO = json.dumps(custom_body())

DOCUMENTS: Final[dict[str, bytes]] = {
    "empty": b"",
    "blank": b" \r\n\t",
    "truncated after a brace": b"{",
    "an empty array": b"[]",
    "a number": b"17",
    "null": b"null",
    "true": b"true",
    "arrays in arrays": b"[" * DEEP,
    "objects in objects": b'{"a":' * DEEP,
    "an HTML form": b"name=a&oauthAppId=1&refreshToken=r",
    "XML": b"<profile/>",
}  # fmt: skip
SPOILS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "truncated in a name": lambda good: good[:5],
    "truncated in a value": lambda good: good[: len(good) // 2],
    "truncated before the end": lambda good: good[:-1],
    "trailing garbage": lambda good: good + b" x",
    "two documents": lambda good: good + good,
    "an array": lambda good: b"[" + good + b"]",
    "a string": lambda good: json.dumps(good.decode()).encode(),
    "NaN": lambda good: good[:-1] + b', "x": NaN}',
    "Infinity": lambda good: good[:-1] + b', "x": -Infinity}',
    "single quotes": lambda good: good.replace(b'"', b"'"),
    "a comment": lambda good: b"/* c */" + good,
    "a trailing comma": lambda good: good[:-1] + b",}",
    "a missing comma": lambda good: good.replace(b", ", b" ", 1),
    "a raw control character": lambda good: good.replace(b'"name"', b'"na\nme"'),
    "a NUL byte": lambda good: good + b"\x00",
    "latin-1": lambda good: good.replace(b"Profile", "Profilé".encode("latin-1")).replace(b"Custom", b"\xe9"),
    "utf-16": lambda good: good.decode().encode("utf-16"),
    "utf-16-be": lambda good: good.decode().encode("utf-16-be"),
    "utf-32": lambda good: good.decode().encode("utf-32"),
    "a byte order mark": lambda good: b"\xef\xbb\xbf" + good,
    "overlong UTF-8": lambda good: good.replace(b"rofile", b"\xc0\xaf"),
    "a surrogate in UTF-8": lambda good: good.replace(b"rofile", b"\xed\xa0\x80"),
    "a lone high surrogate": lambda good: good.replace(b"rofile", b"\\ud800"),
    "a lone low surrogate": lambda good: good.replace(b"rofile", b"\\udc00"),
    "deep in an unknown member": lambda good: good[:-1] + b', "x": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a member twice, the last one bad": lambda good: good[:-1] + b', "name": ""}',
}  # fmt: skip
"""What makes a good document a bad one."""


def says_why(answer: Answer, path: str) -> bool:
    if path == PROFILES:
        return answer.code == 222207007 and len(answer.text) > len("Invalid JSON Input: ")
    return len(answer.json()["message"]) > 0


@pytest.mark.parametrize(("path", "good"), [(PROFILES, HDP), (CUSTOM_PROFILES, WORKATO)], ids=["hdp", "workato"])
@pytest.mark.parametrize("kind", [*DOCUMENTS, *SPOILS])
@pytest.mark.usefixtures("unchanged")
async def test_what_is_no_json_object_is_refused(world: World, path: str, good: str, kind: str) -> None:
    data = DOCUMENTS[kind] if kind in DOCUMENTS else SPOILS[kind](good.encode())
    for method, where in (("POST", path), ("PUT", f"{path}/{world.ids['profile' if path == PROFILES else 'custom']}")):
        answer = await world.rest.send(method, where, data=data)

        assert answer.status == 400, answer.content
        assert says_why(answer, path)
        assert len(answer.content) < 1_000


@pytest.mark.parametrize("path", [PROFILES, CUSTOM_PROFILES])
@pytest.mark.usefixtures("unchanged")
async def test_two_mebibytes_are_too_many(world: World, path: str) -> None:
    long = b'{"name": "' + b"x" * 2 * 1024 * 1024 + b'"}'
    packed = gzip.compress(long)

    plain = await world.rest.send("POST", path, data=long)
    compressed = await world.rest.send("POST", path, data=packed, headers=[("Content-Encoding", "gzip")])

    assert (plain.status, compressed.status) == (413, 413)


@pytest.mark.parametrize("path", [PROFILES, CUSTOM_PROFILES])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.usefixtures("unchanged")
async def test_what_does_not_fit_its_content_encoding_is_refused(world: World, path: str, encoding: str) -> None:
    answer = await world.rest.send("POST", path, data=b"{}" * 20, headers=[("Content-Encoding", encoding)])

    assert answer.status == 400


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/xml", '"', "a/b; charset=nonsense"],
)
@pytest.mark.usefixtures("unchanged")
async def test_a_content_type_of_another_kind_makes_it_no_better(world: World, content_type: str) -> None:
    for path in (PROFILES, CUSTOM_PROFILES):
        answer = await world.rest.send("POST", path, data=b"name=a", headers=[("Content-Type", content_type)])
        assert answer.status == 400
