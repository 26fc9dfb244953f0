# SPDX-License-Identifier: Apache-2.0
"""OAuth profiles in HDP's terms (contract section 1).

HDP knows profiles of applications only: a profile with a client of its own, or of a provider that is no data store, is
not shown.
"""

from __future__ import annotations

from google.protobuf.field_mask_pb2 import FieldMask

from almoner.v1.profile_pb2 import PROFILE_VIEW_TOKENS, Profile
from almoner.v1.profile_service_pb2 import (
    CreateProfileRequest,
    DeleteProfileRequest,
    GetProfileRequest,
    ListProfileLinksRequest,
    ListProfilesRequest,
    UpdateProfileRequest,
)
from gateway.call import Call, Reply
from gateway.dialects.hdp.bodies import (
    ById,
    DataSource,
    HdpProfile,
    OnBehalf,
    ProfileBody,
    ProfileList,
    ProfileListElement,
    ProfileStatistics,
)
from gateway.dialects.hdp.datastores import DATA_STORES
from gateway.paging import EVERY_ORGANIZATION, pages

COLLECTION = "/api/mgmt/oauthprofiles"
NOT_FOUND = "PROFILE_NOT_FOUND"
REPLACED = FieldMask(paths=["name", "description", "application_number", "access_token", "refresh_token"])

MEMBERS = {
    "profile.name": "name",
    "profile.application_number": "oauthAppId",
    "profile.description": "description",
    "profile.access_token": "accessToken",
    "profile.refresh_token": "refreshToken",
}


async def list_profiles(call: Call[None, OnBehalf, None]) -> Reply:
    """Lists the profiles that the caller reaches."""
    message = ListProfilesRequest(organization_id=EVERY_ORGANIZATION, filter="application_number > 0")
    profiles = [
        _element(profile)
        async for page in pages(call, call.services.profiles.ListProfiles, message)
        for profile in page.profiles
        if _is_shown(profile)
    ]
    return Reply(ProfileList(profiles))


async def create_profile(call: Call[None, OnBehalf, ProfileBody]) -> Reply:
    """Creates a profile."""
    response = await call.send(call.services.profiles.CreateProfile, CreateProfileRequest(profile=_profile(call.body)))
    profile = response.profile
    return Reply(_written(profile, call.body), etag=profile.etag, location=f"{COLLECTION}/{profile.id}")


async def get_profile(call: Call[ById, OnBehalf, None]) -> Reply:
    """Reads a profile, with its tokens."""
    message = GetProfileRequest(id=call.path.id, view=PROFILE_VIEW_TOKENS, application_providers=DATA_STORES)
    profile = (await call.send(call.services.profiles.GetProfile, message)).profile
    body = HdpProfile(
        id=profile.id,
        name=profile.name,
        oauth_app_id=profile.application_number,
        description=profile.description,
        access_token=profile.access_token,
        refresh_token=profile.refresh_token,
    )
    return Reply(body, etag=profile.etag)


async def update_profile(call: Call[ById, OnBehalf, ProfileBody]) -> Reply:
    """Replaces a profile."""
    message = UpdateProfileRequest(
        profile=_profile(call.body, call.path.id),
        update_mask=REPLACED,
        etag=call.if_match,
        application_providers=DATA_STORES,
    )
    response = await call.send(call.services.profiles.UpdateProfile, message)
    return Reply(_written(response.profile, call.body), etag=response.profile.etag)


async def delete_profile(call: Call[ById, OnBehalf, None]) -> Reply:
    """Deletes a profile, and its references from data sources."""
    message = DeleteProfileRequest(id=call.path.id, etag=call.if_match, force=True, application_providers=DATA_STORES)
    await call.send(call.services.profiles.DeleteProfile, message)
    return Reply()


async def get_statistics(call: Call[ById, OnBehalf, None]) -> Reply:
    """Says which data sources use a profile."""
    message = GetProfileRequest(id=call.path.id, application_providers=DATA_STORES)
    profile = (await call.send(call.services.profiles.GetProfile, message)).profile
    links = ListProfileLinksRequest(
        organization_id=EVERY_ORGANIZATION, filter=f"kind = DATA_SOURCE AND profile_id = {profile.id}"
    )
    data_sources = [
        DataSource(id=link.external_id, name=link.name, description=link.description)
        async for page in pages(call, call.services.profiles.ListProfileLinks, links)
        for link in page.links
    ]
    return Reply(ProfileStatistics(len(data_sources), DATA_STORES[profile.provider], data_sources))


def _is_shown(profile: Profile) -> bool:
    return profile.application_number > 0 and profile.provider in DATA_STORES


def _profile(body: ProfileBody, number: int = 0) -> Profile:
    return Profile(
        id=number,
        name=body.name,
        description=body.description or "",
        application_number=body.oauth_app_id,
        access_token=body.access_token or "",
        refresh_token=body.refresh_token,
    )


def _written(profile: Profile, body: ProfileBody) -> HdpProfile:
    """Returns what was written. The tokens are the request's own, so that writing needs no right to read them."""
    return HdpProfile(
        id=profile.id,
        name=profile.name,
        oauth_app_id=profile.application_number,
        description=profile.description,
        access_token=body.access_token or "",
        refresh_token=body.refresh_token,
    )


def _element(profile: Profile) -> ProfileListElement:
    return ProfileListElement(
        id=str(profile.id),
        name=profile.name,
        description=profile.description,
        authorize_uri=profile.authorize_uri,
        token_uri=profile.token_uri,
        scope=profile.scope,
    )
