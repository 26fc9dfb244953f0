# SPDX-License-Identifier: Apache-2.0
"""The processor's cores that a process may run on, which workers that go evenly on them share out among themselves.

Left to itself the system moves the threads of several workers between cores that are all busy, and lets each thread
that wakes up interrupt another one: calls then find the caches full of something else, and a group of them (see
`service.rpc.gathering`) is cut short by the threads that bring the next ones.
"""

from __future__ import annotations

import os
import sys

import structlog

_LOG = structlog.get_logger(__name__)


def take_one(index: int, workers: int) -> None:
    """Gives a worker, which has no other threads yet, a core to stay on, if every core gets as many workers as any other.

    Otherwise the system does better, and nothing is changed. Nor is it where the system does not allow it, which the
    log says.

    Args:
        index: Which worker this is, from 0.
        workers: How many there are.
    """
    if sys.platform != "linux":
        return
    cores = sorted(os.sched_getaffinity(0))
    if workers % len(cores):
        return
    try:
        # Threads that wake up wait for their turn: those of gRPC while the event loop serves what they have brought.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        os.sched_setaffinity(0, {cores[index % len(cores)]})
    except OSError as error:
        _LOG.warning("worker.shares_cores", worker=index, reason=error.strerror)


def has_one() -> bool:
    """Whether this process has a single core, which its threads take turns on."""
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) == 1
