# SPDX-License-Identifier: Apache-2.0
"""What processes use, read from /proc: CPU time and resident memory."""

from __future__ import annotations

import os
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")


def tree(roots: tuple[int, ...]) -> set[int]:
    """Returns processes and all that they have started, directly or not."""
    parents = {int(path.name): _fields(path)[1] for path in Path("/proc").iterdir() if path.name.isdigit()}
    found = set(roots)
    while more := {pid for pid, parent in parents.items() if parent and int(parent) in found} - found:
        found |= more
    return found


def cpu(roots: tuple[int, ...]) -> float:
    """Returns the seconds of CPU that processes and all that they have started have used so far."""
    used = (_fields(Path(f"/proc/{pid}")) for pid in tree(roots))
    return sum(int(fields[11]) + int(fields[12]) for fields in used if fields[1]) * _TICK


def resident(roots: tuple[int, ...]) -> int:
    """Returns the resident bytes of the largest of processes and all that they have started."""
    return max(_resident(pid) for pid in tree(roots))


def _fields(directory: Path) -> list[str]:
    """Returns the fields of `stat` from the state on (proc(5)): what stands before them may contain blanks."""
    try:
        return (directory / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return [""] * 50


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS")), 0)
