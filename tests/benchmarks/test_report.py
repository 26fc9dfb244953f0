# SPDX-License-Identifier: Apache-2.0
"""What was measured becomes tables, goals and plots."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks import goals, measuring, plots, scale
from benchmarks.ceilings import HTTP
from benchmarks.load import Load, Result
from benchmarks.measuring import Held, Operation, Pace, Row, Spread, measure
from benchmarks.operations import workato
from benchmarks.report import Report
from benchmarks.settings import SQLITE

if TYPE_CHECKING:
    from pathlib import Path

RESULTS = [Result(100, 0.010, 0.020, 200), Result(300, 0.030, 0.090, 600), Result(200, 0.020, 0.030, 400, refused=1)]
GET = goals.GOALS[0]


class Recorded:
    """A load whose rounds, behind the one that warms up, are known."""

    def __init__(self, *results: Result) -> None:
        self.results = list(results)

    def run(self, callers: int, seconds: int) -> Result:
        assert (callers, seconds) == (measuring.CALLERS, 1)
        return self.results.pop(0)


class Idle:
    """A server that uses a second of CPU a round."""

    seconds = 0.0

    def cpu(self) -> float:
        self.seconds += 0.5
        return self.seconds

    def resident(self) -> int:
        return 150_000_000


@pytest.fixture
def row() -> Row:
    """What three rounds come to, held against a ceiling that is as even as can be."""
    operation = Operation(workato.GET, Recorded(RESULTS[0], *RESULTS), (HTTP,))
    ceilings: dict[str, Load] = {HTTP: Recorded(*[Result(400, 0.001, 0.010, 800)] * 3)}
    return measure(operation, Idle(), SQLITE, ceilings, Pace(3, 1))


def test_what_is_less_even_gets_more_rounds() -> None:
    rounds = Recorded(*[Result(100, 0.010, 0.020, 200)] * 7)
    measure(Operation(workato.GET, rounds, (), times=3), Idle(), SQLITE, {}, Pace(2, 1))
    assert rounds.results == []


def test_a_row_has_medians_with_their_spread(row: Row) -> None:
    assert row.rate == Spread(200, 100, 300)
    assert [row.p50, row.p99] == pytest.approx([20, 30])


def test_each_round_is_held_against_the_one_beside_it(row: Row) -> None:
    assert row.held == {HTTP: Held(400, Spread(0.5, 0.25, 0.75), 3)}


def test_cpu_is_by_request_and_memory_in_megabytes(row: Row) -> None:
    assert [row.cpu, row.memory, row.refused] == pytest.approx([1e6 * 1.5 / 1200, 150, 1])


def test_a_goal_that_is_reached_says_so(row: Row) -> None:
    assert GET.measured([row]) == 0.5
    assert GET.reached([row]) is True


def test_a_goal_without_a_row_is_not_measured() -> None:
    assert [goal.reached([]) for goal in goals.GOALS] == [None] * len(goals.GOALS)


def test_a_report_is_written_for_people_and_for_machines(row: Row, tmp_path: Path) -> None:
    Report({"date": "today", "cores": 2}, "3 rounds", [row]).write(tmp_path, "now")
    assert "| 0.50 | reached |" in (tmp_path / "now.md").read_text()
    assert f"| {workato.GET} (1 refused) | SQLite | 200 | 0.50 (0.25-0.75) of" in (tmp_path / "now.md").read_text()
    assert json.loads((tmp_path / "now.json").read_text())["rows"][0]["rate"] == [200, 100, 300]


def test_plots_are_written_as_png_and_svg(row: Row, tmp_path: Path) -> None:
    plots.ratios([row], tmp_path / "ratios")
    assert workato.GET in (tmp_path / "ratios.svg").read_text()
    assert (tmp_path / "ratios.png").read_bytes().startswith(b"\x89PNG")


def test_cost_is_known_by_size() -> None:
    rows = [Row("search", scale.house(size), Spread(1, 1, 1), cost, 1) for size, cost in ((1_000, 2.0), (20_000, 3.0))]
    rows.append(Row("search", SQLITE, Spread(1, 1, 1), 1, 1))
    assert scale.costs(rows) == {"search": {1_000: 2.0, 20_000: 3.0}}
