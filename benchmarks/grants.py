# SPDX-License-Identifier: Apache-2.0
"""What many grants cost: `python -m benchmarks.grants [--rounds N] [--seconds S] [--grants N]`.

Has access tokens verified on two servers in turn, one with 1,000 live grants and one with 1,000,000, whose rows are
written straight into the database. Prints how much longer the second takes, a median over the rounds.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import servers, tokens

if TYPE_CHECKING:
    from benchmarks.load import Result

CALLERS = 32
FEW = 1_000
MANY = 1_000_000
VERIFIED = 200
"""Access tokens that are verified, which lie anywhere among the others."""

_MORE = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
INSERT INTO grants (
    application_number, user_id, grant_type, scopes, renewable, access_token, access_token_lifetime,
    access_token_issued, access_token_expires, refresh_token, issued, expires, revoked
)
SELECT
    application_number, user_id, grant_type, scopes, renewable, randomblob(32), access_token_lifetime,
    access_token_issued, access_token_expires, randomblob(32), issued, expires + n, revoked
FROM numbers, (SELECT * FROM grants ORDER BY id LIMIT 1)
"""


def prepare(directory: Path, grants: int) -> list[str]:
    """Makes a database with this many live grants and returns the access tokens of some of them."""
    with servers.almoner(directory) as server:
        access_tokens = [tokens.log_in(server)["access_token"] for _ in range(VERIFIED)]
    with closing(sqlite3.connect(directory / "almoner.db")) as database, database:
        database.execute(_MORE, {"count": grants - VERIFIED})
    return access_tokens


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grants", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds of a round (default 3)")
    parser.add_argument("--grants", type=int, default=MANY, help=f"grants of the second server (default {MANY:,})")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="almoner-grants-") as name, ExitStack() as stack:
        requests = []
        for grants in (FEW, options.grants):
            directory = Path(name, str(grants))
            directory.mkdir()
            access_tokens = prepare(directory, grants)
            server = stack.enter_context(servers.almoner(directory))
            requests.append(tokens.verifying(server, access_tokens))
        few: list[Result] = []
        many: list[Result] = []
        for request in requests:
            request.run(CALLERS, 1)
        for _ in range(options.rounds):
            for results, request in zip((few, many), requests, strict=True):
                results.append(request.run(CALLERS, options.seconds))
    if any(result.refused for result in (*few, *many)):
        raise SystemExit("requests were refused")
    costs = [one.rate / other.rate for one, other in zip(few, many, strict=True)]
    print(f"verify with {FEW:,} grants: {statistics.median(result.rate for result in few):,.0f} requests/s")
    print(f"verify with {options.grants:,} grants: {statistics.median(result.rate for result in many):,.0f} requests/s")
    print(f"cost: {statistics.median(costs):.2f} times ({min(costs):.2f}-{max(costs):.2f})")


if __name__ == "__main__":
    main()
