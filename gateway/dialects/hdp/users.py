# SPDX-License-Identifier: Apache-2.0
"""Users in HDP's terms (contract section 4)."""

from __future__ import annotations

from google.protobuf.field_mask_pb2 import FieldMask
from msgspec import UNSET

from almoner.v1.directory_pb2 import User
from almoner.v1.directory_service_pb2 import (
    CreateUserRequest,
    DeleteUserRequest,
    GetUserRequest,
    ListUsersRequest,
    UpdateUserRequest,
)
from gateway.call import Call, Reply
from gateway.dialects.hdp.bodies import (
    ById,
    HdpUser,
    PasswordChange,
    PasswordInfo,
    StatusInfo,
    UserBody,
    UserChange,
    UserList,
    UserPermissions,
)
from gateway.dialects.hdp.permissions import numbers_of, permissions_of
from gateway.dialects.hdp.tenants import check_tenant, organization_id
from gateway.paging import EVERY_ORGANIZATION, pages
from gateway.timestamps import from_datetime, to_datetime

COLLECTION = "/api/admin/users"
NOT_FOUND = "USER_NOT_FOUND"

MEMBERS = {
    "user.username": "userName",
    "user.organization_id": "tenantId",
    "user.disabled": "statusInfo.status",
    "user.locked": "statusInfo.accountLocked",
    "user.password": "passwordInfo.password",
    "user.password_expire_time": "passwordInfo.passwordExpiration",
    "user.role_ids": "permissions.roles",
    "user.permissions": "permissions.permissions",
}


async def list_users(call: Call[None, None, None]) -> Reply:
    """Lists the users that the caller may see."""
    users = [
        _user(user)
        async for page in pages(
            call, call.services.directory.ListUsers, ListUsersRequest(organization_id=EVERY_ORGANIZATION)
        )
        for user in page.users
    ]
    return Reply(UserList(users))


async def create_user(call: Call[None, None, UserBody]) -> Reply:
    """Creates a user, of the caller's tenant unless another one is named."""
    body = call.body
    user = User(
        organization_id=await organization_id(call, body.tenant_id),
        username=body.user_name,
        password=body.password_info.password,
        disabled=body.status_info.status == 0,
        locked=body.status_info.account_locked,
        role_ids=body.permissions.roles,
        permissions=permissions_of(body.permissions.permissions),
    )
    if body.password_info.password_expiration is not None:
        user.password_expire_time.CopyFrom(from_datetime(body.password_info.password_expiration))
    created = (await call.send(call.services.directory.CreateUser, CreateUserRequest(user=user))).user
    return Reply(_user(created), etag=created.etag, location=f"{COLLECTION}/{created.id}")


async def get_user(call: Call[ById, None, None]) -> Reply:
    """Reads a user."""
    user = (await call.send(call.services.directory.GetUser, GetUserRequest(id=call.path.id))).user
    return Reply(_user(user), etag=user.etag)


async def update_user(call: Call[ById, None, UserChange]) -> Reply:
    """Changes a user; their tenant stays."""
    if call.body.tenant_id is not None:
        current = await call.send(call.services.directory.GetUser, GetUserRequest(id=call.path.id))
        check_tenant(call.body.tenant_id, current.user.organization_number)
    user, mask = _change(call.path.id, call.body)
    message = UpdateUserRequest(user=user, update_mask=mask, etag=call.if_match)
    updated = (await call.send(call.services.directory.UpdateUser, message)).user
    return Reply(_user(updated), etag=updated.etag)


async def delete_user(call: Call[ById, None, None]) -> Reply:
    """Deletes a user who owns no profiles."""
    message = DeleteUserRequest(id=call.path.id, etag=call.if_match)
    await call.send(call.services.directory.DeleteUser, message)
    return Reply()


def _change(number: int, body: UserChange) -> tuple[User, FieldMask]:
    user = User(id=number, username=body.user_name)
    mask = FieldMask(paths=["username"])
    if body.status_info is not UNSET:
        user.disabled = body.status_info.status == 0
        user.locked = body.status_info.account_locked
        mask.paths.extend(["disabled", "locked"])
    if body.permissions is not UNSET:
        user.role_ids.extend(body.permissions.roles)
        user.permissions.extend(permissions_of(body.permissions.permissions))
        mask.paths.extend(["role_ids", "permissions"])
    if body.password_info is not UNSET:
        _change_password(user, mask, body.password_info)
    return user, mask


def _change_password(user: User, mask: FieldMask, change: PasswordChange) -> None:
    if change.password is not UNSET:
        user.password = change.password
        mask.paths.append("password")
    if change.password_expiration is not UNSET:
        if change.password_expiration is not None:
            user.password_expire_time.CopyFrom(from_datetime(change.password_expiration))
        mask.paths.append("password_expire_time")


def _user(user: User) -> HdpUser:
    expires = to_datetime(user.password_expire_time) if user.HasField("password_expire_time") else None
    return HdpUser(
        id=user.id,
        user_name=user.username,
        tenant_id=user.organization_number,
        status_info=StatusInfo(status=0 if user.disabled else 1, account_locked=user.locked),
        password_info=PasswordInfo(password_status=1 if user.password_set else 0, password_expiration=expires),
        permissions=UserPermissions(roles=list(user.role_ids), permissions=numbers_of(user.permissions)),
    )
