# SPDX-License-Identifier: Apache-2.0
"""Parameters and bodies of the HDP dialect (contract sections 1, 2 and 4).

Ids are strings in the list of profiles and of data sources, and integers everywhere else, as documented.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from gateway.constraints import (
    Body,
    ClientId,
    ClientSecret,
    Description,
    Int32,
    Name,
    Number,
    Password,
    RequiredToken,
    Scope,
    Token,
    Uri,
    Username,
    text,
)
from gateway.dialects.hdp.datastores import DataStore
from gateway.dialects.hdp.permissions import PermissionNumber

ProfileName = Annotated[
    str,
    text(
        "^[A-Za-z0-9_]+$",
        min_length=1,
        max_length=255,
        description="Only alphanumeric characters and the underscore character.",
    ),
]
Switch = Literal[0, 1]
Moment = Annotated[datetime, Meta(tz=True)]
Ids = Annotated[list[Number], Meta(max_length=64)]
Users = Annotated[list[Number], Meta(max_length=10000)]
PermissionNumbers = Annotated[list[PermissionNumber], Meta(max_length=64)]


# --- Parameters -------------------------------------------------------------------------------------------------------


class ById(Struct):
    """Path parameters of one resource."""

    id: Number


class OnBehalf(Struct):
    """Query parameters of every route under /api/mgmt."""

    user: Annotated[Username, Meta(description="User name to act on behalf of.")] | UnsetType = UNSET


class ApplicationQuery(OnBehalf):
    """Query parameters of the list of applications."""

    tenant_id: Annotated[Number, Meta(description="Id of the tenant.")] | UnsetType = field(
        default=UNSET, name="tenantId"
    )
    tenant_name: Annotated[Name, Meta(description="Name of the tenant.")] | UnsetType = field(
        default=UNSET, name="tenantName"
    )


# --- Profiles ---------------------------------------------------------------------------------------------------------


class ProfileBody(Body, rename="camel"):
    """Request of create and update, which replaces the whole profile."""

    name: ProfileName
    oauth_app_id: Number
    refresh_token: RequiredToken
    description: Description | None = None
    access_token: Token | None = None


class HdpProfile(Body, rename="camel"):
    """One profile, with its tokens in clear."""

    id: int
    name: str
    oauth_app_id: int
    description: str
    access_token: str
    refresh_token: str


class ProfileListElement(Body):
    """One profile of the list."""

    id: str
    name: str
    description: str
    authorize_uri: str = field(name="authorizeURI")
    token_uri: str = field(name="tokenURI")
    scope: str


class ProfileList(Body):
    """The list of profiles."""

    profiles: list[ProfileListElement]


class DataSource(Body):
    """One data source that uses a profile."""

    id: str
    name: str
    description: str


class ProfileStatistics(Body, rename="camel"):
    """Who uses a profile."""

    data_sources_linked: int
    data_store_id: DataStore
    data_sources: list[DataSource]


# --- Applications -----------------------------------------------------------------------------------------------------


class ApplicationBody(Body, rename="camel"):
    """Request of create and update, which replaces the whole application but its tenant."""

    name: Name
    data_store: DataStore
    client_id: ClientId
    client_secret: ClientSecret
    tenant_id: Number | None = None
    description: Description | None = None
    authorize_uri: Uri | None = field(default=None, name="authorizeURI")
    token_uri: Uri | None = field(default=None, name="tokenURI")
    scope: Scope | None = None


class ApplicationListElement(Body, rename="camel"):
    """One application of the list."""

    id: int
    name: str
    data_store: DataStore
    tenant_id: int
    description: str
    authorize_uri: str = field(name="authorizeURI")
    token_uri: str = field(name="tokenURI")
    scope: str


class HdpApplication(ApplicationListElement, rename="camel"):
    """One application, with its client secret in clear."""

    client_id: str
    client_secret: str


class ApplicationList(Body):
    """The list of applications."""

    applications: list[ApplicationListElement]


# --- Administration ---------------------------------------------------------------------------------------------------


class PermissionElement(Body):
    """One permission."""

    id: int
    name: str
    description: str


class PermissionList(Body):
    """Permissions."""

    permissions: list[PermissionElement]


class StatusInfo(Body, rename="camel"):
    """Whether a user may log in."""

    status: Switch = 1
    account_locked: bool = False


class PasswordBody(Body, rename="camel"):
    """Password of a new user."""

    password: Password
    password_status: Int32 | None = None
    password_expiration: Moment | None = None


class PasswordChange(Body, rename="camel"):
    """New password of a user, or a new end of the old one."""

    password: Password | UnsetType = UNSET
    password_status: Int32 | None = None
    password_expiration: Moment | UnsetType | None = UNSET


class PasswordInfo(Body, rename="camel"):
    """What is told of a password."""

    password_status: Switch
    password_expiration: datetime | None


class UserPermissionsBody(Body):
    """What a user is to be allowed."""

    roles: Ids = field(default_factory=list)
    permissions: PermissionNumbers = field(default_factory=list)


class UserPermissions(Body):
    """What a user is allowed."""

    roles: list[int]
    permissions: list[int]


class UserBody(Body, rename="camel"):
    """Request to create a user."""

    user_name: Username
    password_info: PasswordBody
    tenant_id: Number | None = None
    status_info: StatusInfo = field(default_factory=StatusInfo)
    permissions: UserPermissionsBody = field(default_factory=UserPermissionsBody)


class UserChange(Body, rename="camel"):
    """Request to update a user. Members that are left out stay as they are."""

    user_name: Username
    tenant_id: Number | None = None
    password_info: PasswordChange | UnsetType = UNSET
    status_info: StatusInfo | UnsetType = UNSET
    permissions: UserPermissionsBody | UnsetType = UNSET


class HdpUser(Body, rename="camel"):
    """One user."""

    id: int
    user_name: str
    tenant_id: int
    status_info: StatusInfo
    password_info: PasswordInfo
    permissions: UserPermissions


class UserList(Body):
    """The list of users."""

    users: list[HdpUser]


class RoleBody(Body, rename="camel"):
    """Request to create a role."""

    name: Name
    tenant_id: Number | None = None
    description: Description | None = None
    permissions: PermissionNumbers = field(default_factory=list)
    users: Users = field(default_factory=list)


class RoleChange(Body, rename="camel"):
    """Request to update a role. Members that are left out stay as they are."""

    name: Name
    tenant_id: Number | None = None
    description: Description | UnsetType = UNSET
    permissions: PermissionNumbers | UnsetType = UNSET
    users: Users | UnsetType = UNSET


class RoleListElement(Body, rename="camel"):
    """One role of the list."""

    id: int
    name: str
    tenant_id: int
    description: str
    permissions: list[int]


class HdpRole(RoleListElement, rename="camel"):
    """One role."""

    users: list[int]


class RoleList(Body):
    """The list of roles."""

    roles: list[RoleListElement]


class TenantBody(Body, rename="camel"):
    """Request to create a tenant."""

    name: Name
    description: Description | None = None
    parent_tenant: Literal[1] | None = None
    status: Switch = 1
    imported_roles: Ids = field(default_factory=list)


class TenantChange(Body, rename="camel"):
    """Request to update a tenant. Members that are left out stay as they are."""

    name: Name
    description: Description | UnsetType = UNSET
    parent_tenant: Literal[1] | None = None
    status: Switch | UnsetType = UNSET


class Tenant(Body, rename="camel"):
    """One tenant. The system tenant has no parent."""

    id: int
    name: str
    description: str
    status: Switch
    roles: list[int]
    parent_tenant: int | UnsetType = UNSET


class TenantList(Body):
    """The list of tenants."""

    tenants: list[Tenant]


# --- Failures ---------------------------------------------------------------------------------------------------------


class Message(Body):
    """The text of a failure."""

    lang: str
    value: str


class Error(Body):
    """A failure. Its code is a string on the pages of OAuth profiles and applications, an integer on all others."""

    code: int | str
    message: Message


class HdpErrorBody(Body):
    """What every failure answers."""

    error: Error
