# SPDX-License-Identifier: Apache-2.0
"""What was measured, as pictures: the ratio of every operation to its ceiling, and latency against size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measuring import Row

# Texts stay texts, and the same numbers make the same file.
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "almoner"})


def ratios(rows: list[Row], file: Path) -> None:
    """Draws the ratio of each row to its first ceiling, with its spread, to FILE.svg and FILE.png."""
    shown = [row for row in rows if row.held][::-1]
    held = [next(iter(row.held.values())).ratio for row in shown]
    figure = Figure(figsize=(9, 1.2 + 0.27 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(
        [f"{row.operation} · {row.setting}" for row in shown],
        [ratio.median for ratio in held],
        xerr=[[ratio.median - ratio.lowest for ratio in held], [ratio.highest - ratio.median for ratio in held]],
        color="#4c78a8",
        error_kw={"elinewidth": 1, "ecolor": "#222222"},
    )
    axes.axvline(1, color="#222222", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("rate as a part of its ceiling's")
    axes.margins(y=0.01)
    axes.grid(axis="x", alpha=0.3)
    figure.suptitle("Rate of each operation against its ceiling, in one run")
    _save(figure, file)


def sizes(costs: dict[str, dict[int, float]], file: Path) -> None:
    """Draws the latency in milliseconds of operations by the number of profiles, to FILE.svg and FILE.png."""
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.add_subplot()
    for name, points in costs.items():
        axes.plot(list(points), list(points.values()), marker="o", label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("profiles")
    axes.set_ylabel("milliseconds (p50)")
    axes.set_title("What size costs")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, file)


def _save(figure: Figure, file: Path) -> None:
    for ending in ("svg", "png"):
        metadata = {"Date": None} if ending == "svg" else None
        figure.savefig(file.with_name(f"{file.name}.{ending}"), dpi=130, metadata=metadata)
