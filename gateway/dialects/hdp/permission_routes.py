# SPDX-License-Identifier: Apache-2.0
"""Answers HDP's questions about permissions: which there are, and which the caller has (contract section 4)."""

from __future__ import annotations

from almoner.v1.directory_pb2 import PERMISSION_ADMINISTRATOR
from almoner.v1.directory_service_pb2 import WhoAmIRequest
from gateway.call import Call, Reply
from gateway.dialects.hdp.bodies import ById, OnBehalf, PermissionElement, PermissionList
from gateway.dialects.hdp.errors import PERMISSION_NOT_FOUND
from gateway.dialects.hdp.permissions import BY_NUMBER, PERMISSIONS, HdpPermission, shown
from gateway.failures import not_found


async def list_permissions(call: Call[None, None, None]) -> Reply:
    """Lists all permissions."""
    await call.send(call.services.directory.WhoAmI, WhoAmIRequest())
    return Reply(PermissionList([_element(permission) for permission in PERMISSIONS]))


async def get_permission(call: Call[ById, None, None]) -> Reply:
    """Describes one permission."""
    await call.send(call.services.directory.WhoAmI, WhoAmIRequest())
    permission = BY_NUMBER.get(call.path.id)
    if permission is None:
        raise not_found(PERMISSION_NOT_FOUND, str(call.path.id))
    return Reply(_element(permission))


async def list_own_permissions(call: Call[None, OnBehalf, None]) -> Reply:
    """Lists what the caller, or the user they act for, may do: an administrator everything."""
    me = await call.send(call.services.directory.WhoAmI, WhoAmIRequest())
    held = PERMISSIONS if PERMISSION_ADMINISTRATOR in me.permissions else shown(frozenset(me.permissions))
    return Reply(PermissionList([_element(permission) for permission in held]))


def _element(permission: HdpPermission) -> PermissionElement:
    return PermissionElement(permission.number, permission.name, permission.description)
