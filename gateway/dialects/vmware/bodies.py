# SPDX-License-Identifier: Apache-2.0
"""Parameters and bodies of the two VMware products (contract sections 1 to 4), but for tokens.

Members that may be left out may also be null. Replies have all their members.
"""

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct, field

from gateway.constraints import INT32_MAX, NO_NUL, ONE_LINE, Body, Description, Name, text

SECRET_PATTERN = r"(?=.{8,})(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])(?=.*[!@#$%^&*()_+=\[\]-{|}',./:;<>?`~]).*"  # noqa: S105
r"""As published. `\]-{` is a range, which has all lower-case letters, so none of the special characters is needed."""

Context: TypeAlias = Literal["OPERATOR", "PROVIDER", "TENANT"]
"""In which family of roles a caller acts."""

OrganizationId: TypeAlias = Annotated[
    str,
    text("^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", description="GUID of the organization."),
]
AppId: TypeAlias = Annotated[str, text(ONE_LINE, min_length=1, max_length=128, description="The client id.")]
NewAppId: TypeAlias = Annotated[str, text("^[A-Za-z0-9-_]+$", min_length=1, max_length=128)]
DisplayName: TypeAlias = Annotated[
    str,
    text(
        r"^[^\x00-\x1f\x7f!\"#$%()*+/;<=>?\[\\\]^{|}~]+$",
        min_length=1,
        max_length=255,
        description="Letters, digits and -_.`':@&, and space.",
    ),
]
# The length is within the pattern: tools that make requests of the document can hardly meet a pattern and a length.
Secret: TypeAlias = Annotated[str, text(f"^(?!.{{1025}}){SECRET_PATTERN}$"), Meta(examples=["Abcdefg1"])]
AccessTokenTtl: TypeAlias = Annotated[
    int, Meta(ge=60, le=18_000, description="Seconds.", extra_json_schema={"format": "int32"})
]
RotationSeconds: TypeAlias = Annotated[
    int, Meta(ge=0, le=INT32_MAX, description="Seconds; 0: not at all.", extra_json_schema={"format": "int32"})
]
SecretSeconds: TypeAlias = Annotated[
    int, Meta(ge=1, le=INT32_MAX, description="Seconds.", extra_json_schema={"format": "int32"})
]
GrantTypes: TypeAlias = Annotated[
    list[Literal["authorization_code", "refresh_token", "client_credentials"]], Meta(min_length=1, max_length=3)
]
AppIds: TypeAlias = Annotated[list[AppId], Meta(min_length=1, max_length=15)]
OrganizationIds: TypeAlias = Annotated[list[OrganizationId], Meta(max_length=15)]


# --- Parameters -------------------------------------------------------------------------------------------------------


class InOrganization(Struct, rename="camel"):
    """Path parameters of a collection in an organization."""

    org_id: OrganizationId


class OneApp(Struct, rename="camel"):
    """Path parameters of an app."""

    org_id: OrganizationId
    oauth_app_id: AppId


class OneClient(Struct, rename="camel"):
    """Path parameters of an app that has roles in an organization."""

    org_id: OrganizationId
    client_id: AppId


class OwnClient(Struct, rename="camel"):
    """Path parameters of the app that calls."""

    client_id: AppId


class Acting(Struct):
    """Query parameters of operations in any family of roles."""

    context: Annotated[Context | None, Meta(description="In which family of roles the caller acts.")] = None


class ActingInside(Struct):
    """Query parameters of operations in the families of roles that are not the operator's."""

    context: Annotated[
        Literal["PROVIDER", "TENANT"] | None, Meta(description="In which family of roles the caller acts.")
    ] = None


class Page(Struct, rename="camel"):
    """Query parameters of lists."""

    page_start: Annotated[int, Meta(ge=1, le=INT32_MAX, description="Number of the first result, from 1.")] = 1
    page_limit: Annotated[int, Meta(ge=1, le=200, description="Results of a page.")] = 200


