# SPDX-License-Identifier: Apache-2.0
"""Connections in Workato's terms, as far as they say which profile they use (contract section 10)."""

from __future__ import annotations

from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from msgspec import UNSET

from almoner.v1.profile_pb2 import LINK_KIND_CONNECTION, ProfileLink
from almoner.v1.profile_service_pb2 import (
    CreateProfileLinkRequest,
    DeleteProfileLinkRequest,
    GetProfileLinkRequest,
    ListProfileLinksRequest,
    UpdateProfileLinkRequest,
)
from gateway.call import Call, Reply
from gateway.dialects.workato import moments
from gateway.dialects.workato.bodies import ById, Connection, ConnectionBody, ConnectionChange, Success
from gateway.failures import not_found
from gateway.paging import pages

COLLECTION = "/api/connections"
NOT_FOUND = "PROFILE_LINK_NOT_FOUND"
ROOT_FOLDER = 1
"""Folder of a connection that names none; there are no folders here."""

KEPT = ("folder_id", "parent_id")
"""Numbers that are kept for Workato's clients, who expect them back."""

MEMBERS = {
    "link.name": "name",
    "link.provider": "provider",
    "link.external_id": "external_id",
    "link.profile_id": "custom_oauth_profile_id",
}


async def list_connections(call: Call[None, None, None]) -> Reply:
    """Lists the connections that the caller reaches."""
    message = ListProfileLinksRequest(filter="kind = CONNECTION")
    connections = [
        _connection(link)
        async for page in pages(call, call.services.profiles.ListProfileLinks, message)
        for link in page.links
    ]
    return Reply(connections)


async def create_connection(call: Call[None, None, ConnectionBody]) -> Reply:
    """Records a connection."""
    body = call.body
    link = ProfileLink(
        kind=LINK_KIND_CONNECTION,
        profile_id=body.custom_oauth_profile_id or 0,
        external_id=body.external_id or "",
        name=body.name,
        provider=body.provider,
    )
    _keep(link, folder_id=body.folder_id, parent_id=body.parent_id)
    created = (await call.send(call.services.profiles.CreateProfileLink, CreateProfileLinkRequest(link=link))).link
    return Reply(_connection(created), etag=created.etag)


async def update_connection(call: Call[ById, None, ConnectionChange]) -> Reply:
    """Changes a connection, or the profile that it uses."""
    link, mask = _change(await _found(call), call.body)
    message = UpdateProfileLinkRequest(link=link, update_mask=mask, etag=call.if_match)
    updated = (await call.send(call.services.profiles.UpdateProfileLink, message)).link
    return Reply(_connection(updated), etag=updated.etag)


async def delete_connection(call: Call[ById, None, None]) -> Reply:
    """Forgets a connection."""
    link = await _found(call)
    message = DeleteProfileLinkRequest(id=link.id, etag=call.if_match)
    await call.send(call.services.profiles.DeleteProfileLink, message)
    return Reply(Success())


async def _found(call: Call[ById, Any, Any]) -> ProfileLink:
    message = GetProfileLinkRequest(id=call.path.id)
    link = (await call.send(call.services.profiles.GetProfileLink, message)).link
    if link.kind != LINK_KIND_CONNECTION:
        raise not_found(NOT_FOUND, str(call.path.id))
    return link


def _change(current: ProfileLink, body: ConnectionChange) -> tuple[ProfileLink, FieldMask]:
    link = ProfileLink(id=current.id, attributes=current.attributes)
    mask = FieldMask()
    if body.name is not UNSET:
        link.name = body.name
        mask.paths.append("name")
    if body.external_id is not UNSET:
        link.external_id = body.external_id or ""
        mask.paths.append("external_id")
    if body.custom_oauth_profile_id is not UNSET:
        link.profile_id = body.custom_oauth_profile_id or 0
        mask.paths.append("profile_id")
    if body.folder_id is not UNSET or body.parent_id is not UNSET:
        _keep(link, folder_id=body.folder_id, parent_id=body.parent_id)
        mask.paths.append("attributes")
    return link, mask


def _keep(link: ProfileLink, **numbers: Any) -> None:
    for name, number in numbers.items():
        if number is None:
            link.attributes.pop(name, None)
        elif number is not UNSET:
            link.attributes[name] = str(number)


def _kept(link: ProfileLink, name: str) -> int | None:
    number = link.attributes.get(name)
    return None if number is None else int(number)


def _connection(link: ProfileLink) -> Connection:
    folder = _kept(link, "folder_id")
    return Connection(
        id=link.id,
        application=link.provider,
        name=link.name,
        description=link.description or None,
        provider=link.provider,
        authorized_at=None,
        authorization_status=None,
        authorization_error=None,
        connection_lost_at=None,
        connection_lost_reason=None,
        created_at=moments.text(link.create_time),
        updated_at=moments.text(link.update_time),
        external_id=link.external_id or None,
        folder_id=ROOT_FOLDER if folder is None else folder,
        project_id=None,
        parent_id=_kept(link, "parent_id"),
        on_prem_group_id=None,
        tags=[],
        custom_oauth_profile_id=link.profile_id or None,
    )
