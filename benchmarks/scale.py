# SPDX-License-Identifier: Apache-2.0
"""Houses of several sizes, filled by `benchmarks.fill` and served at once: what does size cost?"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from almoner.v1.profile_service_pb2 import GetProfileRequest, ListProfilesRequest, ListProfilesResponse
from benchmarks import operations, servers
from benchmarks.ceilings.raw_sqlite import Statement
from benchmarks.h2load import Call
from benchmarks.load import Request
from benchmarks.measuring import Operation, Row, Spread, measure
from benchmarks.operations.subjects import AS_BASIC, AS_BEARER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from google.protobuf.message import Message

    from benchmarks.load import Load, Result
    from benchmarks.measuring import Pace
    from benchmarks.servers import Running

GET = "Workato get of any profile, Basic"
FIRST_PAGE = "first page of 100"
DEEP_PAGE = "page at nine tenths, by token"
SKIPPED_PAGE = "page at nine tenths, by skip"
FILTER = "profiles of one owner"
SEARCH = "substring search of names, one found"
COMMON_SEARCH = "substring search of names, many found"
EXPORT = "export, rows"
QUIET = "gRPC get, 1,000 a second"
WHILE_SEARCHING = "gRPC get, 1,000 a second, during searches"
RAW_OFFSET = "raw sqlite3 OFFSET"
RAW_LIKE = "raw sqlite3 LIKE"
RAW_COMMON_LIKE = "raw sqlite3 LIKE, many found"

_SIZE = re.compile(r"SQLite, ([\d,]+) profiles")

COMMON_NAME = "zenith quartz"
"""Words of which fill makes names: one name of some hundreds contains them."""

_COLUMNS = (
    "id, organization, owner_id, creator_id, name, description, provider, application_number, client_id, "
    "client_secret, access_token, refresh_token, verification_token, created, updated, revision"
)
_ANY = """
math.randomseed(os.time())
request = function()
  return wrk.format(nil, "/api/custom_oauth_profiles/" .. math.random(1, %d))
end
"""


def house(profiles: int) -> str:
    """Returns the name of the setting with this many profiles."""
    return f"SQLite, {profiles:,} profiles"


@dataclass(frozen=True)
class House:
    """A server over a filled database."""

    profiles: int
    directory: Path
    server: Running

    def page(self, **members: str | int) -> Call:
        """Returns a call for a page of 100 over all organizations."""
        return self._call("ListProfiles", ListProfilesRequest(organization_id="-", page_size=100, **members))  # type: ignore[arg-type]

    def token_behind(self, depth: int) -> str:
        """Returns the token of the page behind so many profiles."""
        return ListProfilesResponse.FromString(self.page(skip=depth - 100).answer()).next_page_token

    def get(self, each_second: int) -> Call:
        """Returns a call for one profile, which each caller sends so often."""
        return replace(self._call("GetProfile", GetProfileRequest(id=self.profiles // 2)), each_second=each_second)

    def raw(self, rest: str) -> Statement:
        """Returns a statement over the profiles of this house."""
        return Statement(self.directory / "almoner.db", f"SELECT {_COLUMNS} FROM profiles {rest}")  # noqa: S608 - our own text

    def containing(self, part: str) -> Statement:
        """Returns the statement that looks for a part of names."""
        return self.raw(f"WHERE name LIKE '%{part}%' ORDER BY id LIMIT 100")

    def _call(self, method: str, message: Message) -> Call:
        return Call(self.server.grpc, f"/almoner.v1.ProfileService/{method}", message, AS_BEARER["Authorization"])


@dataclass(frozen=True)
class Beside:
    """A load while one caller sends another one all the time."""

    load: Load
    other: Load

    def run(self, callers: int, seconds: int) -> Result:
        """Sends both, and tells of the first."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            other = pool.submit(self.other.run, 1, seconds)
            result = self.load.run(callers, seconds)
            return replace(result, refused=result.refused + other.result().refused)


