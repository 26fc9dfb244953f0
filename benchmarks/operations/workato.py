# SPDX-License-Identifier: Apache-2.0
"""Custom OAuth profiles by Workato's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.ceilings import HTTP, HTTP_UPDATE, ORM
from benchmarks.load import Request
from benchmarks.measuring import Operation
from benchmarks.operations.subjects import AS_BASIC, AS_BEARER, JSON

if TYPE_CHECKING:
    from benchmarks.operations.subjects import Subjects

GET = "Workato get, Basic"
BODY = '{"name":"Custom_1","provider":"slack","data":{"client_id":"client","client_secret":"secret","token":"token"}}'


def operations(of: Subjects) -> list[Operation]:
    """Returns them."""
    profiles = f"{of.server.url}/api/custom_oauth_profiles"
    profile = f"{profiles}/{of.profile}"
    update = Request(f"{profiles}/{of.own}", "PUT", AS_BASIC | JSON, BODY)
    create = Request(profiles, "POST", AS_BASIC | JSON, BODY)
    return [
        Operation(GET, Request(profile, headers=AS_BASIC), (HTTP, ORM), everywhere=True),
        Operation("Workato get, Bearer", Request(profile, headers=AS_BEARER), (HTTP,)),
        Operation("Workato list of 100, Basic", Request(profiles, headers=AS_BASIC), (HTTP,)),
        Operation("Workato update, Basic", update, (HTTP_UPDATE,)),
        Operation("Workato create, Basic", create, (HTTP_UPDATE,)),
    ]
