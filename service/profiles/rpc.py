# SPDX-License-Identifier: Apache-2.0
"""ProfileService: from messages to rules and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import grpc
import msgspec
from typing_extensions import override

from almoner.v1 import profile_pb2, profile_service_pb2, profile_service_pb2_grpc
from service.etags import etag_of
from service.profiles import drafts, links, rules
from service.profiles.drafts import Draft
from service.profiles.links import LinkDraft
from service.profiles.rules import Which
from service.rpc.masks import members_of
from service.rpc.times import from_timestamp, set_timestamp, to_timestamp

if TYPE_CHECKING:
    from service.consent.revoker import Revoker
    from service.profiles.link_queries import StoredLink
    from service.profiles.queries import StoredProfile
    from service.rpc.units import Units
    from service.work import Work

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

PATIENCE: Final = 5.0
"""Seconds that a provider may take to revoke a grant while somebody waits for the deletion of its profile."""

_CLIENT = frozenset({"client_id", "client_secret"})
_PROFILE_PATHS: Final = {
    **{name: frozenset({name}) for name in drafts.MEMBERS - _CLIENT - {drafts.EXPIRES}},
    "access_token_expire_time": frozenset({drafts.EXPIRES}),
    "client": _CLIENT,
    "client.client_id": frozenset({"client_id"}),
    "client.client_secret": frozenset({"client_secret"}),
}
_LINK_PATHS: Final = {name: frozenset({name}) for name in links.MEMBERS}
_decode_attributes = msgspec.json.Decoder(dict[str, str]).decode


class ProfileServicer(profile_service_pb2_grpc.ProfileServiceServicer):
    """Serves profiles and links."""

    def __init__(self, units: Units, revoker: Revoker) -> None:
        """`revoker` has providers revoke the grants of profiles that are deleted."""
        self._units = units
        self._revoker = revoker

    @override
    async def CreateProfile(
        self, request: profile_service_pb2.CreateProfileRequest, context: Context
    ) -> profile_service_pb2.CreateProfileResponse:
        draft = _draft(request.profile)

        def rule(work: Work) -> profile_service_pb2.CreateProfileResponse:
            response = profile_service_pb2.CreateProfileResponse()
            _answer(response.profile, work, rules.create(work, draft), request.view)
            return response

        return await self._units.write_once(request, profile_service_pb2.CreateProfileResponse, rule)

    @override
    async def GetProfile(
        self, request: profile_service_pb2.GetProfileRequest, context: Context
    ) -> profile_service_pb2.GetProfileResponse:
        # A read that reveals is recorded, and so it is a write.
        run = self._units.write if request.view == profile_pb2.PROFILE_VIEW_TOKENS else self._units.read
        which = Which(request.id, request.application_providers)

        def rule(work: Work) -> profile_service_pb2.GetProfileResponse:
            response = profile_service_pb2.GetProfileResponse()
            _answer(response.profile, work, rules.get(work, which), request.view)
            return response

        return await run(rule)

    @override
    async def ListProfiles(
        self, request: profile_service_pb2.ListProfilesRequest, context: Context
    ) -> profile_service_pb2.ListProfilesResponse:
        page = await self._units.page(request, lambda work, query: rules.page(work, request.organization_id, query))
        response = profile_service_pb2.ListProfilesResponse(next_page_token=page.next_page_token)
        for row in page.rows:
            _fill(response.profiles.add(), row)
        return response

    @override
    async def UpdateProfile(
        self, request: profile_service_pb2.UpdateProfileRequest, context: Context
    ) -> profile_service_pb2.UpdateProfileResponse:
        draft = _draft(request.profile)
        members = members_of(request.update_mask, request.profile, _PROFILE_PATHS)
        which = Which(request.profile.id, request.application_providers)

        def rule(work: Work) -> profile_service_pb2.UpdateProfileResponse:
            response = profile_service_pb2.UpdateProfileResponse()
            profile = rules.update(work, which, draft, members, request.etag)
            _answer(response.profile, work, profile, request.view)
            return response

        return await self._units.write(rule)

    @override
    async def DeleteProfile(
        self, request: profile_service_pb2.DeleteProfileRequest, context: Context
    ) -> profile_service_pb2.DeleteProfileResponse:
        which = Which(request.id, request.application_providers)
        deleted = await self._units.write(lambda work: rules.delete(work, which, request.etag, force=request.force))
        reply = profile_service_pb2.DeleteProfileResponse(links_released=deleted.links_released)
        if deleted.revocation_id:
            remaining = cast("float | None", context.time_remaining())
            # It is done: nobody shall hear of a deadline because a provider is slow.
            seconds = PATIENCE if remaining is None else min(PATIENCE, remaining / 2)
            revocation = await self._revoker.revoke(deleted.revocation_id, seconds)
            reply.revocation = profile_service_pb2.Revocation.ValueType(revocation)
        return reply

    @override
    async def CreateProfileLink(
        self, request: profile_service_pb2.CreateProfileLinkRequest, context: Context
    ) -> profile_service_pb2.CreateProfileLinkResponse:
        draft = _link_draft(request.link)

        def rule(work: Work) -> profile_service_pb2.CreateProfileLinkResponse:
            return profile_service_pb2.CreateProfileLinkResponse(link=_link(links.create(work, draft)))

        return await self._units.write_once(request, profile_service_pb2.CreateProfileLinkResponse, rule)

    @override
    async def GetProfileLink(
        self, request: profile_service_pb2.GetProfileLinkRequest, context: Context
    ) -> profile_service_pb2.GetProfileLinkResponse:
        link = await self._units.read(lambda work: links.get(work, request.id))
        return profile_service_pb2.GetProfileLinkResponse(link=_link(link))

    @override
    async def ListProfileLinks(
        self, request: profile_service_pb2.ListProfileLinksRequest, context: Context
    ) -> profile_service_pb2.ListProfileLinksResponse:
        page = await self._units.page(request, lambda work, query: links.page(work, request.organization_id, query))
        return profile_service_pb2.ListProfileLinksResponse(
            links=[_link(row) for row in page.rows], next_page_token=page.next_page_token
        )

    @override
    async def UpdateProfileLink(
        self, request: profile_service_pb2.UpdateProfileLinkRequest, context: Context
    ) -> profile_service_pb2.UpdateProfileLinkResponse:
        draft = _link_draft(request.link)
        members = members_of(request.update_mask, request.link, _LINK_PATHS)
        link = await self._units.write(lambda work: links.update(work, request.link.id, draft, members, request.etag))
        return profile_service_pb2.UpdateProfileLinkResponse(link=_link(link))

    @override
    async def DeleteProfileLink(
        self, request: profile_service_pb2.DeleteProfileLinkRequest, context: Context
    ) -> profile_service_pb2.DeleteProfileLinkResponse:
        await self._units.write(lambda work: links.delete(work, request.id, request.etag))
        return profile_service_pb2.DeleteProfileLinkResponse()


def _draft(profile: profile_pb2.Profile) -> Draft:
    return Draft(
        name=profile.name,
        description=profile.description,
        provider=profile.provider,
        application_number=profile.application_number,
        client_id=profile.client.client_id,
        client_secret=profile.client.client_secret,
        access_token=profile.access_token,
        refresh_token=profile.refresh_token,
        verification_token=profile.verification_token,
        keep_fresh=profile.keep_fresh,
        access_token_expires=from_timestamp(profile.access_token_expire_time, "profile.access_token_expire_time"),
    )


def _answer(
    message: profile_pb2.Profile, work: Work, profile: StoredProfile, view: profile_pb2.ProfileView.ValueType
) -> None:
    """Makes a message a profile, with its tokens if that is the view."""
    _fill(message, profile)
    if view == profile_pb2.PROFILE_VIEW_TOKENS:
        message.access_token, message.refresh_token = rules.reveal(work, profile)


def _fill(message: profile_pb2.Profile, profile: StoredProfile) -> None:
    """Makes a message a profile. In place: what is handed to a constructor is copied, which takes as long again."""
    message.id = profile.id
    message.organization_id = profile.organization_id
    message.organization_number = profile.organization
    message.owner_id = profile.owner_id
    message.creator_id = profile.creator_id
    message.name = profile.name
    message.description = profile.description
    message.provider = profile.provider
    message.client_id = profile.client_id
    message.authorize_uri = profile.authorize_uri
    message.token_uri = profile.token_uri
    message.scope = profile.scope
    message.etag = etag_of(profile.revision)
    message.keep_fresh = profile.keep_fresh
    stored, counts = message.stored, message.link_counts
    stored.client_secret = profile.client_secret is not None
    stored.access_token = profile.access_token is not None
    stored.refresh_token = profile.refresh_token is not None
    stored.verification_token = profile.verification_token is not None
    counts.data_sources = profile.data_sources
    counts.connections = profile.connections
    counts.customers = profile.customers
    _set_token_status(message, profile)
    set_timestamp(message.create_time, profile.created)
    set_timestamp(message.update_time, profile.updated)
    if profile.application_number:
        message.application_number = profile.application_number
    else:
        message.client.client_id = profile.client_id


def _set_token_status(message: profile_pb2.Profile, profile: StoredProfile) -> None:
    status = message.token_status
    status.state = profile_pb2.TokenState.ValueType(profile.token_state)
    if profile.token_scope:
        status.scope = profile.token_scope
    if profile.token_refreshed:
        set_timestamp(status.refresh_time, profile.token_refreshed)
    if profile.token_next_try:
        set_timestamp(status.next_try_time, profile.token_next_try)
    if profile.token_failure:
        status.failures = profile.token_failures
        status.failure = profile.token_failure
    if profile.token_expires:
        set_timestamp(message.access_token_expire_time, profile.token_expires)


def _link_draft(link: profile_pb2.ProfileLink) -> LinkDraft:
    return LinkDraft(
        kind=link.kind,
        profile_id=link.profile_id,
        external_id=link.external_id,
        name=link.name,
        description=link.description,
        provider=link.provider,
        attributes=dict(link.attributes),
    )


def _link(link: StoredLink) -> profile_pb2.ProfileLink:
    return profile_pb2.ProfileLink(
        id=link.id,
        organization_id=link.organization_id,
        kind=profile_pb2.LinkKind.ValueType(link.kind),
        profile_id=link.profile_id,
        external_id=link.external_id,
        name=link.name,
        description=link.description,
        provider=link.provider,
        attributes=_decode_attributes(link.attributes),
        create_time=to_timestamp(link.created),
        update_time=to_timestamp(link.updated),
        etag=etag_of(link.revision),
    )
