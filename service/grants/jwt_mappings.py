# SPDX-License-Identifier: Apache-2.0
"""What may be done with JWT mappings: whose tokens the JWTs of an issuer may be exchanged for.

A mapping is a way to log in as somebody. Nobody makes one for a user who holds more than they do themselves, and one
that a claim names the user of is a way to log in as anybody of the organization.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from service.access.authorization import Target, authorize, reaches
from service.access.caller import SYSTEM, organization_place
from service.access.permissions import Permission
from service.audit import rules as audit
from service.directory.escalation import require_all_of, require_held
from service.directory.organizations import place_of_new
from service.directory.scopes import number_of, scope_of
from service.directory.targets import user_target
from service.directory.users import not_found as user_not_found
from service.errors import AlreadyExists, InvalidField, NotFound, Reason, Violation
from service.etags import require_etag
from service.grants import jwt_mapping_queries as queries
from service.grants import party_queries
from service.listing.listing import PageContext

if TYPE_CHECKING:
    from service.grants.jwt_mapping_queries import StoredJwtMapping
    from service.listing.listing import Page, PageQuery
    from service.work import Work

_REACH: Final = frozenset({Permission.JWT_MAPPINGS_VIEW, Permission.JWT_MAPPINGS_MANAGE})


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants a mapping to be. `user_id` is 0 where the value of `id_field` names the user."""

    issuer_uri: str = ""
    purpose_field: str = ""
    purpose_match: str = ""
    id_field: str = ""
    id_match: str = ""
    user_id: int = 0


MEMBERS: Final = frozenset(Draft.__dataclass_fields__)
"""Names of everything that can be changed: all but the name."""


class Which(NamedTuple):
    """Which mapping a caller means.

    Attributes:
        organization_id: Where it belongs; empty: the caller's own organization.
        name: Its name there.
    """

    organization_id: str
    name: str


_REQUIRED: Final = ("issuer_uri", "purpose_field", "purpose_match", "id_field", "id_match")


def get(work: Work, which: Which, needed: Permission = Permission.JWT_MAPPINGS_VIEW) -> StoredJwtMapping:
    """Returns a mapping that the caller may do something with.

    Raises:
        PermissionDenied: the permission is missing.
        NotFound: there is no such mapping for the caller.
    """
    organization_id, name = which
    organization = number_of(work, organization_id) if organization_id else work.caller.organization
    mapping = queries.find(work.tx, organization, name)
    missing = NotFound(Reason.JWT_MAPPING_NOT_FOUND, f"there is no JWT mapping {name}", metadata={"id": name})
    target = Target(mapping.organization, reached_by=_REACH) if mapping else None
    authorize(work.caller, needed, target, missing)
    if mapping is None:
        raise missing
    return mapping


def page(work: Work, organization_id: str, query: PageQuery) -> Page[StoredJwtMapping]:
    """Returns a page of the mappings of organizations where the caller holds JWT_MAPPINGS_VIEW.

    Raises:
        PermissionDenied: JWT_MAPPINGS_VIEW is missing.
        NotFound: there is no such organization for the caller.
        Invalid: the query is not one of this list.
    """
    scope = scope_of(work, organization_id, Permission.JWT_MAPPINGS_VIEW, Permission.JWT_MAPPINGS_VIEW)
    context = PageContext(organization_id, str(work.caller.user_id))
    return queries.JWT_MAPPINGS.page(work.tx, work.keyring, query, scope=scope, context=context)


