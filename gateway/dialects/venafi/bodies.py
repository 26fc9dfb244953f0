# SPDX-License-Identifier: Apache-2.0
"""Bodies of the OAuth calls of the Venafi dialect (contract sections 1 to 6), members in alphabetical order.

Requests are read in any case of letters, and null is as good as absent. Replies leave unset members out; every reply is
also that of a logical failure, which has nothing but `Error`, `Result` and `Success`.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from gateway.constraints import INT32_MAX, ONE_LINE, Body, Description, Scope, text

ID_ALPHABET = "[A-Za-z0-9._~-]"
"""Characters of the ids that an application can be given."""

Seconds: TypeAlias = Annotated[int, Meta(ge=1, le=315_360_000, description="Seconds; ten years at the most.")]
ApplicationId: TypeAlias = Annotated[str, text(ONE_LINE, min_length=1, max_length=128, description="The client_id.")]
NewApplicationId: TypeAlias = Annotated[str, text(f"^{ID_ALPHABET}+$", min_length=1, max_length=128)]
ApplicationIds: TypeAlias = Annotated[list[ApplicationId], Meta(max_length=1000)]
Label: TypeAlias = Annotated[str, text(ONE_LINE, max_length=255)]
Url: TypeAlias = Annotated[str, text(ONE_LINE, max_length=2048, description="Free text; no scheme is required.")]
Identity: TypeAlias = Annotated[
    str, text(ONE_LINE, min_length=1, max_length=255, description="Prefixed universal identity, or local:NAME.")
]
Identities: TypeAlias = Annotated[list[Identity], Meta(min_length=1, max_length=60)]
Claim: TypeAlias = Annotated[str, text(ONE_LINE, min_length=1, max_length=255)]
Match: TypeAlias = Annotated[str, text(ONE_LINE, min_length=1, max_length=1024)]
IssuerUri: TypeAlias = Annotated[
    str, text(r"^[Hh][Tt][Tt][Pp][Ss]?://[^\x00-\x20\x7f]+$", min_length=1, max_length=2048)
]
IssuerUris: TypeAlias = Annotated[list[Annotated[str, text(ONE_LINE, max_length=2048)]], Meta(max_length=100)]
Whole: TypeAlias = Annotated[int, Meta(ge=0, le=INT32_MAX)]
Start: TypeAlias = Annotated[int, Meta(ge=0, le=INT32_MAX, description="Page of results, counted from 0.")]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=INT32_MAX, description="Results of a page.")]
AssignableRole: TypeAlias = Literal[1, 2, 3, 5, 6]


class Nothing(Body):
    """Request of a call without parameters."""


class Done(Body, rename="pascal"):
    """That something was done, or why not."""

    error: str | UnsetType = UNSET
    result: int = 0
    success: bool = True


class ErrorBody(Body):
    """What every failure answers that is no logical one."""

    error: str
    error_description: str


class IdentityEntry(Body, rename="pascal"):
    """One identity."""

    full_name: str
    name: str
    prefix: str
    prefixed_name: str
    prefixed_universal: str
    type: int
    universal: str


class SelfReply(Body, rename="pascal"):
    """The caller."""

    identities: list[IdentityEntry]


class VersionReply(Body, rename="pascal"):
    """The version of the product that this stands in for."""

    version: str


# --- Applications -----------------------------------------------------------------------------------------------------


class NewApplication(Body, rename="pascal"):
    """Request of CreateApplication. MaxScope is another name of MaximumScope, one of which is required."""

    application_id: NewApplicationId
    description: Description
    name: Label
    scope: Scope
    url: Url
    vendor: Label
    access_validity: Seconds | None = None
    grant_validity: Seconds | None = None
    max_scope: Scope | None = None
    maximum_scope: Scope | None = None
    renewable: bool | None = None


class ApplicationChange(Body, rename="pascal"):
    """An application as UpdateApplication takes it: what is unset gets its default."""

    id: ApplicationId = field(name="ID")
    access_validity: Seconds | None = None
    description: Description = ""
    grant_validity: Seconds | None = None
    maximum_scope: Scope = ""
    name: Label = ""
    renewable: bool | None = None
    scope: Scope = ""
    url: Url = ""
    vendor: Label = ""


class ApplicationUpdate(Body, rename="pascal"):
    """Request of UpdateApplication."""

    application: ApplicationChange


class OneApplication(Body, rename="pascal"):
    """Request about one application."""

    application_id: ApplicationId


class SomeApplications(Body, rename="pascal"):
    """Request of GetApplications."""

    application_ids: ApplicationIds
    filter: Annotated[str, text(ONE_LINE, max_length=255, description="Part of the id or the name.")] = ""


class ApplicationPage(Body, rename="pascal"):
    """Request of EnumerateApplications. OrderBy: 0 none, 1 name, 2 vendor, 3 access validity."""

    count: Count = 100
    descending: bool = False
    order_by: Literal[0, 1, 2, 3] = 0
    start: Start = 0


class VenafiApplication(Body, rename="pascal"):
    """One application."""

    access_validity: int | UnsetType = UNSET
    description: str | UnsetType = UNSET
    grant_validity: int | UnsetType = UNSET
    id: str = field(name="ID", default="")
    maximum_scope: str | UnsetType = UNSET
    name: str = ""
    renewable: bool | UnsetType = UNSET
    scope: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    vendor: str | UnsetType = UNSET


class ApplicationReply(Body, rename="pascal"):
    """One application."""

    application: VenafiApplication | UnsetType = UNSET
    error: str | UnsetType = UNSET
    result: int = 0
    success: bool = True


class ApplicationsReply(Body, rename="pascal"):
    """Several applications."""

    applications: list[VenafiApplication] | UnsetType = UNSET
    error: str | UnsetType = UNSET
    result: int = 0
    success: bool = True


# --- Rules ------------------------------------------------------------------------------------------------------------


class NewRule(Body, rename="pascal"):
    """Request of CreateRule."""

    application_id: ApplicationId
    maximum_scope: Scope
    trustee_prefixed_universal: Identity
    access_validity: Seconds | None = None
    description: Description = ""
    grant_validity: Seconds | None = None
    renewable: bool | None = None


class RuleChange(Body, rename="pascal"):
    """A rule as UpdateRule takes it: what is unset gets its default."""

    application_id: ApplicationId
    trustee_prefixed_universal: Identity
    access_validity: Seconds | None = None
    description: Description = ""
    grant_validity: Seconds | None = None
    maximum_scope: Scope = ""
    renewable: bool | None = None


class RuleUpdate(Body, rename="pascal"):
    """Request of UpdateRule."""

    rule: RuleChange


class RuleQuery(Body, rename="pascal"):
    """Request of GetRules; an application or a trustee is required."""

    application_id: ApplicationId | None = None
    maximum_scope: Scope | None = None
    no_expire: bool | None = None
    renewable: bool | None = None
    resolve_identities: bool = False
    trustee_prefixed_universal: Identity | None = None
    trustee_prefixed_universals: Identities | None = None


class RulePage(Body, rename="pascal"):
    """Request of EnumerateRules; an application or a grantee is required. OrderBy: 0, 3 access or 4 grant validity."""

    application_id: ApplicationId | None = None
    count: Count = 100
    descending: bool = False
    grantee_prefixed_universal: Identity | None = None
    maximum_scope: Scope | None = None
    no_expire: bool | None = None
    order_by: Literal[0, 3, 4] = 0
    renewable: bool | None = None
    resolve_identities: bool = False
    start: Start = 0
    trustee_prefixed_universal: Identity | None = None


class OneRule(Body, rename="pascal"):
    """Request of DeleteRule."""

    application_id: ApplicationId
    trustee_prefixed_universal: Identity


class SomeRules(Body, rename="pascal"):
    """Request of DeleteRules; one of the two is required."""

    application_id: ApplicationId | None = None
    trustee_prefixed_universal: Identity | None = None


class Rule(Body, rename="pascal"):
    """One rule."""

    access_validity: int | UnsetType = UNSET
    application_id: str = ""
    description: str | UnsetType = UNSET
    grant_validity: int | UnsetType = UNSET
    maximum_scope: str | UnsetType = UNSET
    renewable: bool | UnsetType = UNSET
    trustee_prefixed_universal: str = ""


class RuleReply(Body, rename="pascal"):
    """One rule."""

    error: str | UnsetType = UNSET
    result: int = 0
    rule: Rule | UnsetType = UNSET
    success: bool = True


class RulesReply(Body, rename="pascal"):
    """Several rules."""

    error: str | UnsetType = UNSET
    identity_entries: list[IdentityEntry] | UnsetType = UNSET
    result: int = 0
    rules: list[Rule] | UnsetType = UNSET
    success: bool = True


# --- Grants -----------------------------------------------------------------------------------------------------------


class GrantQuery(Body, rename="pascal"):
    """Request of GetGrants."""

    grantee_prefixed_universal: Identity
    application_id: ApplicationId | None = None
    count: Count | None = None
    descending: bool = False
    order_by: Literal[0, 3, 4] = 0
    resolve_identities: bool = False
    start: Start = 0


class GrantPage(Body, rename="pascal"):
    """Request of EnumerateGrants; an application or a grantee is required. OrderBy: 0, 3 access or 4 grant validity."""

    application_id: ApplicationId | None = None
    count: Count = 100
    descending: bool = False
    grantee_prefixed_universal: Identity | None = None
    order_by: Literal[0, 3, 4] = 0
    resolve_identities: bool = False
    start: Start = 0


class SomeGrants(Body, rename="pascal"):
    """Request of RevokeGrants; one of the two is required."""

    application_id: ApplicationId | None = None
    grantee_prefixed_universal: Identity | None = None


class VenafiGrant(Body, rename="pascal"):
    """One grant; its tokens are not told."""

    access_issued_on: str
    access_issued_on_iso8601: str = field(name="AccessIssuedOnISO8601")
    access_issued_on_unix_time: int
    application: str
    expires: str
    expires_iso8601: str = field(name="ExpiresISO8601")
    expires_unix_time: int
    granted_to_prefixed_universal: str
    grantee_prefixed_universal: str
    grant_issued_on: str
    grant_issued_on_iso8601: str = field(name="GrantIssuedOnISO8601")
    grant_issued_on_unix_time: int
    scope: str
    valid_for: int


class GrantsReply(Body, rename="pascal"):
    """Several grants."""

    error: str | UnsetType = UNSET
    grants: list[VenafiGrant] | UnsetType = UNSET
    identity_entries: list[IdentityEntry] | UnsetType = UNSET
    result: int = 0
    success: bool = True


class CountReply(Body, rename="pascal"):
    """How many."""

    count: int | UnsetType = UNSET
    error: str | UnsetType = UNSET
    result: int = 0
    success: bool = True


class TotalsReply(Body, rename="pascal"):
    """How many of everything."""

    application_count: int | UnsetType = UNSET
    error: str | UnsetType = UNSET
    grant_count: int | UnsetType = UNSET
    result: int = 0
    rule_count: int | UnsetType = UNSET
    success: bool = True


class KnownScope(Body, rename="pascal"):
    """A scope and its restrictions."""

    restriction_list: list[str]
    scope: str


class ScopesReply(Body, rename="pascal"):
    """The scopes that are known."""

    error: str | UnsetType = UNSET
    result: int = 0
    scopes: list[KnownScope] | UnsetType = UNSET
    success: bool = True


# --- Roles ------------------------------------------------------------------------------------------------------------


class RoleAssignment(Body, rename="pascal"):
    """Request of GrantRole and RevokeRole; roles 2 and 3 are those of an application."""

    grantee_prefixed_universal: Identity
    role: AssignableRole
    application_id: ApplicationId | None = None


class RoleQuery(Body, rename="pascal"):
    """Request of ListRoles."""

    grantee_prefixed_universal: Identity | None = None


class AssignedRole(Body, rename="pascal"):
    """A role that somebody has; one of an application names it."""

    application_id: str | UnsetType = UNSET
    grantee: str = ""
    role: int = 0


class RolesReply(Body, rename="pascal"):
    """The roles that people have."""

    error: str | UnsetType = UNSET
    result: int = 0
    roles: list[AssignedRole] | UnsetType = UNSET
    success: bool = True


class ApplicationRole(Body, rename="pascal"):
    """A role of the caller's for one application."""

    application_id: str
    role: int