class AppPage(Page, rename="camel"):
    """Query parameters of the list of apps."""

    search_term: Annotated[str, text(NO_NUL, max_length=255, description="Part of display name or client id.")] = ""


# --- Scopes and roles -------------------------------------------------------------------------------------------------

RoleName: TypeAlias = Annotated[str, text("^[!-~]+$", min_length=1, max_length=100)]
ServiceRoleName: TypeAlias = Annotated[
    str, text(r"^(?!\*$)[!-~]+$", min_length=1, max_length=100, description="Not an asterisk.")
]
ServiceId: TypeAlias = Annotated[str, text("^[!-~]+$", min_length=1, max_length=128)]
GeneralScope: TypeAlias = Annotated[
    str,
    text(
        r"^(?!org:|service:)[!#-\[\]-~]+$",
        min_length=1,
        max_length=512,
        description="A scope token (RFC 6749 section 3.3), openid for example.",
    ),
]
KnownRole: TypeAlias = Literal[
    "org_owner", "org_admin", "developer", "org_member", "msp:provider_admin", "msp:provider_support_user"
]


class Role(Body):
    """A role in an organization, known or not."""

    name: RoleName


class ServiceRole(Body):
    """A role in a service."""

    name: ServiceRoleName


class OrganizationRole(Body):
    """A role in an organization that can be given."""

    name: KnownRole


Roles: TypeAlias = Annotated[list[Role], Meta(max_length=256)]
ServiceRoleNames: TypeAlias = Annotated[list[ServiceRole], Meta(max_length=256)]
OrganizationRoles: TypeAlias = Annotated[list[OrganizationRole], Meta(max_length=256)]


class RolesInOrganization(Body):
    """Which roles in the organization an app's tokens may carry."""

    roles: Roles | None = None


class RolesInService(Body, rename="camel"):
    """Which roles in one service an app's tokens may carry: all, or those named."""

    service_definition_id: ServiceId
    all_roles: bool | None = None
    roles: ServiceRoleNames | None = None


ALL_AND_SOME: dict[str, Any] = {
    "properties": {"allRoles": {"const": True}, "roles": {"type": "array", "minItems": 1}},
    "required": ["allRoles", "roles"],
}
"""JSON schema of a service of which all roles are asked for, and some by name."""

RolesInServices: TypeAlias = Annotated[
    list[Annotated[RolesInService, Meta(extra_json_schema={"not": ALL_AND_SOME})]], Meta(max_length=256)
]


class AllowedScopes(Body, rename="camel"):
    """What an app's tokens may carry."""

    general_scopes: Annotated[list[GeneralScope], Meta(max_length=256)] | None = None
    organization_scopes: RolesInOrganization | None = None
    services_scopes: RolesInServices | None = None


# --- Apps -------------------------------------------------------------------------------------------------------------


class AppSettings(Body, rename="camel", kw_only=True):
    """What every request that makes or changes an app may have."""

    access_token_ttl: AccessTokenTtl | None = field(name="accessTokenTTL", default=None)
    owner_only_secret_rotation: bool | None = None
    secret: Secret | None = None
    secret_rotation_expiration_in_seconds: RotationSeconds | None = None


class CpnAppChange(AppSettings, rename="camel", kw_only=True):
    """Request of Cloud Partner Navigator to update an app (document 003)."""

    allowed_scopes: AllowedScopes | None = None
    description: Description | None = None
    display_name: Name | None = None


class NewCpnApp(CpnAppChange, rename="camel", kw_only=True):
    """Request of Cloud Partner Navigator to create an app."""

    id: NewAppId | None = None


class CspAppChange(AppSettings, rename="camel", kw_only=True):
    """Request of the Cloud Services Platform to update an app."""

    allowed_scopes: AllowedScopes | None = None
    description: Description | None = None
    display_name: DisplayName | None = None
    grant_types: GrantTypes | None = None


