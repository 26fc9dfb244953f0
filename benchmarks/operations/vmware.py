# SPDX-License-Identifier: Apache-2.0
"""OAuth apps by the API of VMware's Cloud Services Platform, by a JWT; and tokens for such an app."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks import clients
from benchmarks.ceilings import HTTP, HTTP_UPDATE
from benchmarks.load import Request
from benchmarks.measuring import Operation
from benchmarks.operations.subjects import JSON

if TYPE_CHECKING:
    from benchmarks.operations.subjects import Subjects


def operations(of: Subjects) -> list[Operation]:
    """Returns them; the one that makes the list longer comes last."""
    apps = of.server.url + clients.apps_of(of.server)
    app = f"{apps}/{clients.create(of.server)['clientId']}"
    by_token = {"csp-auth-token": clients.token(of.server)}
    change = Request(app, "PATCH", by_token | JSON, json.dumps({"description": "Changed"}))
    create = Request(apps, "POST", by_token | JSON, json.dumps(clients.APP))
    return [
        Operation("CSP get", Request(app, headers=by_token), (HTTP,)),
        Operation("CSP list of 100", Request(f"{apps}?pageLimit=100", headers=by_token), (HTTP,), bounded=False),
        Operation("CSP update", change, (HTTP_UPDATE,)),
        Operation("CSP token by client credentials", clients.asking(of.server), (HTTP_UPDATE,)),
        Operation("CSP create", create, (HTTP_UPDATE,)),
    ]