class OwnRole(Body, rename="pascal"):
    """The role of the caller; the lists are there for a role of applications only."""

    owned_applications: list[ApplicationRole] | UnsetType = UNSET
    permitted_applications: list[str] | UnsetType = UNSET
    role: int = 0


class RoleReply(Body, rename="pascal"):
    """The role of the caller."""

    error: str | UnsetType = UNSET
    result: int = 0
    role: OwnRole | UnsetType = UNSET
    success: bool = True


# --- Configuration ----------------------------------------------------------------------------------------------------

SourceField: TypeAlias = Literal["CN", "SAN:UPN", "SAN:EMAIL"]
IssuerDn: TypeAlias = Annotated[str, text(ONE_LINE, min_length=1, max_length=1024)]
KeptText: TypeAlias = Annotated[str, text(ONE_LINE, max_length=512)]


class CertificateConfiguration(Body, rename="pascal"):
    """How users are found in client certificates."""

    attempt_sid_extension_before_source_field: bool = field(name="AttemptSIDExtensionBeforeSourceField", default=False)
    authorized_issuer_dns: Annotated[list[IssuerDn], Meta(max_length=64)] = field(default_factory=list)
    source_field: SourceField = "CN"


class DeviceConfiguration(Body, rename="pascal"):
    """Where devices send their users."""

    verification_uri: KeptText = "/aperture/activate"
    verification_uri_complete_format: KeptText = "/aperture/activate/{0}"


