# SPDX-License-Identifier: Apache-2.0
"""Which core a worker takes; each case in a process of its own, since nothing gives a core back."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

CORES = sorted(os.sched_getaffinity(0))

_TAKE = """
import json, os, sys
from service.command import cores
cores.take_one(int(sys.argv[1]), int(sys.argv[2]))
print(json.dumps([sorted(os.sched_getaffinity(0)), os.sched_getscheduler(0), cores.has_one()]))
"""


def taken(index: int, workers: int) -> tuple[list[int], int, bool]:
    """Returns the cores of a worker, how it is scheduled, and whether it says that it has one core."""
    command = [sys.executable, "-c", _TAKE, str(index), str(workers)]
    cores, policy, has_one = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return cores, policy, has_one


@pytest.mark.parametrize("index", range(len(CORES)))
def test_as_many_workers_as_cores_have_one_each_and_interrupt_nobody(index: int) -> None:
    assert taken(index, len(CORES)) == ([CORES[index]], os.SCHED_BATCH, True)


@pytest.mark.parametrize("workers", [len(CORES) + 1, 2 * len(CORES)])
def test_any_other_number_of_workers_share_all_cores(workers: int) -> None:
    assert taken(0, workers) == (CORES, os.SCHED_OTHER, len(CORES) == 1)
