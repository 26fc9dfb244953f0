# SPDX-License-Identifier: Apache-2.0
"""A profile that holds a grant at a provider, with what a test asks of both ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from grpc.aio import AioRpcError

from almoner.v1.application_pb2 import (
    CLIENT_AUTHENTICATION_BASIC,
    CLIENT_AUTHENTICATION_NONE,
    CLIENT_AUTHENTICATION_POST,
    Application,
    ProviderRegistration,
)
from almoner.v1.application_service_pb2 import CreateApplicationRequest
from almoner.v1.application_service_pb2_grpc import ApplicationServiceStub
from almoner.v1.profile_pb2 import PROFILE_VIEW_TOKENS, Profile, TokenState
from almoner.v1.profile_service_pb2 import (
    CreateProfileRequest,
    GetAccessTokenRequest,
    GetProfileRequest,
    UpdateProfileRequest,
)
from almoner.v1.profile_service_pb2_grpc import ProfileServiceStub
from tests.running import Almoner

if TYPE_CHECKING:
    from collections.abc import Iterable

    import grpc

    from tests.broker_faults.provider.process import ClientAtProvider

AUTHENTICATION = {
    "client_secret_basic": CLIENT_AUTHENTICATION_BASIC,
    "client_secret_post": CLIENT_AUTHENTICATION_POST,
    "none": CLIENT_AUTHENTICATION_NONE,
}

PATIENCE = 30.0
"""Seconds after which something that a test waits for will not happen any more."""

LONG_AGO = Timestamp(seconds=1_700_000_000)


@dataclass(frozen=True)
class Held:
    """A profile that holds a grant.

    Attributes:
        profile_id: Its id.
        access_token: The one that it was made with.
        channel: To a server that has it.
    """

    profile_id: int
    access_token: str
    channel: grpc.aio.Channel

    def at(self, channel: grpc.aio.Channel) -> Held:
        """Returns the same profile, seen through another server."""
        return replace(self, channel=channel)

    async def token(self, **members: Any) -> Any:
        """Returns the reply of GetAccessToken."""
        stub: Any = ProfileServiceStub(self.channel)
        request = GetAccessTokenRequest(id=self.profile_id, **members)
        return await stub.GetAccessToken(request, metadata=Almoner.as_admin_token)

    async def profile(self) -> Profile:
        """Returns the profile, with its tokens."""
        stub: Any = ProfileServiceStub(self.channel)
        request = GetProfileRequest(id=self.profile_id, view=PROFILE_VIEW_TOKENS)
        reply = await stub.GetProfile(request, metadata=Almoner.as_admin_token)
        assert isinstance(reply.profile, Profile)
        return reply.profile

    async def end_access_token(self) -> None:
        """Has the service believe that the access token has ended; nothing else about the tokens changes."""
        stub: Any = ProfileServiceStub(self.channel)
        profile = Profile(id=self.profile_id, access_token_expire_time=LONG_AGO)
        request = UpdateProfileRequest(profile=profile, update_mask=FieldMask(paths=["access_token_expire_time"]))
        await stub.UpdateProfile(request, metadata=Almoner.as_admin_token)

    async def settled(self) -> str:
        """Returns the state of its tokens once nobody refreshes them any more."""
        async with asyncio.timeout(PATIENCE):
            while (state := await self.state()) == "REFRESHING":  # noqa: ASYNC110 - another process makes it so
                await asyncio.sleep(0.01)
        return state

    async def state(self) -> str:
        """Returns the state of its tokens, as a word."""
        profile = await self.profile()
        return TokenState.Name(profile.token_status.state).removeprefix("TOKEN_STATE_")


async def hold(
    channel: grpc.aio.Channel,
    registration: ProviderRegistration,
    access_token: str,
    refresh_token: str,
) -> Held:
    """Makes a profile that holds a grant at a provider; its access token has ended long ago."""
    applications: Any = ApplicationServiceStub(channel)
    made = await applications.CreateApplication(
        CreateApplicationRequest(application=Application(name="at the provider", provider=registration)),
        metadata=Almoner.as_admin_token,
    )
    profile = Profile(
        name="held",
        application_number=made.application.number,
        access_token=access_token,
        refresh_token=refresh_token,
        access_token_expire_time=LONG_AGO,
    )
    profiles: Any = ProfileServiceStub(channel)
    reply = await profiles.CreateProfile(CreateProfileRequest(profile=profile), metadata=Almoner.as_admin_token)
    return Held(reply.profile.id, access_token, channel)


async def hold_of(channel: grpc.aio.Channel, client: ClientAtProvider, *, provider: str = "example") -> Held:
    """Makes a grant at the provider of the suite's own, and a profile that holds it."""
    registered = client.registered
    registration = ProviderRegistration(
        provider=provider,
        authorize_uri=f"{client.endpoints}/authorize",
        token_uri=f"{client.endpoints}/token",
        revocation_uri=f"{client.endpoints}/revoke",
        client_id=registered.id,
        client_secret=registered.secret,
        client_authentication=AUTHENTICATION[registered.authentication],
        rotates_refresh_tokens=registered.rotates,
    )
    tokens = await client.grant()
    return await hold(channel, registration, tokens.access_token, tokens.refresh_token or "")


async def works(held: Held, client: ClientAtProvider) -> bool:
    """Whether the refresh token is good: a refresh now gives an access token that opens something."""
    before = await client.report()
    await held.end_access_token()
    token = await outcome(held.token())
    after = await client.report()
    return after.refreshes == before.refreshes + 1 and await client.provider.admits(token)


async def outcome(answer: Any) -> str:
    """Returns what came of a call: its access token, or the code of its failure."""
    try:
        reply = await answer
    except AioRpcError as error:
        return error.code().name
    return str(reply.access_token)


async def outcomes(answers: Iterable[Any]) -> list[str]:
    """Returns what came of calls that run at the same time."""
    return list(await asyncio.gather(*(outcome(answer) for answer in answers)))
