# SPDX-License-Identifier: Apache-2.0
"""What may be done with links: who uses which profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from service.access.authorization import Target, authorize, reaches
from service.access.permissions import Permission
from service.audit import rules as audit
from service.directory.scopes import scope_of
from service.errors import AlreadyExists, InvalidField, NotFound, Reason, Violation
from service.etags import require_etag
from service.listing.listing import PageContext
from service.profiles import link_queries, queries
from service.profiles.tables import LinkKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.listing.listing import Page, PageQuery
    from service.profiles.link_queries import StoredLink
    from service.profiles.queries import StoredProfile
    from service.work import Work


@dataclass(frozen=True, slots=True)
class LinkDraft:
    """What a caller wants a link to be. Empty members are unset."""

    kind: int = 0
    profile_id: int = 0
    external_id: str = ""
    name: str = ""
    description: str = ""
    provider: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


MEMBERS: Final = frozenset({"profile_id", "external_id", "name", "description", "provider", "attributes"})
"""Names of everything that can be changed: all but the kind."""

_REACHED_BY: Final = frozenset({Permission.PROFILES_ALL})


def get(work: Work, link_id: int, needed: Permission = Permission.LINKS_VIEW) -> StoredLink:
    """Returns a link that the caller may do something with.

    Raises:
        PermissionDenied: the permission is missing.
        NotFound: there is no such link for the caller.
    """
    link = link_queries.find(work.tx, link_id)
    missing = NotFound(Reason.PROFILE_LINK_NOT_FOUND, f"there is no link {link_id}", metadata={"id": str(link_id)})
    authorize(work.caller, needed, _target_of(link) if link else None, missing)
    if link is None:
        raise missing
    return link


def page(work: Work, organization_id: str, query: PageQuery) -> Page[StoredLink]:
    """Returns a page of the links that the caller reaches; see `service.profiles.rules.page`."""
    scope = scope_of(work, organization_id, Permission.LINKS_VIEW, Permission.PROFILES_ALL)
    context = PageContext(organization_id, str(work.caller.user_id))
    return link_queries.LINKS.page(work.tx, work.keyring, query, scope=scope, context=context)


def create(work: Work, draft: LinkDraft) -> StoredLink:
    """Records a link of the caller's organization.

    Raises:
        PermissionDenied: LINKS_MANAGE is missing.
        InvalidField: the kind is missing, or a customer is assigned no profile.
        NotFound: there is no such profile for the caller.
        AlreadyExists: there is one of this kind, profile and external id.
    """
    caller = work.caller
    authorize(caller, Permission.LINKS_MANAGE, Target(caller.organization), None)
    if not draft.kind:
        raise InvalidField(Violation("link.kind", "is required"))
    _check_draft(work, draft, link_id=0)
    link_id = link_queries.add(
        work.tx,
        {
            "organization": caller.organization,
            "creator_id": caller.user_id,
            "kind": draft.kind,
            **_values(draft),
            "created": work.now,
            "updated": work.now,
            "revision": 1,
        },
    )
    changes = audit.stated(_shown(draft))
    audit.record(work, "profile_link.create", f"links/{link_id}", caller.organization, changes)
    return get(work, link_id, Permission.LINKS_MANAGE)


def update(work: Work, link_id: int, draft: LinkDraft, members: frozenset[str], etag: str) -> StoredLink:
    """Changes the named members of a link to what the draft has.

    Raises:
        PermissionDenied: LINKS_MANAGE is missing.
        NotFound: there is no such link, or profile, for the caller.
        EtagMismatch: it has changed.
        AlreadyExists: there is another one of this kind, profile and external id.
    """
    before = get(work, link_id, Permission.LINKS_MANAGE)
    require_etag(etag, before.revision)
    old = LinkDraft(
        kind=before.kind,
        profile_id=before.profile_id,
        external_id=before.external_id,
        name=before.name,
        description=before.description,
        provider=before.provider,
        attributes=msgspec.json.decode(before.attributes, type=dict[str, str]),
    )
    after = LinkDraft(
        kind=before.kind,
        **{name: getattr(draft if name in members else old, name) for name in MEMBERS},
    )
    _check_draft(work, after, link_id=link_id)
    link_queries.change(work.tx, link_id, {**_values(after), "updated": work.now, "revision": before.revision + 1})
    audit.record(
        work,
        "profile_link.update",
        f"links/{link_id}",
        before.organization,
        audit.differences(_shown(old), _shown(after)),
    )
    return get(work, link_id, Permission.LINKS_MANAGE)


def delete(work: Work, link_id: int, etag: str) -> None:
    """Removes a link.

    Raises:
        PermissionDenied: LINKS_MANAGE is missing.
        NotFound: there is no such link for the caller.
        EtagMismatch: it has changed.
    """
    link = get(work, link_id, Permission.LINKS_MANAGE)
    require_etag(etag, link.revision)
    link_queries.remove(work.tx, link_id)
    audit.record(work, "profile_link.delete", f"links/{link_id}", link.organization)


def release(work: Work, profile_id: int) -> int:
    """Unbinds what uses a profile and unassigns its customers, and returns how many links there were."""
    return link_queries.unbind(work.tx, profile_id, work.now) + link_queries.unassign(work.tx, profile_id)


def forget_creator(work: Work, user_id: int) -> None:
    """Takes a user who is deleted out of the links that they created."""
    link_queries.forget_creator(work.tx, user_id)


def reach_of_profile(profile: StoredProfile) -> Target:
    """Returns whom a profile exists for: its owner, its creator, and who reaches all of the organization."""
    return Target(profile.organization, (profile.owner_id, profile.creator_id), _REACHED_BY)


def _target_of(link: StoredLink) -> Target:
    return Target(
        link.organization,
        (link.creator_id, link.profile_owner_id, link.profile_creator_id),
        _REACHED_BY,
    )


def _check_draft(work: Work, draft: LinkDraft, *, link_id: int) -> None:
    if draft.profile_id:
        profile = queries.find(work.tx, draft.profile_id)
        if profile is None or not reaches(work.caller, reach_of_profile(profile)):
            raise NotFound(
                Reason.PROFILE_NOT_FOUND,
                f"there is no profile {draft.profile_id}",
                metadata={"id": str(draft.profile_id)},
                violations=(Violation("link.profile_id", "there is no such profile"),),
            )
    elif draft.kind == LinkKind.CUSTOMER:
        raise InvalidField(Violation("link.profile_id", "is required for a customer"))
    if draft.profile_id and draft.external_id:
        twin = link_queries.find_twin(work.tx, draft.kind, draft.profile_id, draft.external_id)
        if twin not in (None, link_id):
            raise AlreadyExists(
                Reason.ALREADY_EXISTS,
                f"link {twin} is the same",
                metadata={"id": str(twin)},
                violations=(Violation("link.external_id", f"is that of link {twin}, of the same kind and profile"),),
            )


def _values(draft: LinkDraft) -> dict[str, object]:
    return {
        "profile_id": draft.profile_id or None,
        "external_id": draft.external_id,
        "name": draft.name,
        "description": draft.description,
        "provider": draft.provider,
        "attributes": msgspec.json.encode(draft.attributes, order="deterministic").decode(),
    }


def _shown(draft: LinkDraft) -> dict[str, object]:
    return {"kind": draft.kind, **_values(draft)}
