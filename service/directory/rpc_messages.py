# SPDX-License-Identifier: Apache-2.0
"""The messages of the directory: drafts of what callers send, and what they are sent of what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from almoner.v1 import directory_pb2
from service.access.caller import PlaceKind
from service.access.permissions import Permission, Permissions, from_text
from service.directory import api_tokens, bindings, organizations, roles, users
from service.errors import InvalidField, Violation
from service.etags import etag_of
from service.rpc.times import from_timestamp, to_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.timestamp_pb2 import Timestamp

    from service.directory.api_token_queries import StoredApiToken
    from service.directory.binding_queries import StoredBinding
    from service.directory.organizations import Organization
    from service.directory.roles import Role
    from service.directory.users import User


def organization_draft(organization: directory_pb2.Organization) -> organizations.Draft:
    """Returns what a caller wants an organization to be."""
    return organizations.Draft(organization.display_name, organization.description, organization.disabled)


def organization_message(organization: Organization) -> directory_pb2.Organization:
    """Returns an organization as callers see it."""
    stored, role_ids = organization
    return directory_pb2.Organization(
        id=stored.id,
        number=stored.number,
        display_name=stored.display_name,
        description=stored.description,
        disabled=stored.disabled,
        role_ids=role_ids,
        create_time=to_timestamp(stored.created),
        update_time=to_timestamp(stored.updated),
        etag=etag_of(stored.revision),
    )


def user_draft(user: directory_pb2.User, password_digest: str) -> users.Draft:
    """Returns what a caller wants a user to be.

    Raises:
        InvalidField: the expiry is no time after 1970.
    """
    expires = user.HasField("password_expire_time")
    return users.Draft(
        username=user.username,
        display_name=user.display_name,
        email=user.email,
        password=password_digest,
        password_expires=_expiry(user.password_expire_time, "user.password_expire_time") if expires else 0,
        disabled=user.disabled,
        locked=user.locked,
        permissions=_permissions(user.permissions),
        role_ids=tuple(user.role_ids),
    )


def user_message(user: User) -> directory_pb2.User:
    """Returns a user as callers see them: never the password."""
    stored, role_ids = user
    return directory_pb2.User(
        id=stored.id,
        organization_id=stored.organization_id,
        organization_number=stored.organization,
        username=stored.username,
        display_name=stored.display_name,
        email=stored.email,
        password_set=bool(stored.password_digest),
        password_expire_time=to_timestamp(stored.password_expires),
        disabled=stored.disabled,
        locked=stored.locked,
        permissions=permission_values(from_text(stored.permissions)),
        role_ids=role_ids,
        create_time=to_timestamp(stored.created),
        update_time=to_timestamp(stored.updated),
        etag=etag_of(stored.revision),
    )


def role_draft(role: directory_pb2.Role) -> roles.Draft:
    """Returns what a caller wants a role to be."""
    return roles.Draft(role.name, role.description, _permissions(role.permissions), tuple(role.user_ids))


def role_message(role: Role) -> directory_pb2.Role:
    """Returns a role as callers see it."""
    stored, user_ids = role
    return directory_pb2.Role(
        id=stored.id,
        organization_id=stored.organization_id,
        organization_number=stored.organization,
        name=stored.name,
        description=stored.description,
        permissions=permission_values(from_text(stored.permissions)),
        user_ids=user_ids,
        built_in=stored.built_in,
        create_time=to_timestamp(stored.created),
        update_time=to_timestamp(stored.updated),
        etag=etag_of(stored.revision),
    )


def binding_draft(binding: directory_pb2.RoleBinding) -> bindings.Draft:
    """Returns the binding that a caller wants; its rules see to it that it names one place."""
    return bindings.Draft(binding.user_id, binding.role_id, binding.organization_id, binding.application_id)


def binding_message(binding: StoredBinding) -> directory_pb2.RoleBinding:
    """Returns a binding as callers see it."""
    message = directory_pb2.RoleBinding(
        id=binding.id,
        user_id=binding.user_id,
        role_id=binding.role_id,
        create_time=to_timestamp(binding.created),
        etag=etag_of(bindings.REVISION),
    )
    if binding.place_kind == PlaceKind.SERVER:
        message.server = True
    elif binding.place_kind == PlaceKind.ORGANIZATION:
        message.organization_id = binding.organization_id
    else:
        message.application_id = binding.application_id
    return message


def api_token_draft(token: directory_pb2.ApiToken) -> api_tokens.Draft:
    """Returns the API token that a caller wants.

    Raises:
        InvalidField: the expiry is no time after 1970.
    """
    expires = token.HasField("expire_time")
    expiry = _expiry(token.expire_time, "api_token.expire_time") if expires else 0
    return api_tokens.Draft(token.user_id, token.name, expiry)


def api_token_message(token: StoredApiToken) -> directory_pb2.ApiToken:
    """Returns what is kept of an API token."""
    return directory_pb2.ApiToken(
        id=token.id,
        user_id=token.user_id,
        name=token.name,
        expire_time=to_timestamp(token.expires),
        create_time=to_timestamp(token.created),
        etag=etag_of(api_tokens.REVISION),
    )


def permission_values(permissions: Permissions) -> list[directory_pb2.Permission.ValueType]:
    """Returns permissions in the order of their numbers."""
    return [directory_pb2.Permission.ValueType(permission) for permission in sorted(permissions)]


def _permissions(values: Iterable[int]) -> Permissions:
    return frozenset(Permission(value) for value in values)


def _expiry(timestamp: Timestamp, path: str) -> int:
    """Returns a time that is not 0, which stands for never."""
    time = from_timestamp(timestamp, path)
    if time <= 0:
        raise InvalidField(Violation(path, "is not a time after 1970"))
    return time