class NewCspApp(AppSettings, rename="camel", kw_only=True):
    """Request of the Cloud Services Platform to create an app."""

    allowed_scopes: AllowedScopes
    description: Description
    display_name: DisplayName
    grant_types: GrantTypes
    id: NewAppId | None = None


class ShownRole(Body):
    """A role by its name."""

    name: str


class ShownRolesInOrganization(Body):
    """Roles in an organization."""

    roles: list[ShownRole]


class ShownRolesInService(Body, rename="camel"):
    """Roles in one service."""

    all_roles: bool
    roles: list[ShownRole]
    service_definition_id: str


class ShownScopes(Body, rename="camel"):
    """What an app's tokens may carry, as replies say it."""

    general_scopes: list[str]
    organization_scopes: ShownRolesInOrganization
    services_scopes: list[ShownRolesInService]


class ShownApp(Body, rename="camel", kw_only=True):
    """What both products show of an app."""

    access_token_ttl: int = field(name="accessTokenTTL")
    allowed_scopes: ShownScopes
    created_at: int
    description: str
    display_name: str
    grant_types: list[str]
    id: str
    last_updated_at: int
    owner_only_secret_rotation: bool
    secret_rotation_expiration_in_seconds: int


class CpnApp(ShownApp, rename="camel", kw_only=True):
    """One app in Cloud Partner Navigator (document 003)."""


class AllowedOrganization(Body, rename="camel"):
    """An organization that an app is restricted to. There is no such restriction here."""

    display_name: str
    id: str
    name: str


class CspApp(ShownApp, rename="camel", kw_only=True):
    """One app in the Cloud Services Platform. Most of the further members are of features that there are not here."""

    additional_attribute_masks: list[str] = field(default_factory=list)
    allow_open_redirect_uris: bool = False
    allowed_actors_audience_exchange: list[str] = field(default_factory=list)
    allowed_actors_client_delegate: list[str] = field(default_factory=list)
    allowed_orgs: list[AllowedOrganization] = field(default_factory=list)
    created_by: str
    cross_org_access_claims_supported: bool = False
    force_pkce: bool = False
    group_domain_appended_in_id_token: bool = field(name="groupDomainAppendedInIDToken", default=False)
    immutable: bool = False
    is_hidden: bool = False
    last_updated_by: str | None = None
    last_used_at: int | None
    max_additional_attributes_in_id_token: int = 0
    max_characters_in_access_token: int = 0
    max_groups_in_id_token: int = 0
    organization_id: str
    post_logout_redirect_uris: list[str] = field(default_factory=list)
    public_client: bool
    redirect_uris: list[str]
    refresh_token_ttl: int | None = field(name="refreshTokenTTL")
    secret_age: int | None = None
    service_definition_id: str | None = None
    use_csp_issuer_url: bool = False


class CpnApps(Body, rename="camel", omit_defaults=True):
    """A page of apps in Cloud Partner Navigator."""

    results: list[CpnApp]
    total_results: int
    next_link: str = ""
    prev_link: str = ""


class CspApps(Body, rename="camel", omit_defaults=True):
    """A page of apps in the Cloud Services Platform."""

    results: list[CspApp]
    total_results: int
    next_link: str = ""
    prev_link: str = ""


class AppsToDelete(Body, rename="camel"):
    """Request to delete apps."""

    client_ids_to_delete: AppIds


class Outcomes(Body):
    """Which of several could be done, by their ids."""

    failed: list[str]
    succeeded: list[str]


# --- Secrets ----------------------------------------------------------------------------------------------------------


class EmptyObject(Body):
    """An object without members."""


class AppCredentials(Body, rename="camel"):
    """The id of an app and its secret, which is shown this once."""

    client_id: str
    client_secret: str


class NewCpnSecret(Body, rename="camel"):
    """Request of Cloud Partner Navigator to set a new secret beside the one before."""

    new_client_secret: Secret
    expiration: SecretSeconds = field(name="secretExpirationTimeInSeconds")


