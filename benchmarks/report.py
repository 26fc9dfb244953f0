# SPDX-License-Identifier: Apache-2.0
"""What was measured, as tables for people and as JSON."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from benchmarks.goals import GOALS

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.goals import Goal
    from benchmarks.measuring import Row, Spread

_SAID = {True: "reached", False: "**not reached**", None: "not measured"}


@dataclass(frozen=True)
class Report:
    """The rows of a run, the facts of its machine, how it measured, and seconds of a start."""

    machine: dict[str, str | int | float]
    pace: str
    rows: list[Row]
    start: dict[str, float] = field(default_factory=dict)

    def write(self, directory: Path, name: str) -> None:
        """Writes NAME.json and NAME.md."""
        directory.mkdir(exist_ok=True)
        (directory / f"{name}.json").write_text(json.dumps(asdict(self), indent=1) + "\n")
        (directory / f"{name}.md").write_text(self.markdown())

    def markdown(self) -> str:
        """Returns all tables."""
        facts = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        parts = [
            f"# Measured on {self.machine['date']}",
            f"{facts}. {self.pace}.",
            "## Goals",
            goals_table(self.rows),
            "## Operations",
            operations_table(self.rows),
            "## Ceilings",
            ceilings_table(self.rows),
        ]
        if self.start:
            start = f"ready in {self.start['ready']:.2f} s; importing the libraries alone takes {self.start['import']:.2f} s"
            parts += ["## Start", f"On an existing database: {start}."]
        return "\n\n".join(parts) + "\n"


def goals_table(rows: list[Row]) -> str:
    """Returns a line a goal: reached or not."""
    return _table(["what", "goal", "measured", ""], [_goal(goal, rows) for goal in GOALS])


def _goal(goal: Goal, rows: list[Row]) -> list[str]:
    value = goal.measured(rows)
    limit = f"{goal.sense} {goal.limit:g} {goal.unit}"
    return [goal.what, limit, "" if value is None else f"{value:.2f}", _SAID[goal.reached(rows)]]


def operations_table(rows: list[Row]) -> str:
    """Returns a line a row."""
    head = ["operation", "setting", "requests/s", "ratio to its ceiling", "p50 ms", "p99 ms", "CPU µs", "MB"]
    return _table(head, [_operation(row) for row in rows])


def _operation(row: Row) -> list[str]:
    ratios = "; ".join(f"{_spread(held.ratio)} of {name}" for name, held in row.held.items())
    return [
        row.operation + (f" ({row.refused:,} refused)" if row.refused else ""),
        row.setting,
        f"{row.rate.median:,.0f}",
        ratios,
        f"{row.p50:.1f}",
        f"{row.p99:.1f}",
        f"{row.cpu:,.0f}" if row.cpu else "",
        f"{row.memory:.0f}" if row.memory else "",
    ]


def ceilings_table(rows: list[Row]) -> str:
    """Returns a line for each thing that operations were held against, with the median of its rates."""
    rates: dict[str, list[float]] = {}
    for row in rows:
        for name, held in row.held.items():
            rates.setdefault(name, []).append(held.rate)
    return _table(
        ["ceiling", "requests/s"], [[name, f"{statistics.median(each):,.0f}"] for name, each in rates.items()]
    )


def _spread(spread: Spread) -> str:
    digits = 2 if spread.median < 10 else 0
    return f"{spread.median:.{digits}f} ({spread.lowest:.{digits}f}-{spread.highest:.{digits}f})"


def _table(head: list[str], lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *lines])
