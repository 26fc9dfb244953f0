# SPDX-License-Identifier: Apache-2.0
"""Tokens, by the token server's own API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import tokens
from benchmarks.ceilings import HTTP, HTTP_UPDATE
from benchmarks.load import Fresh
from benchmarks.measuring import CALLERS, Operation

if TYPE_CHECKING:
    from benchmarks.operations.subjects import Subjects


def operations(of: Subjects) -> list[Operation]:
    """Returns them."""
    server = of.server
    return [
        Operation("token issue by password", tokens.issuing(server), (HTTP_UPDATE,)),
        Operation("token verify", tokens.verifying(server, [of.access_token]), (HTTP,)),
        Operation("token refresh", Fresh(lambda: tokens.refreshing(server, CALLERS)), (HTTP_UPDATE,)),
    ]
