# SPDX-License-Identifier: Apache-2.0
"""The broker as tests use it: profiles of one organization, whose tokens a real provider has given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.duration_pb2 import Duration

from service.clock import HOUR
from tests.service.profiles.desk import Profile

if TYPE_CHECKING:
    from tests.broker_faults.provider.grants import Tokens
    from tests.broker_faults.provider.process import ClientAtProvider
    from tests.running import Metadata
    from tests.service.grants.tokens.counter import Time
    from tests.service.profiles.desk import Desk


@dataclass
class Bench:
    """A desk with a client at a provider.

    Attributes:
        desk: The profiles.
        client: The client.
        time: The service's clock, which tests set.
    """

    desk: Desk
    client: ClientAtProvider
    time: Time

    @property
    def now(self) -> int:
        """The time as the broker has it, which is the database's where that has one."""
        return self.desk.almoner.service.broker.clock()

    async def application(self, **members: Any) -> int:
        """Makes the registration at the provider, and returns its number."""
        at_provider = {
            "provider": "example",
            "authorize_uri": f"{self.client.endpoints}/authorize",
            "token_uri": f"{self.client.endpoints}/token",
            "scope": "read write",
            "client_id": self.client.registered.id,
            "client_secret": self.client.registered.secret,
        }
        return (await self.desk.application(**{**at_provider, **members})).number

    async def profile(self, registration: dict[str, Any] | None = None, **members: Any) -> Profile:
        """Makes a profile that has a refresh token, but no access token, of a new grant."""
        tokens = await self.client.grant()
        return await self.profile_of(tokens, registration, **members)

    async def profile_of(self, tokens: Tokens, registration: dict[str, Any] | None = None, **members: Any) -> Profile:
        """Makes a profile with the refresh token of a grant."""
        number = await self.application(**(registration or {}))
        defaults: dict[str, Any] = {"name": "Grant", "refresh_token": tokens.refresh_token}
        return await self.desk.create(Profile(application_number=number, **{**defaults, **members}))

    async def token(self, profile: Profile, validity: int = 60, by: Metadata | None = None, **members: Any) -> Any:
        """Returns the reply of GetAccessToken; `validity` is in seconds."""
        minimum = Duration(seconds=validity)
        return await self.desk.call("GetAccessToken", by, id=profile.id, minimum_validity=minimum, **members)

    async def status(self, profile: Profile) -> Any:
        """Returns the state of the tokens of a profile."""
        return (await self.desk.get(profile.id)).token_status

    async def refreshes(self) -> int:
        """Returns how many refreshes the provider has made."""
        return (await self.client.report()).refreshes

    def an_hour_passes(self) -> None:
        self.time.pass_by(HOUR)
