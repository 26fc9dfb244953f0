# SPDX-License-Identifier: Apache-2.0
"""Operations, and how they are measured: in turn with what they are held against, medians over the rounds.

So a machine whose speed drifts does not change a ratio.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks.load import Load, Result

CALLERS = 32


@dataclass(frozen=True)
class Operation:
    """What is measured.

    Attributes:
        name: What is done, by whom.
        load: What is sent.
        against: Names of the ceilings that it is held against; the first is the one of the table.
        everywhere: Whether it is measured in every setting, or only in the first.
        bounded: Whether it costs the same however much is stored; only then is it measured in a large house.
        callers: How many send it at once.
        times: How many times as many rounds it gets: more, where rounds differ by more than its goal leaves.
    """

    name: str
    load: Load
    against: tuple[str, ...]
    everywhere: bool = False
    bounded: bool = True
    callers: int = CALLERS
    times: int = 1


class Spread(NamedTuple):
    """A median, and the lowest and highest of what it is the median of."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Returns the spread of values."""
        ordered = sorted(values)
        return cls(statistics.median(ordered), ordered[0], ordered[-1])


class Held(NamedTuple):
    """What an operation was held against: its rate, the operation's rate and p99 as parts of its own."""

    rate: float
    ratio: Spread
    p99: float


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        operation: What was done.
        setting: By which server.
        rate: Requests a second.
        p50: Latency of the middle request, in milliseconds.
        p99: Latency that one request of a hundred exceeds, in milliseconds.
        held: What it was held against, by name.
        cpu: Microseconds of CPU a request of all processes of the server; 0 if not known.
        memory: Resident megabytes of the largest process afterwards; 0 if not known.
        refused: Requests that were not answered as they should.
    """

    operation: str
    setting: str
    rate: Spread
    p50: float
    p99: float
    held: dict[str, Held] = field(default_factory=dict)
    cpu: float = 0
    memory: float = 0
    refused: int = 0


@dataclass(frozen=True)
class Pace:
    """How long is measured: rounds, and seconds of each."""

    rounds: int
    seconds: int


class Measured(Protocol):
    """A server whose use of the machine can be told."""

    def cpu(self) -> float:
        """Returns the seconds of CPU that its processes have used so far."""
        ...

    def resident(self) -> int:
        """Returns the resident memory of its largest process in bytes."""
        ...


def measure(operation: Operation, server: Measured, setting: str, ceilings: Mapping[str, Load], pace: Pace) -> Row:
    """Measures an operation, in turn with what it is held against, each of which gets half as long."""
    operation.load.run(operation.callers, 1)
    ours: list[Result] = []
    theirs: dict[str, list[Result]] = {name: [] for name in operation.against}
    used = 0.0
    for _ in range(pace.rounds * operation.times):
        for name, results in theirs.items():
            results.append(ceilings[name].run(operation.callers, max(1, pace.seconds // 2)))
        before = server.cpu()
        ours.append(operation.load.run(operation.callers, pace.seconds))
        used += server.cpu() - before
    return Row(
        operation.name,
        setting,
        Spread.of(result.rate for result in ours),
        1_000 * statistics.median(result.p50 for result in ours),
        1_000 * statistics.median(result.p99 for result in ours),
        {name: _held(ours, results) for name, results in theirs.items()},
        1e6 * used / max(1, sum(result.requests for result in ours)),
        server.resident() / 1e6,
        sum(result.refused for results in (ours, *theirs.values()) for result in results),
    )


def _held(ours: list[Result], theirs: list[Result]) -> Held:
    """Compares the rounds, each with the one beside it."""
    pairs = list(zip(ours, theirs, strict=True))
    return Held(
        statistics.median(other.rate for other in theirs),
        Spread.of(one.rate / other.rate for one, other in pairs),
        statistics.median(one.p99 / other.p99 for one, other in pairs),
    )