def fill(directory: Path, profiles: int) -> float:
    """Fills a directory, where it is not filled, and returns the seconds that took."""
    if (directory / "almoner.db").exists():
        return 0
    sizes = {"profiles": profiles, "applications": profiles // 10, "users": profiles // 100}
    sizes["organizations"] = min(100, sizes["users"])
    flags = [f"--{name}={max(1, count)}" for name, count in sizes.items()]
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "benchmarks.fill", f"--data-dir={directory}", *flags], check=True)
    return time.monotonic() - began


def measured(directory: Path, sizes: Sequence[int], ceilings: Mapping[str, Load], pace: Pace) -> Iterator[Row]:
    """Fills houses, serves all of them, and measures what size may cost in each, in turn with the same in the smallest.

    In the largest, also what is measured in a small one.
    """
    with ExitStack() as stack:
        houses = [stack.enter_context(_served(directory / str(profiles), profiles)) for profiles in sizes]
        smallest, largest = houses[0], houses[-1]
        in_smallest = {operation.name: operation.load for operation, _ in sized(smallest)}
        for one in houses:
            for operation, held in sized(one):
                if one is not smallest:
                    held[house(smallest.profiles)] = in_smallest[operation.name]
                yield measure(replace(operation, against=tuple(held)), one.server, house(one.profiles), held, pace)
            yield exported(one)
        for operation in operations.operations(largest.server):
            if operation.bounded:
                yield measure(operation, largest.server, house(largest.profiles), ceilings, pace)


@contextmanager
def _served(directory: Path, profiles: int) -> Iterator[House]:
    seconds = fill(directory, profiles)
    if seconds:
        print(f"filled with {profiles:,} profiles in {seconds:.0f} s", file=sys.stderr)
    with servers.almoner(directory) as server:
        yield House(profiles, directory, server)


def sized(of: House) -> list[tuple[Operation, dict[str, Load]]]:
    """Returns operations whose cost may depend on size, each with what it is held against in the same house."""
    depth = of.profiles * 9 // 10
    rare = f" {of.profiles * 7 // 8}"
    first = of.page()
    search = of.page(filter=f'name:"{rare}"')
    get = of.get(each_second=250)

    def alone(name: str, load: Load) -> Operation:
        return Operation(name, load, (), callers=1)

    return [
        (Operation(GET, Request(of.server.url, headers=AS_BASIC, script=_ANY % of.profiles), (), times=5), {}),
        (alone(FIRST_PAGE, first), {}),
        (alone(DEEP_PAGE, of.page(page_token=of.token_behind(depth))), {FIRST_PAGE: first}),
        (alone(SKIPPED_PAGE, of.page(skip=depth)), {RAW_OFFSET: of.raw(f"ORDER BY id LIMIT 100 OFFSET {depth}")}),
        (alone(FILTER, of.page(filter=f"owner_id = {2 + of.profiles // 200}")), {}),
        (alone(SEARCH, search), {RAW_LIKE: of.containing(rare)}),
        (alone(COMMON_SEARCH, of.page(filter=f'name:"{COMMON_NAME}"')), {RAW_COMMON_LIKE: of.containing(COMMON_NAME)}),
        (Operation(WHILE_SEARCHING, Beside(get, search), (), callers=4), {QUIET: get}),
    ]


def exported(of: House) -> Row:
    """Exports a house once while it is served: rows a second, and how long the whole takes."""
    command = [sys.executable, "-m", "service.cli", "export", f"--data-dir={of.directory}", "--log-level=error"]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = sum(1 for _ in process.stdout)
    seconds = time.monotonic() - began
    if process.returncode:
        raise RuntimeError(f"export ended with {process.returncode}")
    rate = lines / seconds
    return Row(EXPORT, house(of.profiles), Spread(rate, rate, rate), 1_000 * seconds, 1_000 * seconds)


def costs(rows: Sequence[Row]) -> dict[str, dict[int, float]]:
    """Returns the p50 of each operation that was measured in several houses, by the number of profiles."""
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        if row.operation != EXPORT and (size := _SIZE.fullmatch(row.setting)):
            found.setdefault(row.operation, {})[int(size[1].replace(",", ""))] = row.p50
    return {name: points for name, points in found.items() if len(points) > 1}
