# SPDX-License-Identifier: Apache-2.0
"""Requests to the token server: tokens verified, and refresh tokens that each answer replaces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks import servers
from benchmarks.load import Request

if TYPE_CHECKING:
    from collections.abc import Iterable

CLIENT = "almoner"
LOG_IN = "/vedauth/authorize/oauth"
SCOPE = "certificate:manage"
JSON = {"Content-Type": "application/json"}

_CHAINS = """
local waiting = {%s}
local first, last = 1, #waiting
request = function()
  local token = waiting[first]
  waiting[first] = nil
  first = first + 1
  return wrk.format(nil, nil, nil, '{"client_id":"%s","refresh_token":"' .. token .. '"}')
end
response = function(status, headers, body)
  last = last + 1
  waiting[last] = string.match(body, '"refresh_token":"([^"]+)"')
end
"""
"""Each answer brings the refresh token of a request to come, so that no token is sent twice."""

_IN_TURN = """
local headers = {%s}
local next = 0
request = function()
  next = next %% #headers + 1
  return wrk.format(nil, nil, headers[next])
end
"""


def log_in(server: servers.Running, scope: str = SCOPE) -> dict[str, Any]:
    """Returns the tokens of a new grant of user admin."""
    tokens: dict[str, Any] = server.send("POST", LOG_IN, _login(scope))
    return tokens


def issuing(server: servers.Running) -> Request:
    """Returns the request that logs in."""
    return Request(f"{server.url}{LOG_IN}", "POST", JSON, json.dumps(_login(SCOPE)))


def _login(scope: str) -> dict[str, str]:
    return {"client_id": CLIENT, "username": "admin", "password": servers.PASSWORD, "scope": scope}


def verifying(server: servers.Running, access_tokens: Iterable[str]) -> Request:
    """Returns the request that has access tokens verified, one after the other."""
    headers = ",".join(f'{{["Authorization"]="Bearer {token}"}}' for token in access_tokens)
    return Request(f"{server.url}/vedauth/authorize/verify", script=_IN_TURN % headers)


def refreshing(server: servers.Running, callers: int) -> Request:
    """Returns the request that refreshes, for one round; it logs in first, more often than there are callers."""
    chains = ",".join(f'"{log_in(server)["refresh_token"]}"' for _ in range(2 * callers))
    return Request(f"{server.url}/vedauth/authorize/token", "POST", JSON, script=_CHAINS % (chains, CLIENT))