class NewCspSecret(Body, rename="camel"):
    """Request of the Cloud Services Platform to set a new secret beside the one before."""

    new_client_secret: Secret
    expiration: SecretSeconds | None = field(name="secretRotationExpirationInSeconds", default=None)


# --- Clients ----------------------------------------------------------------------------------------------------------


class NewRolesInService(Body, rename="camel"):
    """Roles to give in one service."""

    service_definition_id: ServiceId
    service_roles: ServiceRoleNames | None = None


class NewClients(Body, rename="camel"):
    """Request to add apps to an organization, with roles there."""

    ids: AppIds
    org_role_binding_orgs: OrganizationIds | None = None
    organization_roles: OrganizationRoles | None = None
    service_roles: Annotated[list[NewRolesInService], Meta(max_length=256)] | None = None


class ClientFailure(Body):
    """Why an app was not added."""

    id: str
    message: str


class ClientFailures(Body):
    """Which apps were not added."""

    failures: list[ClientFailure]


class ClientsToRemove(Body):
    """Request to take apps out of an organization."""

    ids: AppIds


class OrganizationRoleChange(Body, rename="camel"):
    """Roles in the organization to give and to take."""

    roles_to_add: OrganizationRoles | None = None
    roles_to_remove: OrganizationRoles | None = None


class ServiceRoleChange(Body, rename="camel"):
    """Roles in one service to give and to take."""

    service_definition_id: ServiceId
    roles_to_add: ServiceRoleNames | None = None
    roles_to_remove: ServiceRoleNames | None = None


class BindingChange(Body, rename="camel"):
    """Further organizations where the roles in the organization are to be held, or no more."""

    orgs_to_add: OrganizationIds | None = None
    orgs_to_remove: OrganizationIds | None = None


class RoleChanges(Body, rename="camel"):
    """Request to change the roles of an app in an organization."""

    org_role_binding_orgs: BindingChange | None = None
    organization_roles: OrganizationRoleChange | None = None
    service_roles: Annotated[list[ServiceRoleChange], Meta(max_length=256)] | None = None


class ShownServiceRoles(Body, rename="camel"):
    """Roles that a client has in one service."""

    service_definition_id: str
    service_roles: list[ShownRole]


class SourceOrganization(Body, rename="camel"):
    """The organization that an app belongs to."""

    display_name: str
    org_id: str
    short_id: str


class OrganizationClient(Body, rename="camel"):
    """An app that has roles in an organization."""

    description: str
    display_name: str
    id: str
    organization_roles: list[ShownRole]
    service_roles: list[ShownServiceRoles]
    source_org: SourceOrganization


class OrganizationClients(Body, rename="camel", omit_defaults=True):
    """A page of the apps that have roles in an organization."""

    results: list[OrganizationClient]
    total_results: int
    next_link: str = ""
    prev_link: str = ""


# --- Organizations ----------------------------------------------------------------------------------------------------


class RoleInOrganization(Body, rename="camel"):
    """A role that there is in an organization."""

    display_name: str
    id: str
    member_type: Literal["DIRECT"]
    name: str
    org_id: str


class RolesOfOrganization(Body, rename="camel"):
    """The roles that there are in an organization."""

    org_roles: list[RoleInOrganization]


class AllowedScopeDescriptor(Body, rename="camel"):
    """A role that an app's tokens may be allowed to carry."""

    enabled: bool
    incompatible_with: list[str]
    name: str
    service_scope_type: Literal["ALL_SERVICES", "NO_SERVICES"]


# --- Failures ---------------------------------------------------------------------------------------------------------


class CspViolation(Body):
    """A member of the request at fault."""

    member: str
    description: str


class CspErrorMetadata(Body):
    """What is wrong with the input."""

    violations: list[CspViolation]


class CspErrorBody(Body, rename="camel"):
    """What every failure answers."""

    status_code: int
    trace_id: str
    csp_error_code: str
    message: str
    module_code: int
    request_id: str
    metadata: CspErrorMetadata | None
