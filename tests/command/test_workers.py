# SPDX-License-Identifier: Apache-2.0
"""`almoner serve --workers 2`: two processes on the same ports and the same database."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.command.processes import until

if TYPE_CHECKING:
    from tests.command.processes import Almoner, Server

PROFILES = "/api/mgmt/oauthprofiles"


def serves(server: Server) -> bool:
    """Whether a request is answered, and not lost with the process that had taken its connection."""
    try:
        return server.get(PROFILES).status == 200
    except OSError:
        return False


def lives(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def cores_of(process: int) -> list[set[int]]:
    """Returns where each thread of a process may run."""
    return [os.sched_getaffinity(int(thread.name)) for thread in Path(f"/proc/{process}/task").iterdir()]


def test_both_serve_and_one_that_dies_is_replaced_meanwhile(started_on: Almoner) -> None:
    with started_on.serving("serve", "--workers", "2") as server:
        assert "  Workers    2\n" in server.output
        assert server.output.count("is ready") == 1
        first, second = server.children()
        assert all(serves(server) for _ in range(10))
        os.kill(first, signal.SIGKILL)
        until(lambda: serves(server), "the other one serves")
        until(lambda: len(server.children()) == 2 and first not in server.children(), "it is replaced")
        assert second in server.children()
        children = server.children()
        assert server.stop() == 0
        assert not any(lives(child) for child in children)


def test_they_have_a_core_each_where_there_are_as_many(started: Almoner) -> None:
    cores = sorted(os.sched_getaffinity(0))
    expected = [{core} for core in cores] if len(cores) == 2 else [set(cores)] * 2
    with started.serving("serve", "--workers", "2") as server:
        found = [cores_of(child) for child in server.children()]
    # A process that was started later may have been listed earlier.
    assert sorted(found, key=lambda each: min(each[0])) == [
        [own] * len(each) for own, each in zip(expected, found, strict=True)
    ]


def test_they_end_when_their_parent_is_killed(started: Almoner) -> None:
    with started.serving("serve", "--workers", "2") as server:
        children = server.children()
        server.stop(signal.SIGKILL)
        until(lambda: not any(lives(child) for child in children), "they have ended")


def test_one_that_cannot_start_ends_them_all_with_a_line(started: Almoner) -> None:
    metrics = "127.0.0.1:65535"  # the second worker's port would be the next, which is none
    result = started.run("serve", "--workers", "2", "--metrics-listen", metrics, ALMONER_REST_LISTEN="127.0.0.1:0")
    assert result.returncode == 1
    said = [line for line in result.stderr.splitlines() if line.startswith("almoner: ")]
    assert said[0].startswith("almoner: metrics cannot listen on 127.0.0.1:65536: ")
    assert said[1] == "almoner: worker 1 did not start"
    assert "Traceback" not in result.stderr
    assert "is ready" not in result.stdout
