# SPDX-License-Identifier: Apache-2.0
"""Custom OAuth profiles in Workato's terms (contract sections 1 to 4 and 9)."""

from __future__ import annotations

from google.protobuf.field_mask_pb2 import FieldMask
from grpc import aio

from almoner.v1.profile_pb2 import LINK_KIND_CUSTOMER, ClientCredentials, Profile, ProfileLink
from almoner.v1.profile_service_pb2 import (
    CreateProfileLinkRequest,
    CreateProfileRequest,
    DeleteProfileLinkRequest,
    DeleteProfileRequest,
    GetProfileRequest,
    ListProfileLinksRequest,
    ListProfilesRequest,
    UpdateProfileRequest,
)
from gateway.call import Call, Reply
from gateway.constraints import INT32_MAX
from gateway.dialects.workato import moments
from gateway.dialects.workato.bodies import (
    Assignment,
    ById,
    CustomProfileBody,
    Forcing,
    Paging,
    ProfileListResult,
    ProfileResult,
    PublicData,
    Success,
    SuccessResult,
    WorkatoProfile,
)
from gateway.failures import from_rpc, not_found
from gateway.paging import pages

COLLECTION = "/api/custom_oauth_profiles"
ASSIGNMENTS = "/api/managed_users/{managed_user_id}/custom_oauth_profiles/{id}"
NOT_FOUND = "PROFILE_NOT_FOUND"
LONGEST_PAGE = 100
REPLACED = FieldMask(paths=["name", "provider", "client", "verification_token"])

MEMBERS = {
    "profile.name": "name",
    "profile.provider": "provider",
    "profile.client": "data",
    "profile.client.client_id": "data.client_id",
    "profile.client.client_secret": "data.client_secret",
    "profile.verification_token": "data.token",
}


async def list_profiles(call: Call[None, Paging, None]) -> Reply:
    """Lists a page of the profiles that the caller reaches, in the order of their ids."""
    per_page = min(call.query.per_page, LONGEST_PAGE)
    # No workspace has as many profiles as the service can skip: beyond that the list is as empty.
    skip = min((call.query.page - 1) * per_page, INT32_MAX)
    message = ListProfilesRequest(page_size=per_page, skip=skip)
    response = await call.send(call.services.profiles.ListProfiles, message)
    return Reply(ProfileListResult([_profile(profile) for profile in response.profiles]))


async def create_profile(call: Call[None, None, CustomProfileBody]) -> Reply:
    """Creates a profile."""
    message = CreateProfileRequest(profile=_message(call.body))
    return _single((await call.send(call.services.profiles.CreateProfile, message)).profile)


async def get_profile(call: Call[ById, None, None]) -> Reply:
    """Reads a profile."""
    return _single((await call.send(call.services.profiles.GetProfile, GetProfileRequest(id=call.path.id))).profile)


async def update_profile(call: Call[ById, None, CustomProfileBody]) -> Reply:
    """Replaces a profile, which from then on has a client of its own."""
    message = UpdateProfileRequest(profile=_message(call.body, call.path.id), update_mask=REPLACED, etag=call.if_match)
    return _single((await call.send(call.services.profiles.UpdateProfile, message)).profile)


async def delete_profile(call: Call[ById, Forcing, None]) -> Reply:
    """Deletes a profile; with `force` even if it is in use."""
    message = DeleteProfileRequest(id=call.path.id, etag=call.if_match, force=call.query.force)
    await call.send(call.services.profiles.DeleteProfile, message)
    return Reply(SuccessResult(Success()))


async def assign_profile(call: Call[Assignment, None, None]) -> Reply:
    """Gives a profile to a customer. That the customer has it already is as good."""
    link = ProfileLink(kind=LINK_KIND_CUSTOMER, profile_id=call.path.id, external_id=call.path.managed_user_id)
    try:
        await call.send(call.services.profiles.CreateProfileLink, CreateProfileLinkRequest(link=link))
    except aio.AioRpcError as error:
        if from_rpc(error, {}).reason != "ALREADY_EXISTS":
            raise
    return Reply(SuccessResult(Success()))


async def unassign_profile(call: Call[Assignment, Forcing, None]) -> Reply:
    """Takes a profile back from a customer.

    What the customer does with it is not known here, so there is nothing that `force` would have to overcome.
    """
    message = ListProfileLinksRequest(filter=f"kind = CUSTOMER AND profile_id = {call.path.id}")
    found = [
        link
        async for page in pages(call, call.services.profiles.ListProfileLinks, message)
        for link in page.links
        if link.external_id == call.path.managed_user_id
    ]
    if not found:
        raise not_found(NOT_FOUND, str(call.path.id))
    for link in found:
        await call.send(
            call.services.profiles.DeleteProfileLink, DeleteProfileLinkRequest(id=link.id, etag=call.if_match)
        )
    return Reply(SuccessResult(Success()))


def _message(body: CustomProfileBody, number: int = 0) -> Profile:
    return Profile(
        id=number,
        name=body.name,
        provider=body.provider,
        client=ClientCredentials(client_id=body.data.client_id, client_secret=body.data.client_secret),
        verification_token=body.data.token or "",
    )


def _single(profile: Profile) -> Reply:
    return Reply(ProfileResult(_profile(profile)), etag=profile.etag)


def _profile(profile: Profile) -> WorkatoProfile:
    return WorkatoProfile(
        id=profile.id,
        user_id=profile.organization_number,
        name=profile.name,
        provider=profile.provider,
        data=PublicData(profile.client_id),
        shared_accounts_count=profile.link_counts.connections,
        oem_customers_count=profile.link_counts.customers,
        created_at=moments.text(profile.create_time),
        updated_at=moments.text(profile.update_time),
    )
