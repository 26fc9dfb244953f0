# SPDX-License-Identifier: Apache-2.0
"""Every documented sample request gets its sample reply, member for member.

A sample is a file: the world it is sent into, the request, the reply. A world is a file of steps. Each sample that changes
anything gets a copy of its world for itself, so that their order does not matter.
"""

from __future__ import annotations

import base64
import re
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest
from google.protobuf import json_format

from almoner.v1 import (
    directory_service_pb2,
    directory_service_pb2_grpc,
    profile_service_pb2,
    profile_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from tests.conftest import TRANSPORTS
from tests.databases import ADMIN_PASSWORD
from tests.rest import Rest, gateway_over
from tests.running import running, running_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.databases import PostgresTemplate, Template
    from tests.rest import Answer

HERE = Path(__file__).parent
SAMPLES = sorted((HERE / "samples").rglob("*.json"))
NAMES = [path.relative_to(HERE / "samples").with_suffix("").as_posix() for path in SAMPLES]
SERVICES: dict[str, tuple[Any, Any]] = {
    "DirectoryService": (directory_service_pb2, directory_service_pb2_grpc.DirectoryServiceStub),
    "ProfileService": (profile_service_pb2, profile_service_pb2_grpc.ProfileServiceStub),
    "TokenService": (token_service_pb2, token_service_pb2_grpc.TokenServiceStub),
}

Json = Any
Names = dict[str, str]


def read(path: Path) -> Json:
    return msgspec.json.decode(path.read_bytes())


# --- Worlds -----------------------------------------------------------------------------------------------------------


class World(NamedTuple):
    """A database in which a sample makes sense, and what `<name>` stands for in paths and headers."""

    template: Template
    names: Names


async def send(rest: Rest, request: Json, names: Names) -> Answer:
    def named(text: str) -> str:
        return re.sub("<(.*?)>", lambda found: names[found[1]], text)

    headers = [(name, named(value)) for name, value in request["headers"].items()]
    content = msgspec.json.encode(request["body"]) if "body" in request else request.get("content", "").encode()
    return await rest.send(request["method"], named(request["path"]), by=None, data=content or None, headers=headers)


async def take(rest: Rest, step: Json, names: Names) -> None:
    """Takes one step: a call, a request, or a request `until` it makes what has a number."""
    if "rpc" in step:
        service, method = step["rpc"].split("/")
        messages, stub = SERVICES[service]
        message = json_format.ParseDict(step["message"], getattr(messages, f"{method}Request")())
        reply = await getattr(rest.almoner.stub(stub), method)(message, metadata=rest.almoner.as_admin)
        names |= {name: attrgetter(member)(reply) for name, member in step.get("save", {}).items()}
    elif "until" in step:
        await _reach(rest, step, names)
    else:
        answer = await send(rest, step["request"], names)
        assert answer.status < 300, answer


async def _reach(rest: Rest, step: Json, names: Names) -> None:
    async def make() -> int:
        answer = await send(rest, step["request"], names)
        assert answer.status < 300, answer
        body = answer.json()
        number: int = body.get("result", body)["id"]
        return number

    made = [await make()]
    while made[-1] < step["until"]:
        made.append(await make())
    *fillers, last = made
    assert last == step["until"]
    if step.get("alone"):
        remove = {**step["request"], "method": "DELETE"}
        del remove["body"]
        paths = [f"{remove['path']}/{filler}" for filler in fillers]
        for path in paths:
            answer = await send(rest, {**remove, "path": path}, names)
            assert answer.status < 300, answer


@dataclass
class Worlds:
    """Worlds and services over them, made the first time that a sample wants them."""

    copies: AsyncExitStack
    new_directory: Callable[[], Path]
    built: dict[tuple[int, str], World] = field(default_factory=dict)
    served: dict[tuple[int, str, str], Rest] = field(default_factory=dict)

    async def build(self, template: Template, name: str) -> World:
        """Returns a world, built through the API."""
        if (id(template), name) not in self.built:
            names = {"credentials": base64.b64encode(f"admin:{ADMIN_PASSWORD}".encode()).decode()}
            settings = await self.copies.enter_async_context(template.copy(self.new_directory()))
            async with running_on(settings) as almoner, gateway_over(almoner) as rest:
                for step in read(HERE / "worlds" / f"{name}.json"):
                    await take(rest, step, names)
            self.built[id(template), name] = World(await self.copies.enter_async_context(template.of(settings)), names)
        return self.built[id(template), name]

    @asynccontextmanager
    async def serve(self, world: World, transport: str) -> AsyncIterator[Rest]:
        """Serves a copy of a world."""
        over_grpc = transport == "over_grpc"
        async with (
            running(world.template, self.new_directory(), over_grpc=over_grpc) as almoner,
            gateway_over(almoner) as rest,
        ):
            yield rest

    async def serve_readers(self, template: Template, name: str, transport: str) -> Rest:
        """Returns the gateway over a copy of a world that all samples share that change nothing."""
        key = (id(template), name, transport)
        if key not in self.served:
            world = await self.build(template, name)
            self.served[key] = await self.copies.enter_async_context(self.serve(world, transport))
        return self.served[key]


@pytest.fixture(scope="module")
async def worlds(
    postgres_template: PostgresTemplate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Worlds]:
    """It takes `postgres_template` so that the server is still there when the copies are dropped."""
    async with AsyncExitStack() as copies:
        yield Worlds(copies, lambda: tmp_path_factory.mktemp("world"))


# --- Replies ----------------------------------------------------------------------------------------------------------


def differences(expected: Json, actual: Json, path: str = "$") -> Iterator[str]:
    """Yields where two values differ. Types count: 17 is neither 17.0 nor "17".

    `$match` is a pattern for a string, `$above` what an integer is greater than.
    """
    if isinstance(expected, dict) and "$match" in expected:
        if not isinstance(actual, str) or not re.search(expected["$match"], actual):
            yield f"{path} is {actual!r}, which {expected['$match']!r} does not match"
    elif isinstance(expected, dict) and "$above" in expected:
        if type(actual) is not int or actual <= expected["$above"]:
            yield f"{path} is {actual!r}, which is no integer above {expected['$above']}"
    elif type(expected) is not type(actual):
        yield f"{path} is {actual!r}, not {expected!r}"
    elif isinstance(expected, dict):
        if expected.keys() != actual.keys():
            yield f"{path} has the members {sorted(actual)}, not {sorted(expected)}"
        for name in expected.keys() & actual.keys():
            yield from differences(expected[name], actual[name], f"{path}.{name}")
    elif isinstance(expected, list):
        if len(expected) != len(actual):
            yield f"{path} has {len(actual)} elements, not {len(expected)}"
        for index, (one, other) in enumerate(zip(expected, actual, strict=False)):
            yield from differences(one, other, f"{path}[{index}]")
    elif expected != actual:
        yield f"{path} is {actual!r}, not {expected!r}"


async def answer_to(worlds: Worlds, template: Template, transport: str, sample: Json) -> Answer:
    world = await worlds.build(template, sample["world"])
    if sample["request"]["method"] == "GET" and "given" not in sample:
        rest = await worlds.serve_readers(template, sample["world"], transport)
        return await send(rest, sample["request"], world.names)
    async with worlds.serve(world, transport) as rest:
        names = {**world.names}
        for step in sample.get("given", []):
            await take(rest, step, names)
        return await send(rest, sample["request"], names)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("path", SAMPLES, ids=NAMES)
async def test_the_sample_request_gets_the_sample_reply(
    worlds: Worlds, template: Template, path: Path, transport: str
) -> None:
    sample = read(path)

    answer = await answer_to(worlds, template, transport, sample)

    reply = sample["reply"]
    assert answer.status == reply["status"], answer
    headers = {name: answer.headers.get(name) for name in reply["headers"]}
    assert list(differences(reply["headers"], headers)) == []
    if "body" in reply:
        assert list(differences(reply["body"], answer.json())) == []
    else:
        assert answer.content == b""


def test_the_update_of_document_002_is_answered_with_nothing_else() -> None:
    sample = read(HERE / "samples" / "venafi" / "002_update_application.json")

    assert (sample["request"]["method"], sample["request"]["path"]) == ("POST", "/vedsdk/OAuth/UpdateApplication")
    assert sample["reply"]["body"] == {"Result": 0, "Success": True}


def test_the_update_of_document_001_stands_here_as_it_is_printed() -> None:
    sample = read(HERE / "samples" / "hdp" / "001_update_profile.json")

    assert (sample["request"]["method"], sample["request"]["path"]) == ("PUT", "/api/mgmt/oauthprofiles/33")
    assert sample["reply"]["body"] == {"id": 33, **sample["request"]["body"]}
