# SPDX-License-Identifier: Apache-2.0
"""The `almoner` command as its users have it: processes with an environment of their own."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.command.shell import Files
from tests.databases import ADMIN_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.command.shell import Job, Result, Shell

PATIENCE = 30.0
"""Seconds after which something that a test waits for will not happen any more."""

ANY_PORTS = {"ALMONER_REST_LISTEN": "127.0.0.1:0", "ALMONER_GRPC_LISTEN": "127.0.0.1:0"}


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits for a condition that nothing reports."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)


@dataclass
class Answer:
    """A reply over REST."""

    status: int
    body: Any


class Server:
    """A serve command that runs."""

    def __init__(self, process: Job, output: Path, log: Path, last_line: str) -> None:
        """`output` is the pipe that it writes to, and `last_line` how the last line of its banner starts."""
        self.process = process
        self._last_line = last_line
        self._output = output
        self._log = log
        self._lines: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_ready(self) -> None:
        """Waits for the end of the banner."""
        assert self._ready.wait(PATIENCE), f"not ready:\n{self.output}\n{self.log}"

    @property
    def output(self) -> str:
        """All of standard output up to now."""
        return "\n".join(self._lines)

    @property
    def log(self) -> str:
        """All of standard error up to now."""
        return self._log.read_text()

    @property
    def rest(self) -> str:
        """HOST:PORT of the REST listener."""
        return self._shown(r"REST +http://(\S+)")

    @property
    def grpc(self) -> str:
        """The target of the gRPC listener."""
        return self._shown(r"gRPC +(\S+)")

    @property
    def rest_tls(self) -> str:
        """HOST:PORT of the REST listener with TLS."""
        return self._shown(r"REST TLS +https://(\S+)")

    @property
    def grpc_tls(self) -> str:
        """The target of the gRPC listener with TLS."""
        return self._shown(r"gRPC TLS +(\S+)")

    def get(self, path: str, *, authorization: str | None = None) -> Answer:
        """Gets a path over a connection of its own, as `admin` of the template unless told otherwise."""
        return self.send("GET", path, authorization=authorization)

    def send(self, method: str, path: str, body: Any = None, *, authorization: str | None = None) -> Answer:
        """Sends JSON, if any, over a connection of its own, as `admin` of the template unless told otherwise."""
        headers = {"Authorization": authorization or basic("admin", ADMIN_PASSWORD), "Content-Type": "application/json"}
        connection = HTTPConnection(self.rest, timeout=PATIENCE)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            reply = connection.getresponse()
            answer = reply.read()
        finally:
            connection.close()
        return Answer(reply.status, json.loads(answer) if answer else None)

    def children(self) -> list[int]:
        """Ids of the processes that it has started."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(each) for each in found.split()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal and returns the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Waits for the end and returns the exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def _read(self) -> None:
        with self._output.open() as stream:
            for line in stream:
                self._lines.append(line.rstrip("\n"))
                if line.startswith(self._last_line):
                    self._ready.set()
        self._ready.set()

    def _shown(self, pattern: str) -> str:
        match = re.search(pattern, self.output)
        assert match is not None, f"not shown:\n{self.output}\n{self.log}"
        return match[1]


@dataclass
class Almoner:
    """The command in a directory.

    Attributes:
        directory: Where it is typed.
        shell: What runs the commands.
        environment: Its settings.
    """

    directory: Path
    shell: Shell
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Result:
        """Runs a command to its end."""
        return self.shell.run(arguments, self.directory, self._environment(environment), stdin, PATIENCE)

    def done(self, *arguments: str, stdin: str = "") -> str:
        """Runs a command that must succeed and returns what it prints."""
        result = self.run(*arguments, stdin=stdin)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def rows(self, *arguments: str) -> Any:
        """Runs a command and returns the JSON that it prints."""
        return json.loads(self.done(*arguments, "--json"))

    @contextmanager
    def serving(self, *arguments: str, **environment: str) -> Iterator[Server]:
        """Runs a serve command, ready to serve, and kills what is left of it at the end."""
        with self.starting(*(arguments or ("serve",)), **environment) as server:
            server.wait_ready()
            assert server.process.poll() is None, server.log
            yield server

    @contextmanager
    def starting(self, *arguments: str, **environment: str) -> Iterator[Server]:
        """Starts a serve command."""
        log, output = self.directory / f"log-{time.monotonic_ns()}", self.shell.new_file()
        os.mkfifo(output)
        process = self.shell.start(
            arguments,
            self.directory,
            self._environment({**ANY_PORTS, **environment}),
            Files(Path(os.devnull), output, log),
        )
        server = Server(process, output, log, "  REST " if arguments[0] == "serve-gateway" else "  Keys ")
        try:
            yield server
        finally:
            process.kill()
            server.wait()

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ALMONER_")}
        return {**kept, "PYTHONWARNINGS": "default", **self.environment, **more}


def basic(username: str, password: str) -> str:
    """Returns the authorization value of a user name and a password."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
