# SPDX-License-Identifier: Apache-2.0
"""The README's first minute, typed line by line: its shell blocks are run in order, and its replies must come back."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the README types curl")

README = (Path(__file__).parents[1] / "README.md").read_text()
PATIENCE = 30.0
"""Seconds after which a block will not end any more."""

REST, GRPC = "127.0.0.1:8080", "127.0.0.1:50051"
PYTHON = ".venv/bin/python"
SERVE = "make serve"

# The ports are this run's own, and the installed command stands for make, which would look into the checkout's ./data.
INSTALLED = f"exec '{sys.executable}' -P -m service.cli serve"

_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_NEVER_THE_SAME = re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00\b|\beyJ[\w.-]+")
"""Moments, and JWTs."""


class Step(NamedTuple):
    """A block to type, and what it shows."""

    commands: str
    language: str
    shown: str


def steps() -> list[Step]:
    """Returns the blocks of the first section, each with the reply below it."""
    section = README.partition("## 60-second start\n")[2].partition("\n## ")[0]
    blocks = [(found["language"], found["text"]) for found in _BLOCK.finditer(section)]
    typed, shown = blocks[0::2], blocks[1::2]
    assert {language for language, _ in typed} == {"shell"}
    return [Step(text, *reply) for (_, text), reply in zip(typed, shown, strict=True)]


SERVER, *CALLS = steps()


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALMONER_")}
    return {**kept, "NO_PROXY": "127.0.0.1", "ALMONER_REST_LISTEN": "127.0.0.1:0", "ALMONER_GRPC_LISTEN": "127.0.0.1:0"}


class Listening(NamedTuple):
    """A server that the first block has started."""

    banner: str
    rest: str
    grpc: str


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """Types the first block into a shell of its own, in a directory without any data."""
    directory = tmp_path_factory.mktemp("readme")
    with Path(directory, "log").open("w+") as log:
        process = subprocess.Popen(
            ("bash", "-c", SERVER.commands.replace(SERVE, INSTALLED)),
            cwd=directory,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdout is not None
        with process.stdout as output:
            lines = []
            for line in output:
                lines.append(line)
                if line.startswith("  Keys "):
                    break
            banner = "".join(lines)
            rest, grpc = (
                re.search(rf"^  {name} +(?:http://)?(\S+)", banner, re.MULTILINE) for name in ("REST", "gRPC")
            )
            assert rest, log.seek(0) or log.read()
            assert grpc, banner
            yield Listening(banner, rest[1], grpc[1])
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0


@pytest.fixture(scope="module")
def replies(listening: Listening) -> dict[Step, str]:
    """Types all other blocks into another shell, in order, and returns what each printed."""
    replies = {}
    for step in CALLS:
        commands = step.commands
        for written, meant in ((REST, listening.rest), (GRPC, listening.grpc), (PYTHON, sys.executable)):
            commands = commands.replace(written, meant)
        result = subprocess.run(
            ("bash", "-eu", "-c", commands),
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert result.returncode == 0, result.stderr
        replies[step] = result.stdout
    return replies


def test_the_server_is_started_by_make() -> None:
    assert SERVER.commands.splitlines()[-1] == SERVE


def test_the_banner_is_the_one_that_the_readme_shows(listening: Listening) -> None:
    banner = listening.banner.replace(listening.rest, REST).replace(listening.grpc, GRPC)

    assert banner.endswith(SERVER.shown)


@pytest.mark.parametrize("step", CALLS, ids=range(len(CALLS)))
def test_a_block_is_answered_as_the_readme_shows(step: Step, replies: dict[Step, str]) -> None:
    shown, answered = (_NEVER_THE_SAME.sub("something", text) for text in (step.shown, replies[step]))

    if step.language == "json":
        assert json.loads(answered) == json.loads(shown)
    else:
        assert answered == shown
