# SPDX-License-Identifier: Apache-2.0
"""OAuth applications by Venafi's API, by an access token."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

from benchmarks.ceilings import HTTP_UPDATE
from benchmarks.load import Fresh, Request
from benchmarks.measuring import Operation
from benchmarks.operations.subjects import JSON

if TYPE_CHECKING:
    from benchmarks.operations.subjects import Subjects

_ROUND = itertools.count()

_NUMBERED = """
local number = 0
request = function()
  number = number + 1
  return wrk.format(nil, nil, nil, (string.gsub(wrk.body, "NUMBER", number, 1)))
end
"""
"""Every application has an id of its own."""


def operations(of: Subjects) -> list[Operation]:
    """Returns them; the one that makes the list longer comes last."""
    headers = {"Authorization": f"Bearer {of.access_token}"} | JSON

    def call(name: str, body: str, script: str = "") -> Request:
        return Request(f"{of.server.url}/vedsdk/OAuth/{name}", "POST", headers, body, script)

    def create() -> Request:
        return call("CreateApplication", _application(f"bench-{next(_ROUND)}-NUMBER"), _NUMBERED)

    of.server.send(
        "POST", "/vedsdk/OAuth/CreateApplication", json.loads(_application("bench")), f"Bearer {of.access_token}"
    )
    change = json.dumps(
        {
            "Application": {
                "ID": "bench",
                "Name": "Changed",
                "Scope": "certificate",
                "MaximumScope": "certificate:manage",
            }
        }
    )
    return [
        Operation("Venafi GetApplication", call("GetApplication", '{"ApplicationId":"bench"}'), (HTTP_UPDATE,)),
        Operation("Venafi EnumerateApplications", call("EnumerateApplications", '{"Count":100}'), (HTTP_UPDATE,)),
        Operation("Venafi UpdateApplication", call("UpdateApplication", change), (HTTP_UPDATE,)),
        Operation("Venafi CreateApplication", Fresh(create), (HTTP_UPDATE,)),
    ]


def _application(application_id: str) -> str:
    body = {
        "ApplicationId": application_id,
        "Description": "What it is for",
        "MaximumScope": "certificate:manage;security",
        "Name": "An application",
        "Scope": "certificate",
        "Url": "https://www.sample-url.net",
        "Vendor": "Sample, Inc.",
    }
    return json.dumps(body)
