# SPDX-License-Identifier: Apache-2.0
"""The table of the routes under /vedsdk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import fields

from gateway.dialects.venafi import applications, configuration, grants, identities, jwt_mappings, product, roles, rules
from gateway.dialects.venafi import bodies as of
from gateway.routing import Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    import msgspec

    from gateway.routing import Handler

SCOPES: Final = ("admin",)
"""What every OAuth call demands of an access token."""


def _given(*names: str) -> dict[str, Any]:
    """Returns the schema of objects that have these members, and not as null."""
    return {"required": list(names), "properties": {name: {"not": {"type": "null"}} for name in names}}


def _any_given(*names: str) -> dict[str, Any]:
    return {"anyOf": [_given(name) for name in names]}


ROLE_SCHEMA: Final = {
    "anyOf": [{"properties": {"Role": {"enum": [1, 5, 6]}}}, _given("ApplicationId")],
}
"""Roles 2 and 3 are those of an application."""


def _oauth(
    name: str,
    handler: Handler,
    summary: str,
    body: type[msgspec.Struct],
    reply: type[msgspec.Struct] = of.Done,
    *,
    etag: bool = False,
    conditional: bool = False,
    schema: Mapping[str, Any] | None = None,
) -> Route:
    """Returns a call of the OAuth family, all of which are alike: POST, JSON, the scope `admin`."""
    return Route(
        "POST",
        f"/vedsdk/OAuth/{name}",
        handler,
        summary,
        f"POST OAuth/{name}",
        reply=reply,
        body=body,
        body_required=bool(_required(body)),
        any_case=True,
        body_schema=schema or {},
        scopes=SCOPES,
        etag=etag,
        conditional=conditional,
    )


def _required(body: type[msgspec.Struct]) -> list[str]:
    return [member.encode_name for member in fields(body) if member.required]


PRODUCT_ROUTES = (
    Route("GET", "/vedsdk/", product.ping, "Whether it is there", "Venafi contract section 7", anonymous=True),
    Route(
        "GET",
        "/vedsdk/SystemStatus/Version",
        product.get_version,
        "Get the version",
        "Venafi contract section 7",
        reply=of.VersionReply,
    ),
    Route(
        "GET",
        "/vedsdk/Identity/Self",
        identities.get_self,
        "Get the identity of the caller",
        "Venafi contract section 7",
        reply=of.SelfReply,
    ),
)

APPLICATION_ROUTES = (
    _oauth(
        "CreateApplication",
        applications.create_application,
        "Create an OAuth application",
        of.NewApplication,
        of.ApplicationReply,
        etag=True,
        schema=_any_given("MaximumScope", "MaxScope"),
    ),
    _oauth(
        "GetApplication",
        applications.get_application,
        "Get an OAuth application",
        of.OneApplication,
        of.ApplicationReply,
        etag=True,
    ),
    _oauth(
        "GetApplications",
        applications.get_applications,
        "Get several OAuth applications",
        of.SomeApplications,
        of.ApplicationsReply,
    ),
    _oauth(
        "EnumerateApplications",
        applications.enumerate_applications,
        "List OAuth applications",
        of.ApplicationPage,
        of.ApplicationsReply,
    ),
    _oauth(
        "UpdateApplication",
        applications.update_application,
        "Update an OAuth application",
        of.ApplicationUpdate,
        etag=True,
        conditional=True,
    ),
    _oauth(
        "DeleteApplication",
        applications.delete_application,
        "Delete an OAuth application",
        of.OneApplication,
        conditional=True,
    ),
)

RULE_ROUTES = (
    _oauth("CreateRule", rules.create_rule, "Create a grant rule", of.NewRule, of.RuleReply, etag=True),
    _oauth("UpdateRule", rules.update_rule, "Update a grant rule", of.RuleUpdate, etag=True, conditional=True),
    _oauth(
        "GetRules",
        rules.get_rules,
        "Get grant rules",
        of.RuleQuery,
        of.RulesReply,
        schema=_any_given("ApplicationId", "TrusteePrefixedUniversal", "TrusteePrefixedUniversals"),
    ),
    _oauth(
        "EnumerateRules",
        rules.enumerate_rules,
        "List grant rules",
        of.RulePage,
        of.RulesReply,
        schema=_any_given("ApplicationId", "GranteePrefixedUniversal", "TrusteePrefixedUniversal"),
    ),
    _oauth("DeleteRule", rules.delete_rule, "Delete a grant rule", of.OneRule, conditional=True),
    _oauth(
        "DeleteRules",
        rules.delete_rules,
        "Delete grant rules",
        of.SomeRules,
        schema=_any_given("ApplicationId", "TrusteePrefixedUniversal"),
    ),
)

GRANT_ROUTES = (
    _oauth("GetGrants", grants.get_grants, "Get the grants of a user", of.GrantQuery, of.GrantsReply),
    _oauth(
        "EnumerateGrants",
        grants.enumerate_grants,
        "List grants",
        of.GrantPage,
        of.GrantsReply,
        schema=_any_given("ApplicationId", "GranteePrefixedUniversal"),
    ),
    _oauth(
        "RevokeGrants",
        grants.revoke_grants,
        "Revoke grants",
        of.SomeGrants,
        schema=_any_given("ApplicationId", "GranteePrefixedUniversal"),
    ),
    _oauth("GrantCount", grants.grant_count, "Count grants", of.OneApplication, of.CountReply),
    _oauth("UserCount", grants.user_count, "Count users who have grants", of.OneApplication, of.CountReply),
    _oauth("TotalCount", grants.total_count, "Count everything", of.Nothing, of.TotalsReply),
    _oauth("GetScopes", grants.get_scopes, "List the scopes that are known", of.Nothing, of.ScopesReply),
)

ROLE_ROUTES = (
    _oauth("GrantRole", roles.grant_role, "Give a role", of.RoleAssignment, schema=ROLE_SCHEMA),
    _oauth("RevokeRole", roles.revoke_role, "Take a role away", of.RoleAssignment, schema=ROLE_SCHEMA),
    _oauth("ListRoles", roles.list_roles, "List who has which role", of.RoleQuery, of.RolesReply),
    _oauth("GetRole", roles.get_role, "Get the role of the caller", of.Nothing, of.RoleReply),
)

CONFIGURATION_ROUTES = (
    _oauth(
        "GetConfiguration",
        configuration.get_configuration,
        "Get the configuration",
        of.Nothing,
        of.ConfigurationReply,
        etag=True,
    ),
    _oauth(
        "SetConfiguration",
        configuration.set_configuration,
        "Replace the configuration",
        of.ConfigurationUpdate,
        etag=True,
        conditional=True,
    ),
)

JWT_MAPPING_ROUTES = (
    _oauth(
        "CreateJwtMapping",
        jwt_mappings.create_jwt_mapping,
        "Create a JWT mapping",
        of.JwtMappingBody,
        of.JwtMappingReply,
        etag=True,
    ),
    _oauth(
        "GetJwtMapping",
        jwt_mappings.get_jwt_mapping,
        "Get a JWT mapping",
        of.OneJwtMapping,
        of.JwtMappingReply,
        etag=True,
    ),
    _oauth(
        "GetJwtMappings",
        jwt_mappings.get_jwt_mappings,
        "Get several JWT mappings",
        of.SomeJwtMappings,
        of.JwtMappingsReply,
    ),
    _oauth(
        "EnumerateJwtMappings",
        jwt_mappings.enumerate_jwt_mappings,
        "List JWT mappings",
        of.JwtMappingPage,
        of.JwtMappingsReply,
    ),
    _oauth(
        "UpdateJwtMapping",
        jwt_mappings.update_jwt_mapping,
        "Update a JWT mapping",
        of.JwtMappingUpdate,
        etag=True,
        conditional=True,
    ),
    _oauth(
        "DeleteJwtMapping",
        jwt_mappings.delete_jwt_mapping,
        "Delete a JWT mapping",
        of.OneJwtMapping,
        conditional=True,
    ),
)

ROUTES = (
    *PRODUCT_ROUTES,
    *APPLICATION_ROUTES,
    *RULE_ROUTES,
    *GRANT_ROUTES,
    *ROLE_ROUTES,
    *CONFIGURATION_ROUTES,
    *JWT_MAPPING_ROUTES,
)
