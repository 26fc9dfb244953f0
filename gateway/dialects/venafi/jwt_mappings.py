# SPDX-License-Identifier: Apache-2.0
"""JWT mappings in Venafi's terms (contract section 6): whose tokens the JWTs of an issuer may be exchanged for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.field_mask_pb2 import FieldMask
from msgspec import UNSET, UnsetType

from almoner.v1.grant_pb2 import JwtMapping
from almoner.v1.grant_service_pb2 import (
    CreateJwtMappingRequest,
    DeleteJwtMappingRequest,
    GetJwtMappingRequest,
    ListJwtMappingsRequest,
    UpdateJwtMappingRequest,
)
from gateway.call import Call, Reply
from gateway.dialects.venafi.bodies import (
    Done,
    IdentityEntry,
    JwtMappingBody,
    JwtMappingPage,
    JwtMappingReply,
    JwtMappingsReply,
    JwtMappingUpdate,
    OneJwtMapping,
    SomeJwtMappings,
    VenafiJwtMapping,
)
from gateway.dialects.venafi.identities import entries, prefixed_universal, user_id_of
from gateway.dialects.venafi.paging import order, page_of, slice_of

if TYPE_CHECKING:
    from collections.abc import Sequence

REPLACED: Final = ("issuer_uri", "purpose_field", "purpose_match", "id_field", "id_match", "user_id")
ORDERS: Final = ("", "name")
"""Fields by OrderBy."""

MEMBERS: Final = {
    "name": "Name",
    "jwt_mapping.name": "Name",
    "jwt_mapping.issuer_uri": "IssuerUri",
    "jwt_mapping.purpose_field": "PurposeField",
    "jwt_mapping.purpose_match": "PurposeMatch",
    "jwt_mapping.id_field": "IdField",
    "jwt_mapping.id_match": "IdMatch",
    "jwt_mapping.user_id": "GranteePrefixedUniversal",
}


async def create_jwt_mapping(call: Call[None, None, JwtMappingBody]) -> Reply:
    """Makes a mapping."""
    message = CreateJwtMappingRequest(jwt_mapping=await _message(call, call.body))
    return _single((await call.send(call.services.grants.CreateJwtMapping, message)).jwt_mapping)


async def get_jwt_mapping(call: Call[None, None, OneJwtMapping]) -> Reply:
    """Reads a mapping."""
    message = GetJwtMappingRequest(name=call.body.name)
    found = (await call.send(call.services.grants.GetJwtMapping, message)).jwt_mapping
    return _single(found, resolve=call.body.resolve_identities)


async def get_jwt_mappings(call: Call[None, None, SomeJwtMappings]) -> Reply:
    """Lists the mappings of some issuers, or of all."""
    body = call.body
    part = body.filter.lower()
    found = [
        mapping
        for mapping in await _all(call, ListJwtMappingsRequest())
        if part in mapping.name.lower() and (body.issuer_uris is None or mapping.issuer_uri in body.issuer_uris)
    ]
    return _several(found, len(found), resolve=body.resolve_identities)


async def enumerate_jwt_mappings(call: Call[None, None, JwtMappingPage]) -> Reply:
    """Lists a page of the mappings, and says how many there are in all. There are few."""
    body = call.body
    message = ListJwtMappingsRequest(order_by=order(ORDERS[body.order_by], descending=body.descending))
    mappings = await _all(call, message)
    return _several(slice_of(mappings, body.start, body.count), len(mappings), resolve=body.resolve_identities)


async def update_jwt_mapping(call: Call[None, None, JwtMappingUpdate]) -> Reply:
    """Replaces a mapping."""
    message = UpdateJwtMappingRequest(
        jwt_mapping=await _message(call, call.body.jwt_mapping),
        update_mask=FieldMask(paths=REPLACED),
        etag=call.if_match,
    )
    updated = (await call.send(call.services.grants.UpdateJwtMapping, message)).jwt_mapping
    return Reply(Done(), etag=updated.etag)


async def delete_jwt_mapping(call: Call[None, None, OneJwtMapping]) -> Reply:
    """Deletes a mapping."""
    message = DeleteJwtMappingRequest(name=call.body.name, etag=call.if_match)
    await call.send(call.services.grants.DeleteJwtMapping, message)
    return Reply(Done())


async def _message(call: Call[None, None, Any], body: JwtMappingBody) -> JwtMapping:
    grantee = body.grantee_prefixed_universal
    return JwtMapping(
        name=body.name,
        issuer_uri=body.issuer_uri,
        purpose_field=body.purpose_field,
        purpose_match=body.purpose_match,
        id_field=body.id_field,
        id_match=body.id_match,
        user_id=0 if grantee is None else await user_id_of(call, grantee),
    )


async def _all(call: Call[None, None, Any], message: ListJwtMappingsRequest) -> list[JwtMapping]:
    return await page_of(call, call.services.grants.ListJwtMappings, message, "jwt_mappings")


def _single(mapping: JwtMapping, *, resolve: bool = False) -> Reply:
    body = JwtMappingReply(identity_entries=_identities([mapping], resolve=resolve), jwt_mapping=_mapping(mapping))
    return Reply(body, etag=mapping.etag)


def _several(mappings: Sequence[JwtMapping], count: int, *, resolve: bool) -> Reply:
    body = JwtMappingsReply(
        count,
        identity_entries=_identities(mappings, resolve=resolve),
        jwt_mappings=[_mapping(mapping) for mapping in mappings],
    )
    return Reply(body)


def _identities(mappings: Sequence[JwtMapping], *, resolve: bool) -> list[IdentityEntry] | UnsetType:
    return entries((mapping.user_id, mapping.username) for mapping in mappings) if resolve else UNSET


def _mapping(mapping: JwtMapping) -> VenafiJwtMapping:
    return VenafiJwtMapping(
        grantee_prefixed_universal=prefixed_universal(mapping.user_id) if mapping.user_id else UNSET,
        id_field=mapping.id_field,
        id_match=mapping.id_match,
        issuer_uri=mapping.issuer_uri,
        name=mapping.name,
        purpose_field=mapping.purpose_field,
        purpose_match=mapping.purpose_match,
    )
