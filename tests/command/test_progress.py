# SPDX-License-Identifier: Apache-2.0
"""The bar of long commands."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from typing_extensions import override

from service.command.progress import Progress

if TYPE_CHECKING:
    import pytest


class Terminal(io.StringIO):
    """A standard error that people see."""

    @override
    def isatty(self) -> bool:
        return True


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("exporting", "rows") as progress:
        progress(1, 2)
        progress(2, 2)
    assert capsys.readouterr() == ("", "")


def test_it_is_drawn_anew_ten_times_a_second_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, seconds = Terminal(), Seconds()
    monkeypatch.setattr(sys, "stderr", terminal)

    with Progress("exporting", "rows", clock=seconds) as progress:
        progress(0, 2_000)
        for done, now in ((500, 0.05), (1_000, 0.5), (1_500, 0.55), (2_000, 0.58)):
            seconds.now = now
            progress(done, 2_000)

    drawn = [line.removesuffix("\x1b[K") for line in terminal.getvalue().removesuffix("\n").split("\r")[1:]]
    assert drawn == [
        f"exporting [{'.' * 30}]   0%  0 of 2,000 rows, 0/s",
        f"exporting [{'#' * 15}{'.' * 15}]  50%  1,000 of 2,000 rows, 2,000/s, 0 s left",
        f"exporting [{'#' * 30}] 100%  2,000 of 2,000 rows, 3,448/s",
    ]


def test_what_was_done_before_does_not_count_for_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, seconds = Terminal(), Seconds()
    monkeypatch.setattr(sys, "stderr", terminal)

    with Progress("importing", "bytes", clock=seconds) as progress:
        progress(900, 1_000)
        seconds.now = 1.0
        progress(950, 1_000)

    assert terminal.getvalue().endswith("950 of 1,000 bytes, 50/s, 1 s left\x1b[K\n")
