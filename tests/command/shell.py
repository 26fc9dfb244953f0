# SPDX-License-Identifier: Apache-2.0
"""What runs commands for a test: a process that has imported the libraries once, and forks itself for each of them.

Run as a script it is that process: it takes an order a line, and answers each. It ends when its standard input does.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import pkgutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Result(NamedTuple):
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


class Files(NamedTuple):
    """Where a command reads and writes."""

    stdin: Path
    stdout: Path
    stderr: Path


class Job:
    """A command that runs, or ran: what of `subprocess.Popen` is wanted of it."""

    def __init__(self, shell: Shell, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._shell = shell

    def poll(self) -> int | None:
        """Returns the exit code, which is negative for a signal, or None while it runs."""
        if self.returncode is None:
            self.returncode = self._shell.order({"poll": self.pid})
        return self.returncode

    def wait(self, patience: float) -> int:
        """Waits for the end and returns the exit code."""
        deadline = time.monotonic() + patience
        while (code := self.poll()) is None:
            assert time.monotonic() < deadline, "the command does not end"
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        """Sends a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Sends SIGKILL, if it still runs."""
        self.send_signal(signal.SIGKILL)


class Shell:
    """The process, from outside."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            (sys.executable, __file__),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "default"},
        )
        self._one_order = threading.Lock()
        self._numbers = itertools.count(1)
        self._directory = TemporaryDirectory(prefix="almoner-shell-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._directory, self._process:
            self._process.kill()

    def new_file(self) -> Path:
        """Returns a path where nothing is yet."""
        return Path(self._directory.name, str(next(self._numbers)))

    def start(self, arguments: Sequence[str], directory: Path, environment: Mapping[str, str], files: Files) -> Job:
        """Starts a command."""
        order = {
            "arguments": arguments,
            "directory": str(directory),
            "environment": environment,
            "files": [str(file) for file in files],
        }
        return Job(self, self.order(order))

    def run(
        self, arguments: Sequence[str], directory: Path, environment: Mapping[str, str], stdin: str, patience: float
    ) -> Result:
        """Runs a command to its end."""
        files = Files(self.new_file(), self.new_file(), self.new_file())
        files.stdin.write_text(stdin)
        code = self.start(arguments, directory, environment, files).wait(patience)
        return Result(code, files.stdout.read_text(), files.stderr.read_text())

    def order(self, order: Mapping[str, Any]) -> Any:
        """Gives an order, and returns its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._one_order:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())


def _import_all() -> None:
    """Imports all that there is to import, which starts no thread."""
    import gateway  # noqa: PLC0415 - not for who starts this process
    import service  # noqa: PLC0415

    for package in (service, gateway):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith("service.storage.migrations"):
                import_module(module.name)
    for name in ("alembic.command", "uvloop"):  # which are imported when they are used
        import_module(name)
    assert threading.active_count() == 1
    gc.freeze()


def _become(order: Mapping[str, Any]) -> None:
    """Becomes the command; never returns."""
    from service.cli import main  # noqa: PLC0415 - not for who starts this process

    os.chdir(order["directory"])
    os.environ.clear()
    os.environ.update(order["environment"])
    stdin, *outputs = order["files"]
    os.dup2(os.open(stdin, os.O_RDONLY), 0)
    for number, file in enumerate(outputs, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), number)
    # What it has read ahead are orders.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - a number, not a path; and it is closed with the process
    sys.argv[1:] = order["arguments"]
    code: Any = 1
    try:
        code = main(order["arguments"])
    except SystemExit as ended:
        code = ended.code
    finally:
        if (error := sys.exception()) is not None:
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _obey(order: Mapping[str, Any]) -> int | None:
    if "poll" in order:
        pid, status = os.waitpid(order["poll"], os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None
    pid = os.fork()
    if not pid:
        _become(order)
    return pid


if __name__ == "__main__":
    _import_all()
    for line in sys.stdin:
        print(json.dumps(_obey(json.loads(line))), flush=True)  # noqa: T201 - its answers are what it has to say
