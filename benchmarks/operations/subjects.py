# SPDX-License-Identifier: Apache-2.0
"""What the operations work on: an application, profiles and an access token, made by the API itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import tokens
from benchmarks.servers import BASIC, TOKEN

if TYPE_CHECKING:
    from benchmarks.servers import Running

AS_BASIC = {"Authorization": BASIC}
AS_BEARER = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}
PROFILES = 100


@dataclass(frozen=True)
class Subjects:
    """A prepared server.

    Attributes:
        server: The server.
        application: Number of a provider registration.
        profiles: Ids of profiles of that application.
        own: Id of another profile, which may be given credentials of its own.
        access_token: An access token of user admin, issued by the token server, with the scope `admin`.
    """

    server: Running
    application: int
    profiles: tuple[int, ...]
    own: int
    access_token: str

    @property
    def profile(self) -> int:
        """Id of one of the profiles."""
        return self.profiles[0]

    @property
    def hdp_profile(self) -> str:
        """The body of a profile in HDP's terms."""
        return json.dumps(_profile(self.application))


def prepare(server: Running) -> Subjects:
    """Makes an application and profiles, and logs in."""
    body = {"name": "app", "dataStore": 54, "clientId": "client", "clientSecret": "secret"}
    application = server.send("POST", "/api/mgmt/oauthapps", body)["id"]
    made = [server.send("POST", "/api/mgmt/oauthprofiles", _profile(application))["id"] for _ in range(PROFILES)]
    return Subjects(server, application, (*made[1:],), made[0], tokens.log_in(server, scope="admin")["access_token"])


def _profile(application: int) -> dict[str, Any]:
    return {
        "name": "User_1",
        "description": "OAuth profile 1",
        "oauthAppId": application,
        "accessToken": "111c334445e55",
        "refreshToken": "222d",
    }
