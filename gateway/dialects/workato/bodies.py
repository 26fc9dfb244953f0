# SPDX-License-Identifier: Apache-2.0
"""Parameters and bodies of the Workato dialect (contract sections 2 to 4, 10 and 12)."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from gateway.constraints import (
    INT64_MAX,
    Body,
    ClientId,
    ClientSecret,
    ExternalId,
    Int32,
    Name,
    Number,
    Slug,
    Token,
)

Page = Annotated[int, Meta(ge=1, le=INT64_MAX, description="Page number.")]
PerPage = Annotated[int, Meta(ge=1, le=INT64_MAX, description="Page size; more than 100 is 100.")]
Force = Annotated[bool, Meta(description="Even if it is in use.")]
FolderId = Int32


# --- Parameters -------------------------------------------------------------------------------------------------------


class ById(Struct):
    """Path parameters of one resource."""

    id: Number


class Assignment(Struct):
    """Path parameters of a profile of a customer."""

    managed_user_id: Annotated[ExternalId, Meta(description="Customer id, or E and the external id.")]
    id: Number


class Paging(Struct):
    """Query parameters of lists."""

    page: Page = 1
    per_page: PerPage = 100


class Forcing(Struct):
    """Query parameters of deletions."""

    force: Force = False


# --- Profiles ---------------------------------------------------------------------------------------------------------


class Credentials(Body):
    """The OAuth client of a profile."""

    client_id: ClientId
    client_secret: ClientSecret
    token: Token | None = None


class CustomProfileBody(Body):
    """Request of create and update, which replaces the whole profile."""

    name: Name
    provider: Slug
    data: Credentials


class PublicData(Body):
    """What is told of an OAuth client."""

    client_id: str


class WorkatoProfile(Body):
    """One profile: nine members and never a secret."""

    id: int
    user_id: int
    name: str
    provider: str
    data: PublicData
    shared_accounts_count: int
    oem_customers_count: int
    created_at: str
    updated_at: str


class ProfileResult(Body):
    """One profile in its envelope."""

    result: WorkatoProfile


class ProfileListResult(Body):
    """A page of profiles in its envelope."""

    result: list[WorkatoProfile]


class Success(Body):
    """That something was done."""

    success: Literal[True] = True


class SuccessResult(Body):
    """That something was done, in its envelope."""

    result: Success


# --- Connections ------------------------------------------------------------------------------------------------------


class ConnectionBody(Body):
    """Request to create a connection. Its `input`, which holds credentials of the connection, is not kept."""

    name: Name
    provider: Slug
    folder_id: FolderId | None = None
    parent_id: FolderId | None = None
    external_id: ExternalId | None = None
    shell_connection: bool | None = None
    input: dict[str, Any] | None = None
    custom_oauth_profile_id: Number | None = None


class ConnectionChange(Body):
    """Request to update a connection. Members that are left out stay as they are; null unbinds a profile."""

    name: Name | UnsetType = UNSET
    folder_id: FolderId | UnsetType | None = UNSET
    parent_id: FolderId | UnsetType | None = UNSET
    external_id: ExternalId | UnsetType | None = UNSET
    shell_connection: bool | None = None
    input: dict[str, Any] | None = None
    custom_oauth_profile_id: Number | UnsetType | None = UNSET


class Connection(Body):
    """One connection."""

    id: int
    application: str
    name: str
    description: str | None
    provider: str
    authorized_at: str | None
    authorization_status: str | None
    authorization_error: str | None
    connection_lost_at: str | None
    connection_lost_reason: str | None
    created_at: str
    updated_at: str
    external_id: str | None
    folder_id: int
    project_id: int | None
    parent_id: int | None
    on_prem_group_id: int | None
    tags: list[str]
    custom_oauth_profile_id: int | None


# --- Workspace --------------------------------------------------------------------------------------------------------


class Workspace(Body):
    """The workspace of the caller, as the vendor's command line tool reads it."""

    id: int
    name: str
    created_at: str
    plan_id: str
    current_billing_period_start: str
    current_billing_period_end: str
    recipes_count: int
    active_recipes_count: int
    company_name: str
    location: str | None
    email: str
    root_folder_id: int


# --- Failures ---------------------------------------------------------------------------------------------------------


class WorkatoErrorBody(Body, omit_defaults=True):
    """What every failure answers: members at fault with validation failures, an id with faults of the server."""

    message: str
    errors: dict[str, list[str]] = field(default_factory=dict)
    id: str = ""