class Configuration(Body, rename="pascal"):
    """The configuration: what is unset gets its default."""

    authorize_by_certificate: bool = True
    authorize_by_integrated: bool = False
    authorize_by_jwt: bool = True
    authorize_by_password: bool = True
    authorize_device: bool = True
    certificate_configuration: CertificateConfiguration = field(default_factory=CertificateConfiguration)
    default_access_token_validity: Seconds = 7_776_000
    default_grant_refreshable: bool = True
    default_grant_validity: Seconds = 31_536_000
    device_configuration: DeviceConfiguration = field(default_factory=DeviceConfiguration)
    open_api_enabled: bool = True
    open_api_ui: KeptText = "redoc"
    refresh_endpoint_enabled: bool = True
    session_pool_age: Whole = 86_400
    session_pool_expiration_interval: Whole = 300
    session_pool_size: Whole = 5_000
    session_rights_refresh_interval: Whole = 60
    statistics_api_tracking: bool = False
    statistics_tracking_includes_time: bool = False
    strict_expiration: bool = False
    unused_access_token_expiration: Whole = 0


class ConfigurationUpdate(Body, rename="pascal"):
    """Request of SetConfiguration."""

    configuration: Configuration


class ConfigurationReply(Body, rename="pascal"):
    """The configuration."""

    configuration: Configuration | UnsetType = UNSET
    error: str | UnsetType = UNSET
    result: int = 0
    success: bool = True


