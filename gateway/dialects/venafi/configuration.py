# SPDX-License-Identifier: Apache-2.0
"""Venafi's OAuth configuration (contract section 5): the token policy of the caller's organization.

What the policy has is enforced. The rest is kept with it, as annotations, and means nothing here.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import aio
from msgspec.structs import fields

from almoner.v1.application_pb2 import GrantType
from almoner.v1.grant_pb2 import CertificateField, TokenPolicy
from almoner.v1.grant_service_pb2 import GetTokenPolicyRequest, UpdateTokenPolicyRequest
from gateway.call import Call, Reply
from gateway.dialects.venafi.bodies import (
    CertificateConfiguration,
    Configuration,
    ConfigurationReply,
    ConfigurationUpdate,
    Done,
    Nothing,
    SourceField,
)
from gateway.failures import from_rpc

if TYPE_CHECKING:
    from collections.abc import Mapping

SWITCHES: Final[Mapping[str, GrantType.ValueType]] = MappingProxyType(
    {
        "authorize_by_certificate": GrantType.GRANT_TYPE_CERTIFICATE,
        "authorize_by_jwt": GrantType.GRANT_TYPE_JWT_BEARER,
        "authorize_by_password": GrantType.GRANT_TYPE_PASSWORD,
        "authorize_device": GrantType.GRANT_TYPE_DEVICE_CODE,
        "refresh_endpoint_enabled": GrantType.GRANT_TYPE_REFRESH_TOKEN,
    }
)
"""Members that say whether a way to a token is open. The policy names those that are not."""

SOURCES: Final[Mapping[SourceField, CertificateField.ValueType]] = MappingProxyType(
    {
        "CN": CertificateField.CERTIFICATE_FIELD_COMMON_NAME,
        "SAN:UPN": CertificateField.CERTIFICATE_FIELD_UPN,
        "SAN:EMAIL": CertificateField.CERTIFICATE_FIELD_EMAIL,
    }
)
"""Where in a certificate the user's name stands."""

ENFORCED: Final = frozenset(
    {
        *SWITCHES,
        "certificate_configuration",
        "default_access_token_validity",
        "default_grant_refreshable",
        "default_grant_validity",
    }
)
KEPT: Final = MappingProxyType(
    {f"venafi/{one.encode_name}": one for one in fields(Configuration) if one.name not in ENFORCED}
)
"""Annotations that hold a member as JSON."""

KEPT_EXTENSION: Final = "venafi/CertificateConfiguration.AttemptSIDExtensionBeforeSourceField"
REPLACED: Final = (
    "access_token_lifetime",
    "grant_lifetime",
    "renewable",
    "refused_grant_types",
    "certificate_field",
    "certificate_issuers",
    "annotations",
)
MEMBERS: Final = {
    "token_policy.access_token_lifetime": "Configuration.DefaultAccessTokenValidity",
    "token_policy.grant_lifetime": "Configuration.DefaultGrantValidity",
    "token_policy.certificate_issuers": "Configuration.CertificateConfiguration.AuthorizedIssuerDns",
    "token_policy.annotations": "Configuration",
}

_RETRIES = 3


async def get_configuration(call: Call[None, None, Nothing]) -> Reply:
    """Reads the configuration."""
    policy = await _policy(call)
    return Reply(ConfigurationReply(_configuration(policy)), etag=policy.etag)


async def set_configuration(call: Call[None, None, ConfigurationUpdate]) -> Reply:
    """Replaces the configuration. What of the policy Venafi does not know stays."""
    for _ in range(_RETRIES):
        try:
            return await _replace(call)
        except aio.AioRpcError as error:
            if call.if_match or from_rpc(error, {}).reason != "ETAG_MISMATCH":
                raise
    return await _replace(call)


async def _replace(call: Call[None, None, ConfigurationUpdate]) -> Reply:
    before = await _policy(call)
    message = UpdateTokenPolicyRequest(
        token_policy=_changed(before, call.body.configuration),
        update_mask=FieldMask(paths=REPLACED),
        # Without a condition of the client's own, what was read must still be there: it is a part of what is written.
        etag=call.if_match or before.etag,
    )
    changed = (await call.send(call.services.grants.UpdateTokenPolicy, message)).token_policy
    return Reply(Done(), etag=changed.etag)


async def _policy(call: Call[None, None, Any]) -> TokenPolicy:
    return (await call.send(call.services.grants.GetTokenPolicy, GetTokenPolicyRequest())).token_policy


def _configuration(policy: TokenPolicy) -> Configuration:
    switches: dict[str, Any] = {name: way not in policy.refused_grant_types for name, way in SWITCHES.items()}
    kept = {one.name: _kept(policy.annotations, key, one) for key, one in KEPT.items()}
    return Configuration(
        certificate_configuration=CertificateConfiguration(
            attempt_sid_extension_before_source_field=policy.annotations.get(KEPT_EXTENSION) == "true",
            authorized_issuer_dns=list(policy.certificate_issuers),
            source_field=next((name for name, here in SOURCES.items() if here == policy.certificate_field), "CN"),
        ),
        default_access_token_validity=policy.access_token_lifetime.seconds,
        default_grant_refreshable=policy.renewable,
        default_grant_validity=policy.grant_lifetime.seconds,
        **switches,
        **kept,
    )


def _changed(before: TokenPolicy, wanted: Configuration) -> TokenPolicy:
    certificates = wanted.certificate_configuration
    others = {way for way in before.refused_grant_types if way not in SWITCHES.values()}
    refused = {way for name, way in SWITCHES.items() if not getattr(wanted, name)}
    kept = {key: msgspec.json.encode(getattr(wanted, one.name)).decode() for key, one in KEPT.items()}
    kept[KEPT_EXTENSION] = str(certificates.attempt_sid_extension_before_source_field).lower()
    return TokenPolicy(
        access_token_lifetime=Duration(seconds=wanted.default_access_token_validity),
        grant_lifetime=Duration(seconds=wanted.default_grant_validity),
        renewable=wanted.default_grant_refreshable,
        refused_grant_types=sorted(refused | others),
        certificate_field=SOURCES[certificates.source_field],
        certificate_issuers=certificates.authorized_issuer_dns,
        annotations={**before.annotations, **kept},
    )


def _kept(annotations: Mapping[str, str], key: str, member: msgspec.structs.FieldInfo) -> Any:
    default = member.default_factory() if member.default is msgspec.NODEFAULT else member.default
    if key not in annotations:
        return default
    try:
        return msgspec.json.decode(annotations[key], type=member.type)
    except msgspec.MsgspecError:
        # Anybody may annotate, and what is not of the member's type was not written here.
        return default