def create(work: Work, which: Which, draft: Draft) -> StoredJwtMapping:
    """Makes a mapping.

    Raises:
        PermissionDenied: JWT_MAPPINGS_MANAGE is missing, or users whom it authenticates hold what the caller does not.
        NotFound: there is no such organization or user for the caller.
        InvalidField: a required member is missing.
        AlreadyExists: the name is taken.
    """
    organization_id, name = which
    organization = place_of_new(work, organization_id, Permission.JWT_MAPPINGS_MANAGE)
    _check_members(draft, *(() if name else ("jwt_mapping.name",)))
    _check_user(work, draft.user_id, organization)
    if queries.find(work.tx, organization, name) is not None:
        raise AlreadyExists(
            Reason.ALREADY_EXISTS,
            f"the name {name} is taken",
            metadata={"id": name},
            violations=(Violation("jwt_mapping.name", "is taken"),),
        )
    times = {"created": work.now, "updated": work.now, "revision": 1}
    mapping_id = queries.add(work.tx, {"organization": organization, "name": name, **_values(draft), **times})
    changes = audit.differences({}, {"name": name, **_values(draft)})
    audit.record(work, "jwt_mapping.create", f"jwt_mappings/{mapping_id}", organization, changes)
    return _stored(work, organization, name)


def update(work: Work, which: Which, draft: Draft, members: frozenset[str], etag: str) -> StoredJwtMapping:
    """Changes the named members of a mapping to what the draft has.

    Raises:
        PermissionDenied: JWT_MAPPINGS_MANAGE is missing, or users whom it would authenticate hold what the caller does
            not.
        NotFound: there is no such mapping, or user, for the caller.
        EtagMismatch: it has changed.
        InvalidField: a required member would be missing.
    """
    before = get(work, which, Permission.JWT_MAPPINGS_MANAGE)
    require_etag(etag, before.revision)
    old = Draft(**{member: getattr(before, member) for member in MEMBERS})
    after = replace(old, **{member: getattr(draft, member) for member in members})
    _check_members(after)
    _check_user(work, after.user_id, before.organization)
    queries.change(work.tx, before.id, {**_values(after), "updated": work.now, "revision": before.revision + 1})
    changes = audit.differences(_values(old), _values(after))
    audit.record(work, "jwt_mapping.update", f"jwt_mappings/{before.id}", before.organization, changes)
    return _stored(work, before.organization, before.name)


def delete(work: Work, which: Which, etag: str) -> None:
    """Deletes a mapping. Grants that were made through it stay.

    Raises:
        PermissionDenied: JWT_MAPPINGS_MANAGE is missing.
        NotFound: there is no such mapping for the caller.
        EtagMismatch: it has changed.
    """
    mapping = get(work, which, Permission.JWT_MAPPINGS_MANAGE)
    require_etag(etag, mapping.revision)
    queries.remove(work.tx, mapping.id)
    changes = {"name": [mapping.name, None], "issuer_uri": [mapping.issuer_uri, None]}
    audit.record(work, "jwt_mapping.delete", f"jwt_mappings/{mapping.id}", mapping.organization, changes)


def _check_members(draft: Draft, *missing: str) -> None:
    paths = (*missing, *(f"jwt_mapping.{member}" for member in _REQUIRED if not getattr(draft, member)))
    if paths:
        raise InvalidField(*(Violation(path, "is required") for path in paths))


def _check_user(work: Work, user_id: int, organization: int) -> None:
    """Lets the caller make a way to log in as a user, or with no user as anybody of the organization."""
    if not user_id:
        require_held(work, frozenset({Permission.ADMINISTRATOR}), organization_place(organization))
        return
    person = party_queries.find_person(work.tx, user_id)
    known = person is not None and (
        person.organization == organization
        or (organization == SYSTEM and reaches(work.caller, user_target(person.id, person.organization)))
    )
    if not known:
        raise user_not_found(user_id, (Violation("jwt_mapping.user_id", "there is no such user"),))
    require_all_of(work, user_id)


def _values(draft: Draft) -> dict[str, object]:
    return {member: getattr(draft, member) for member in _REQUIRED} | {"user_id": draft.user_id or None}


def _stored(work: Work, organization: int, name: str) -> StoredJwtMapping:
    mapping = queries.find(work.tx, organization, name)
    if mapping is None:
        raise LookupError(f"JWT mapping {name} is gone in the transaction that wrote it")
    return mapping
