# SPDX-License-Identifier: Apache-2.0
"""The messages of GrantService: drafts of what callers send, and what they are sent of what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from almoner.v1 import application_pb2, grant_pb2, grant_service_pb2
from service.etags import etag_of
from service.grants import access_rules, jwt_mappings
from service.grants.access_rules import Pair
from service.grants.policies import Policy, PolicyOf
from service.grants.tables import CertificateField
from service.rpc.times import from_duration, to_duration, to_timestamp

if TYPE_CHECKING:
    from service.grants.access_rule_queries import StoredAccessRule
    from service.grants.grant_queries import StoredGrant
    from service.grants.jwt_mapping_queries import StoredJwtMapping


def rule_key(
    request: grant_service_pb2.GetAccessRuleRequest | grant_service_pb2.DeleteAccessRuleRequest,
) -> int | Pair:
    """Returns which access rule a request names: its id, or what it joins."""
    if request.WhichOneof("key") == "pair":
        return Pair(request.pair.application_id, request.pair.user_id)
    return request.id


def rule_draft(rule: grant_pb2.AccessRule) -> access_rules.Draft:
    """Returns what a caller wants an access rule to be."""
    return access_rules.Draft(
        allowed_scopes=tuple(rule.allowed_scopes),
        description=rule.description,
        access_token_lifetime=from_duration(rule.access_token_lifetime),
        grant_lifetime=from_duration(rule.grant_lifetime),
        renewable=rule.renewable if rule.HasField("renewable") else None,
    )


def rule_message(rule: StoredAccessRule) -> grant_pb2.AccessRule:
    """Returns an access rule as callers see it."""
    return grant_pb2.AccessRule(
        id=rule.id,
        application_id=rule.application_id,
        user_id=rule.user_id,
        allowed_scopes=access_rules.allowed_scopes_of(rule),
        description=rule.description,
        access_token_lifetime=to_duration(rule.access_token_lifetime),
        grant_lifetime=to_duration(rule.grant_lifetime),
        renewable=rule.renewable,
        application_number=rule.application_number,
        username=rule.username,
        create_time=to_timestamp(rule.created),
        update_time=to_timestamp(rule.updated),
        etag=etag_of(rule.revision),
    )


def grant_message(grant: StoredGrant) -> grant_pb2.Grant:
    """Returns a grant as callers see it: never its tokens."""
    return grant_pb2.Grant(
        id=grant.id,
        application_id=grant.application_id,
        application_number=grant.application_number,
        user_id=grant.user_id,
        username=grant.username,
        scopes=grant.scopes.split(),
        grant_type=application_pb2.GrantType.ValueType(grant.grant_type),
        issue_time=to_timestamp(grant.issued),
        access_token_issue_time=to_timestamp(grant.access_token_issued),
        access_token_expire_time=to_timestamp(grant.access_token_expires),
        expire_time=to_timestamp(grant.expires),
        renewable=grant.renewable,
    )


def mapping_draft(mapping: grant_pb2.JwtMapping) -> jwt_mappings.Draft:
    """Returns what a caller wants a JWT mapping to be."""
    return jwt_mappings.Draft(
        issuer_uri=mapping.issuer_uri,
        purpose_field=mapping.purpose_field,
        purpose_match=mapping.purpose_match,
        id_field=mapping.id_field,
        id_match=mapping.id_match,
        user_id=mapping.user_id,
    )


def mapping_message(mapping: StoredJwtMapping) -> grant_pb2.JwtMapping:
    """Returns a JWT mapping as callers see it."""
    return grant_pb2.JwtMapping(
        id=mapping.id,
        organization_id=mapping.organization_id,
        name=mapping.name,
        issuer_uri=mapping.issuer_uri,
        purpose_field=mapping.purpose_field,
        purpose_match=mapping.purpose_match,
        id_field=mapping.id_field,
        id_match=mapping.id_match,
        user_id=mapping.user_id,
        username=mapping.username,
        create_time=to_timestamp(mapping.created),
        update_time=to_timestamp(mapping.updated),
        etag=etag_of(mapping.revision),
    )


def policy_draft(policy: grant_pb2.TokenPolicy) -> Policy:
    """Returns what a caller wants a token policy to be. Lifetimes that are not set are 0."""
    return Policy(
        access_token_lifetime=from_duration(policy.access_token_lifetime),
        grant_lifetime=from_duration(policy.grant_lifetime),
        renewable=policy.renewable,
        refused_grant_types=tuple(policy.refused_grant_types),
        certificate_field=CertificateField(policy.certificate_field or CertificateField.COMMON_NAME),
        certificate_issuers=tuple(policy.certificate_issuers),
        annotations=dict(policy.annotations),
    )


def policy_message(found: PolicyOf) -> grant_pb2.TokenPolicy:
    """Returns a token policy as callers see it."""
    organization_id, policy = found
    return grant_pb2.TokenPolicy(
        organization_id=organization_id,
        access_token_lifetime=to_duration(policy.access_token_lifetime),
        grant_lifetime=to_duration(policy.grant_lifetime),
        renewable=policy.renewable,
        refused_grant_types=[application_pb2.GrantType.ValueType(number) for number in policy.refused_grant_types],
        certificate_field=grant_pb2.CertificateField.ValueType(policy.certificate_field),
        certificate_issuers=policy.certificate_issuers,
        annotations=policy.annotations,
        update_time=to_timestamp(policy.updated),
        etag=etag_of(policy.revision),
    )
