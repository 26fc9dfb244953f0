# SPDX-License-Identifier: Apache-2.0
"""OAuth profiles by HDP's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.ceilings import HTTP, HTTP_UPDATE, ORM_UPDATE, RAW_UPDATE
from benchmarks.load import Request
from benchmarks.measuring import Operation
from benchmarks.operations.subjects import AS_BASIC, JSON

if TYPE_CHECKING:
    from benchmarks.operations.subjects import Subjects

UPDATE = "HDP update, Basic"

_IN_TURN = """
local ids = {%s}
local next = 0
request = function()
  next = next %% #ids + 1
  return wrk.format(nil, "/api/mgmt/oauthprofiles/" .. ids[next])
end
"""


def operations(of: Subjects) -> list[Operation]:
    """Returns them; the one that makes the list longer comes last."""
    profiles = f"{of.server.url}/api/mgmt/oauthprofiles"
    profile = f"{profiles}/{of.profile}"
    # Callers seldom change the same profile at once; where they do, see the gRPC API's update.
    update = Request(profiles, "PUT", AS_BASIC | JSON, of.hdp_profile, _IN_TURN % ",".join(map(str, of.profiles)))
    create = Request(profiles, "POST", AS_BASIC | JSON, of.hdp_profile)
    return [
        Operation("HDP get, Basic: reveals tokens, so audited", Request(profile, headers=AS_BASIC), (HTTP,)),
        Operation("HDP list of 100, Basic", Request(profiles, headers=AS_BASIC), (HTTP,), bounded=False),
        Operation(UPDATE, update, (HTTP_UPDATE, ORM_UPDATE, RAW_UPDATE), everywhere=True),
        Operation("HDP create, Basic", create, (HTTP_UPDATE,)),
    ]