# --- JWT mappings -----------------------------------------------------------------------------------------------------


class JwtMappingBody(Body, rename="pascal"):
    """A JWT mapping as a request has it: whose tokens the JWTs of an issuer stand for."""

    id_field: Claim
    id_match: Match
    issuer_uri: IssuerUri
    name: Claim
    purpose_field: Claim
    purpose_match: Match
    grantee_prefixed_universal: Identity | None = None


class JwtMappingUpdate(Body, rename="pascal"):
    """Request of UpdateJwtMapping."""

    jwt_mapping: JwtMappingBody


class OneJwtMapping(Body, rename="pascal"):
    """Request of GetJwtMapping and DeleteJwtMapping."""

    name: Claim
    resolve_identities: bool = False


class SomeJwtMappings(Body, rename="pascal"):
    """Request of GetJwtMappings."""

    filter: Annotated[str, text(ONE_LINE, max_length=255, description="Part of the name.")] = ""
    issuer_uris: IssuerUris | None = None
    resolve_identities: bool = False


class JwtMappingPage(Body, rename="pascal"):
    """Request of EnumerateJwtMappings. OrderBy: 0 none, 1 name."""

    count: Count = 100
    descending: bool = False
    order_by: Literal[0, 1] = 0
    resolve_identities: bool = False
    start: Start = 0


class VenafiJwtMapping(Body, rename="pascal"):
    """One JWT mapping."""

    grantee_prefixed_universal: str | UnsetType = UNSET
    id_field: str = ""
    id_match: str = ""
    issuer_uri: str = ""
    name: str = ""
    purpose_field: str = ""
    purpose_match: str = ""


class JwtMappingReply(Body, rename="pascal"):
    """One JWT mapping."""

    error: str | UnsetType = UNSET
    identity_entries: list[IdentityEntry] | UnsetType = UNSET
    jwt_mapping: VenafiJwtMapping | UnsetType = UNSET
    result: int = 0
    success: bool = True


class JwtMappingsReply(Body, rename="pascal"):
    """Several JWT mappings, and how many there are in all."""

    count: int | UnsetType = UNSET
    error: str | UnsetType = UNSET
    identity_entries: list[IdentityEntry] | UnsetType = UNSET
    jwt_mappings: list[VenafiJwtMapping] | UnsetType = UNSET
    result: int = 0
    success: bool = True
