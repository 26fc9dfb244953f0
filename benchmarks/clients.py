# SPDX-License-Identifier: Apache-2.0
"""What tokens of client applications cost: `python -m benchmarks.clients [--rounds N] [--seconds S]`.

Clients with generated secrets get tokens, beside bare aiohttp in turn; then the same while 8 callers present chosen
secrets, each for the first time, so that each costs an argon2id digest. Prints medians over the rounds.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import ceilings, servers
from benchmarks.load import Request

if TYPE_CHECKING:
    from benchmarks.load import Result

CALLERS: Final = 32
CHOOSING: Final = 8
"""Callers with chosen secrets."""
A_SECOND: Final = 150
"""Chosen secrets that are made for a second of a round: more than can be checked in one."""

CSP: Final = "/csp/gateway/am/api"
TOKENS: Final = f"{CSP}/auth/authorize"
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
BODY: Final = "grant_type=client_credentials"
APP: Final = {
    "displayName": "App",
    "description": "Measured",
    "grantTypes": ["client_credentials"],
    "allowedScopes": {"generalScopes": ["openid"]},
}

_ONCE_EACH = """
local credentials = {%s}
local next = 0
request = function()
  next = next + 1
  wrk.headers["Authorization"] = credentials[next]
  return wrk.format()
end
"""


def asking(server: servers.Running) -> Request:
    """Makes a client with a generated secret, and returns the request for its tokens."""
    made = create(server)
    headers = FORM | {"Authorization": _basic(made["clientId"], made["clientSecret"])}
    return Request(server.url + TOKENS, "POST", headers, BODY)


def choosing(server: servers.Running, count: int) -> Request:
    """Makes clients with chosen secrets, and returns the request for a token of each, once."""
    secrets = [f"Chosen secret {number}" for number in range(count)]
    with ThreadPoolExecutor(CHOOSING) as pool:
        made = pool.map(lambda secret: create(server, secret=secret), secrets)
        credentials = [_basic(one["clientId"], secret) for one, secret in zip(made, secrets, strict=True)]
    script = _ONCE_EACH % ",".join(f'"{one}"' for one in credentials)
    return Request(server.url + TOKENS, "POST", FORM, BODY, script)


def create(server: servers.Running, **members: str) -> dict[str, str]:
    """Makes an app and returns its id and secret."""
    made: dict[str, str] = server.send("POST", apps_of(server), APP | members)
    return made


def apps_of(server: servers.Running) -> str:
    """Returns the path of the apps of the first organization, which a token of its administrator names."""
    claims = token(server).split(".")[1]
    organization: str = json.loads(base64.urlsafe_b64decode(claims + "=="))["org_id"]
    return f"{CSP}/orgs/{organization}/oauth-apps"


def token(server: servers.Running) -> str:
    """Returns a JWT of user admin."""
    tokens = server.send("POST", "/cphub/api/auth/v1/authn/accesstoken", {"refreshToken": servers.TOKEN})
    access_token: str = tokens["accessToken"]
    return access_token


def _basic(client_id: str, client_secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()


def beside(request: Request, others: Request, most: int, *, seconds: int) -> tuple[Result, float]:
    """Returns the result of a request while others are sent all the time, and the rate of these.

    Raises:
        SystemExit: more of the others were sent than there were secrets, so that some were not new.
    """
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(others.run, CHOOSING, seconds)
        result = request.run(CALLERS, seconds)
    chosen = sent.result()
    if chosen.refused or chosen.rate * seconds > most:
        raise SystemExit(f"{chosen.refused} chosen secrets were refused, or all {most} were presented")
    return result, chosen.rate


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds of a round (default 3)")
    options = parser.parse_args()
    seconds: int = options.seconds
    alone: list[Result] = []
    busy: list[tuple[Result, float]] = []
    bare: list[Result] = []
    with (
        tempfile.TemporaryDirectory(prefix="almoner-clients-") as name,
        ceilings.running(Path(name)) as against,
        servers.almoner(Path(name) / "data") as server,
    ):
        request, ceiling = asking(server), against[ceilings.HTTP_UPDATE]
        for warm in (request, ceiling):
            warm.run(CALLERS, 1)
        for _ in range(options.rounds):
            others = choosing(server, A_SECOND * seconds)
            bare.append(ceiling.run(CALLERS, seconds))
            alone.append(request.run(CALLERS, seconds))
            busy.append(beside(request, others, A_SECOND * seconds, seconds=seconds))
    if any(result.refused for result in (*alone, *bare, *(result for result, _ in busy))):
        raise SystemExit("requests were refused")
    ratios = [ours.rate / empty.rate for ours, empty in zip(alone, bare, strict=True)]
    left = [ours.rate / before.rate for (ours, _), before in zip(busy, alone, strict=True)]
    print(f"bare aiohttp: {statistics.median(one.rate for one in bare):,.0f} requests/s")
    print(f"generated secrets: {statistics.median(ours.rate for ours in alone):,.0f} requests/s", _spread(ratios))
    print(
        f"beside chosen ones: {statistics.median(ours.rate for ours, _ in busy):,.0f} requests/s",
        _spread(left),
        f"of that, with {statistics.median(rate for _, rate in busy):.0f} chosen secrets/s",
    )


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


if __name__ == "__main__":
    main()
