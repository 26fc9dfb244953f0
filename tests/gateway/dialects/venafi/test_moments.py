# SPDX-License-Identifier: Apache-2.0
"""The three spellings of one moment."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.dialects.venafi.moments import moment_of


@pytest.mark.parametrize(
    ("milliseconds", "iso8601", "unix_time"),
    [
        # The vendor's own.
        (1668623132853, "2022-11-16T18:25:32Z", 1668623133),
        (1604956045163, "2020-11-09T21:07:25Z", 1604956045),
        (1668623132499, "2022-11-16T18:25:32Z", 1668623132),
        (1668623132500, "2022-11-16T18:25:32Z", 1668623133),
        (0, "1970-01-01T00:00:00Z", 0),
    ],
)
def test_a_moment_is_written_three_times(milliseconds: int, iso8601: str, unix_time: int) -> None:
    timestamp = Timestamp()
    timestamp.FromMilliseconds(milliseconds)

    assert moment_of(timestamp) == (f"/Date({milliseconds})/", iso8601, unix_time)
