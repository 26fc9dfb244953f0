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


@pytest.mark.parametrize(
    ("index", "workers"), [(index, workers) for workers in (len(CORES), 2 * len(CORES)) for index in range(workers)]
)
def test_workers_that_go_evenly_on_the_cores_stay_on_one_and_interrupt_nobody(index: int, workers: int) -> None:
    assert taken(index, workers) == ([CORES[index % len(CORES)]], os.SCHED_BATCH, True)


@pytest.mark.skipif(len(CORES) == 1, reason="any number of workers goes evenly on one core")
@pytest.mark.parametrize("workers", [len(CORES) - 1, len(CORES) + 1])
def test_any_other_number_of_workers_share_all_cores(workers: int) -> None:
    assert taken(0, workers) == (CORES, os.SCHED_OTHER, False)
