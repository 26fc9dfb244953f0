# SPDX-License-Identifier: Apache-2.0
"""A process that runs one command after another, as a shell's user types them, and imports the libraries but once.

Run as a script it is that process: it takes a command a line, and answers each with what came of it.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from pathlib import Path


class Result(NamedTuple):
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


class Shell:
    """The process, from outside."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            (sys.executable, __file__), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()

    def run(self, arguments: tuple[str, ...], directory: Path, environment: dict[str, str], stdin: str) -> Result:
        """Runs a command there and then."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"arguments": arguments, "directory": str(directory), "environment": environment, "stdin": stdin}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Result(*json.loads(self._process.stdout.readline()))


def _obey(order: dict[str, Any]) -> Result:
    from service.cli import main  # noqa: PLC0415 - not for who starts this process

    os.chdir(order["directory"])
    os.environ.clear()
    os.environ.update(order["environment"])
    stdout, stderr = io.StringIO(), io.StringIO()
    sys.stdin = io.StringIO(order["stdin"])
    with redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            code: Any = main(order["arguments"])
        except SystemExit as ended:
            code = ended.code
    return Result(code, stdout.getvalue(), stderr.getvalue())


if __name__ == "__main__":
    answers = sys.stdout
    for line in sys.stdin:
        print(json.dumps(_obey(json.loads(line))), file=answers, flush=True)
