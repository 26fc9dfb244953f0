# SPDX-License-Identifier: Apache-2.0
"""What an organization lays down for its client applications. What was never changed is the first policy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from service.access.permissions import Permission
from service.audit import rules as audit
from service.directory.organizations import load as load_organization
from service.directory.organizations import place_of_new
from service.directory.scopes import number_of
from service.etags import require_etag
from service.grants import policy_queries
from service.grants.tables import CertificateField

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.storage.store import Tx
    from service.work import Work

_DAY: Final = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """A token policy: as it is, as it is at first, or as a caller wants it to be.

    Attributes:
        access_token_lifetime: Microseconds.
        grant_lifetime: Microseconds.
        renewable: Whether grants carry a refresh token where the application does not say.
        refused_grant_types: Numbers of almoner.v1.GrantType.
        certificate_field: Where in a client certificate the user name stands.
        certificate_issuers: Distinguished names of the issuers that are taken; none: all that TLS verified.
        annotations: What clients want kept.
        updated: Epoch microseconds; 0: never.
        revision: 0 until the first change.
    """

    access_token_lifetime: int = 90 * _DAY
    grant_lifetime: int = 365 * _DAY
    renewable: bool = True
    refused_grant_types: tuple[int, ...] = ()
    certificate_field: CertificateField = CertificateField.COMMON_NAME
    certificate_issuers: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    updated: int = 0
    revision: int = 0


class PolicyOf(NamedTuple):
    """A token policy, and the id of the organization that it is of."""

    organization_id: str
    policy: Policy


FIRST: Final = Policy()
"""The policy of an organization that has never changed it."""

MEMBERS: Final = frozenset(Policy.__dataclass_fields__) - {"updated", "revision"}
"""Names of everything that can be changed."""

_decode_numbers = msgspec.json.Decoder(tuple[int, ...]).decode
_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_annotations = msgspec.json.Decoder(dict[str, str]).decode
_encode = msgspec.json.Encoder(order="deterministic").encode


def policy_of(tx: Tx, organization: int) -> Policy:
    """Returns the policy of an organization, whoever asks."""
    row = policy_queries.find(tx, organization)
    if row is None:
        return FIRST
    return Policy(
        access_token_lifetime=row.access_token_lifetime,
        grant_lifetime=row.grant_lifetime,
        renewable=row.renewable,
        refused_grant_types=_decode_numbers(row.refused_grant_types),
        certificate_field=CertificateField(row.certificate_field),
        certificate_issuers=_decode_texts(row.certificate_issuers),
        annotations=_decode_annotations(row.annotations),
        updated=row.updated,
        revision=row.revision,
    )


def get(work: Work, organization_id: str) -> PolicyOf:
    """Returns the policy of an organization. That of one's own is no secret.

    Args:
        work: The unit of work.
        organization_id: Whose; empty: the caller's own.

    Raises:
        PermissionDenied: TOKEN_POLICY_MANAGE is missing for another organization.
        NotFound: there is no such organization for the caller.
    """
    own = work.caller.organization
    if not organization_id or number_of(work, organization_id) == own:
        return _stored(work, own)
    return _stored(work, place_of_new(work, organization_id, Permission.TOKEN_POLICY_MANAGE))


def update(work: Work, organization_id: str, wanted: Policy, members: frozenset[str], etag: str) -> PolicyOf:
    """Changes the named members of a policy to what is wanted. A lifetime of 0 is that of the first policy.

    Raises:
        PermissionDenied: TOKEN_POLICY_MANAGE is missing.
        NotFound: there is no such organization for the caller.
        EtagMismatch: it has changed.
    """
    organization = place_of_new(work, organization_id, Permission.TOKEN_POLICY_MANAGE)
    before = policy_of(work.tx, organization)
    require_etag(etag, before.revision)
    changed = replace(before, **{name: getattr(wanted, name) for name in members})
    after = replace(
        changed,
        access_token_lifetime=changed.access_token_lifetime or FIRST.access_token_lifetime,
        grant_lifetime=changed.grant_lifetime or FIRST.grant_lifetime,
        refused_grant_types=tuple(sorted(set(changed.refused_grant_types))),
    )
    write = policy_queries.change if before.revision else policy_queries.add
    write(work.tx, organization, {**_values(after), "updated": work.now, "revision": before.revision + 1})
    changes = audit.differences(_values(before), _values(after))
    audit.record(work, "token_policy.update", f"organizations/{organization}", organization, changes)
    return _stored(work, organization)


def _stored(work: Work, organization: int) -> PolicyOf:
    return PolicyOf(load_organization(work, organization).stored.id, policy_of(work.tx, organization))


def _values(policy: Policy) -> dict[str, object]:
    return {
        "access_token_lifetime": policy.access_token_lifetime,
        "grant_lifetime": policy.grant_lifetime,
        "renewable": policy.renewable,
        "refused_grant_types": _encode(policy.refused_grant_types).decode(),
        "certificate_field": policy.certificate_field.value,
        "certificate_issuers": _encode(policy.certificate_issuers).decode(),
        "annotations": _encode(policy.annotations).decode(),
    }
