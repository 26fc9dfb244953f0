# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmarks: `python -m benchmarks [--rounds N] [--seconds S] [--only TEXT] [--scale N]`.

Every operation is measured beside its ceiling in turn, round by round. Tables are printed and, with plots, written to
benchmarks/results/. With --scale the operations are those whose cost may depend on size, over houses of several sizes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import ceilings, machine, plots, scale, settings, startup
from benchmarks.load import installed
from benchmarks.measuring import CALLERS, Pace, Row
from benchmarks.report import Report, operations_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks.load import Load

RESULTS = Path(__file__).parent / "results"
SMALLEST = 1_000


def main() -> None:
    """Runs and writes what came out; fails if anything was refused."""
    options = _options()
    installed("wrk", "wrk")
    installed("h2load", "nghttp2-client")
    facts = machine.facts()
    pace = Pace(options.rounds, options.seconds)
    with tempfile.TemporaryDirectory(prefix="almoner-bench-") as name:
        directory = Path(name)
        with ceilings.running(directory) as against:
            if options.scale:
                sizes = sorted({SMALLEST, max(SMALLEST, options.scale // 10), options.scale})
                rows = _printed(scale.measured(options.filled or directory, sizes, against, pace))
            else:
                rows = _measured(directory, against, pace, options.only)
        start = {} if options.scale or options.only else startup.measured(directory / "sqlite")
    report = Report(
        facts, f"{pace.rounds} rounds of {pace.seconds} s, {CALLERS} callers, medians (min-max)", rows, start
    )
    print(report.markdown())
    if not options.only:
        _write(report, f"{datetime.now(UTC):%Y-%m-%d}" + ("-scale" if options.scale else ""))
    if any(row.refused for row in rows):
        raise SystemExit("requests were refused")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each operation (default 3)")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of a round (default 2)")
    parser.add_argument("--only", default="", help="operations with this in their names, on SQLite; writes nothing")
    parser.add_argument("--scale", type=int, default=0, help="measure what this many profiles cost instead")
    parser.add_argument("--filled", type=Path, help="directory where filled databases are kept for the next --scale")
    return parser.parse_args()


def _measured(directory: Path, against: Mapping[str, Load], pace: Pace, only: str) -> list[Row]:
    rows = _printed(settings.on_sqlite(directory / "sqlite", against, pace, wanted=only))
    if not only:
        rows += _printed(settings.over_grpc(directory / "halves", against, pace))
        rows += _printed(settings.on_postgres(directory / "postgres", against, pace))
    return rows


def _printed(rows: Iterable[Row]) -> list[Row]:
    """Returns rows; each is also told as it comes."""
    every = []
    for row in rows:
        print(operations_table([row]).splitlines()[-1], file=sys.stderr, flush=True)
        every.append(row)
    return every


def _write(report: Report, name: str) -> None:
    report.write(RESULTS, name)
    plots.ratios(report.rows, RESULTS / f"{name}-ratios")
    if costs := scale.costs(report.rows):
        plots.sizes(costs, RESULTS / f"{name}-sizes")


if __name__ == "__main__":
    main()
