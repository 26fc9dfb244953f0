# SPDX-License-Identifier: Apache-2.0
"""What the product is meant to reach, each goal beside what was measured. A new goal is a line of `GOALS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from benchmarks.ceilings import GRPC, HTTP, HTTP_UPDATE, ORM_UPDATE
from benchmarks.operations import grpc_api, hdp, workato
from benchmarks.scale import (
    DEEP_PAGE,
    FIRST_PAGE,
    GET,
    QUIET,
    RAW_LIKE,
    RAW_OFFSET,
    SEARCH,
    SKIPPED_PAGE,
    WHILE_SEARCHING,
    house,
)
from benchmarks.settings import ONE_WORKER, POSTGRES, SQLITE, WORKERS

if TYPE_CHECKING:
    from benchmarks.measuring import Held, Row

Measured: TypeAlias = Callable[[Sequence["Row"]], float | None]
LARGE = 1_000_000
FEW = 1_000


class Goal(NamedTuple):
    """A goal: `measured` is None while there is no row that tells."""

    what: str
    limit: float
    sense: Literal["at least", "at most"]
    unit: str
    measured: Measured

    def reached(self, rows: Sequence[Row]) -> bool | None:
        """Returns whether rows reach it, or None if they do not tell."""
        value = self.measured(rows)
        if value is None:
            return None
        return value >= self.limit if self.sense == "at least" else value <= self.limit


def _row(rows: Sequence[Row], operation: str, setting: str) -> Row | None:
    return next((row for row in rows if (row.operation, row.setting) == (operation, setting)), None)


def _of(operation: str, setting: str, against: str, value: Callable[[Held], float]) -> Measured:
    def measured(rows: Sequence[Row]) -> float | None:
        row = _row(rows, operation, setting)
        return value(row.held[against]) if row and against in row.held else None

    return measured


def rate(operation: str, setting: str, against: str) -> Measured:
    """Returns what tells the rate of an operation as a part of another's."""
    return _of(operation, setting, against, lambda held: held.ratio.median)


def cost(operation: str, setting: str, against: str) -> Measured:
    """Returns what tells how many times longer an operation takes than another."""
    return _of(operation, setting, against, lambda held: 1 / held.ratio.median)


def p99(operation: str, setting: str, against: str) -> Measured:
    """Returns what tells how many times longer the slowest in a hundred take."""
    return _of(operation, setting, against, lambda held: held.p99)


def memory(setting: str) -> Measured:
    """Returns what tells the most resident megabytes that a process had."""

    def measured(rows: Sequence[Row]) -> float | None:
        return max((row.memory for row in rows if row.setting == setting), default=None)

    return measured


_LARGE = house(LARGE)
GOALS = (
    Goal("REST get, Basic, SQLite, in process", 0.35, "at least", "of bare aiohttp", rate(workato.GET, SQLITE, HTTP)),
    Goal(
        "REST update, durable, audited, 32 callers",
        0.12,
        "at least",
        "of bare aiohttp",
        rate(hdp.UPDATE, SQLITE, HTTP_UPDATE),
    ),
    Goal("the same update", 3, "at least", "times one ORM session a request", rate(hdp.UPDATE, SQLITE, ORM_UPDATE)),
    Goal("gRPC get", 0.70, "at least", "of empty grpc.aio", rate(grpc_api.GET, SQLITE, GRPC)),
    Goal("gRPC get, PostgreSQL", 0.40, "at least", "of empty grpc.aio", rate(grpc_api.GET, POSTGRES, GRPC)),
    Goal(
        "page of 100 at a depth of 900,000 by token",
        1.2,
        "at most",
        "times page 1",
        cost(DEEP_PAGE, _LARGE, FIRST_PAGE),
    ),
    Goal("the same by skip", 2, "at most", "times raw OFFSET", cost(SKIPPED_PAGE, _LARGE, RAW_OFFSET)),
    Goal("get at 1,000,000 profiles", 0.9, "at least", "of get at 1,000", rate(GET, _LARGE, house(FEW))),
    Goal("substring search of 1,000,000 names", 0.3, "at most", "times raw LIKE", cost(SEARCH, _LARGE, RAW_LIKE)),
    Goal("p99 of gets during searches", 2, "at most", "times without", p99(WHILE_SEARCHING, _LARGE, QUIET)),
    Goal("memory serving 1,000,000 profiles", 200, "at most", "MB a process", memory(_LARGE)),
    Goal(
        "2 workers, gRPC get, PostgreSQL",
        1.5,
        "at least",
        "times one worker",
        rate(grpc_api.GET, WORKERS[2], ONE_WORKER),
    ),
)
