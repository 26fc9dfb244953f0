# SPDX-License-Identifier: Apache-2.0
"""What may be done with profiles, by whom, and what becomes of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from service.access.authorization import Target, authorize
from service.access.caller import SYSTEM
from service.access.permissions import Permission
from service.applications.tables import ApplicationKind
from service.applications.targets import application_not_found
from service.audit import rules as audit
from service.changes import rules as outbox
from service.changes.rules import Change
from service.changes.tables import ChangeKind
from service.consent import revocations
from service.directory.scopes import scope_of
from service.errors import FailedPrecondition, NotFound, Reason, Violation
from service.etags import require_etag
from service.listing.listing import PageContext
from service.profiles import drafts, links, queries, secrets, tokens
from service.profiles.drafts import SECRETS

if TYPE_CHECKING:
    from collections.abc import Collection

    from service.listing.listing import Page, PageQuery
    from service.profiles.drafts import Draft
    from service.profiles.queries import Kept, StoredProfile
    from service.work import Work

AnyProfile = TypeVar("AnyProfile", bound="Kept")


class Tokens(NamedTuple):
    """The tokens of a profile in clear; empty where there is none."""

    access_token: str
    refresh_token: str

    def __repr__(self) -> str:
        return "Tokens(***)"


class Deleted(NamedTuple):
    """What a deletion has left to others.

    Attributes:
        links_released: How many links used the profile.
        revocation_id: What its provider is to revoke (`service.consent.revocations`); empty: nothing.
    """

    links_released: int
    revocation_id: str


class Which(NamedTuple):
    """Which profile a caller means.

    Attributes:
        id: Its id.
        providers: Providers one of which its application must be at; empty: any profile will do.
    """

    id: int
    providers: Collection[str] = ()


def get(work: Work, which: Which, needed: Permission = Permission.PROFILES_GET) -> StoredProfile:
    """Returns a profile that the caller may do something with.

    Raises:
        PermissionDenied: the permission is missing.
        NotFound: there is no such profile for the caller.
    """
    profile = queries.find(work.tx, which.id)
    target = links.reach_of_profile(profile) if profile else None
    authorize(work.caller, needed, target, partial(not_found, which.id))
    if profile is None:
        raise not_found(which.id)
    if which.providers and not (profile.application_number and profile.provider in which.providers):
        raise not_found(which.id)
    return profile


def page(work: Work, organization_id: str, query: PageQuery) -> Page[StoredProfile]:
    """Returns a page of the profiles that the caller reaches.

    Args:
        work: The unit of work.
        organization_id: See `scope_of`.
        query: The members of a List request.

    Raises:
        PermissionDenied: PROFILES_LIST is missing.
        NotFound: there is no such organization for the caller.
        Invalid: the query is not one of this list.
    """
    scope = scope_of(work, organization_id, Permission.PROFILES_LIST, Permission.PROFILES_ALL)
    context = PageContext(organization_id, str(work.caller.user_id))
    return queries.PROFILES.page(work.tx, work.keyring, query, scope=scope, context=context)


def reveal(work: Work, profile: StoredProfile) -> Tokens:
    """Returns the tokens of a profile, and records that the caller has seen them: belongs into a write.

    Raises:
        PermissionDenied: PROFILES_REVEAL is missing.
    """
    authorize(work.caller, Permission.PROFILES_REVEAL, links.reach_of_profile(profile), None)
    audit.record(work, "profile.reveal", f"profiles/{profile.id}", profile.organization)
    return Tokens(
        secrets.opened(work.keyring, profile, "access_token"),
        secrets.opened(work.keyring, profile, "refresh_token"),
    )


def create(work: Work, draft: Draft) -> StoredProfile:
    """Stores a profile that the caller owns; its creator is the one who really calls.

    Raises:
        PermissionDenied: PROFILES_CREATE is missing.
        InvalidField: a required member is missing, or one too many.
        NotFound: there is no such application for the caller's organization.
        FailedPrecondition: the application is not a provider registration.
    """
    caller = work.caller
    authorize(caller, Permission.PROFILES_CREATE, Target(caller.organization), None)
    drafts.check(draft, has_client_secret=bool(draft.client_secret))
    tokens.check_expiry(draft.access_token_expires, has_access_token=bool(draft.access_token))
    _check_source(work, draft.application_number, caller.organization)
    profile_id = queries.add(
        work.tx,
        {
            "organization": caller.organization,
            "owner_id": caller.user_id,
            "creator_id": (caller.actor or caller).user_id,
            **drafts.plain(draft),
            **tokens.NO_TOKENS,
            "created": work.now,
            "updated": work.now,
            "revision": 1,
        },
    )
    # Sealed values are bound to their row, whose id is known only now.
    sealed = {name: secrets.sealed(work.keyring, profile_id, name, getattr(draft, name)) for name in SECRETS}
    if any(sealed.values()):
        queries.change(work.tx, profile_id, {**sealed, **tokens.of_new(work, profile_id, draft)})
    changes = audit.stated({**drafts.plain(draft), "keep_fresh": draft.keep_fresh or None})
    changes |= {name: "set" for name, value in sealed.items() if value}
    audit.record(work, "profile.create", f"profiles/{profile_id}", caller.organization, changes)
    return _told(work, _stored(work, profile_id), ChangeKind.CREATED)


def update(work: Work, which: Which, draft: Draft, members: frozenset[str], etag: str) -> StoredProfile:
    """Changes the named members of a profile to what the draft has.

    An application takes the place of client credentials of the profile's own, and the other way round.

    Args:
        work: The unit of work.
        which: Which profile.
        draft: The new values.
        members: Which of `drafts.MEMBERS` to take from the draft.
        etag: What the profile must still be; see `require_etag`.

    Raises:
        PermissionDenied: PROFILES_UPDATE is missing.
        NotFound: there is no such profile, or application, for the caller.
        EtagMismatch: it has changed.
        InvalidField: a required member would be missing.
        FailedPrecondition: the application is not a provider registration.
    """
    before = get(work, which, Permission.PROFILES_UPDATE)
    require_etag(etag, before.revision)
    members = tokens.without_stale(work.keyring, before, draft, members)
    sealed: dict[str, bytes | None] = {name: getattr(before, name) for name in SECRETS}
    for name in members.intersection(SECRETS):
        sealed[name] = secrets.sealed(work.keyring, before.id, name, getattr(draft, name))
    after = drafts.merged(before, draft, members)
    if after.application_number:
        sealed["client_secret"] = None
    drafts.check(after, has_client_secret=sealed["client_secret"] is not None)
    if after.application_number != before.application_number:
        _check_source(work, after.application_number, before.organization)
    state = tokens.of_changed(work, before, draft, members, after)
    values = {**drafts.plain(after), **sealed, **state, "updated": work.now, "revision": before.revision + 1}
    queries.change(work.tx, before.id, values)
    shown = drafts.plain(drafts.merged(before, draft, frozenset()))
    audit.record(
        work,
        "profile.update",
        f"profiles/{before.id}",
        before.organization,
        audit.differences(shown, drafts.plain(after)) | secrets.words(before, sealed),
    )
    return _told(work, _stored(work, before.id), ChangeKind.UPDATED)


def delete(work: Work, which: Which, etag: str, *, force: bool) -> Deleted:
    """Deletes a profile.

    Raises:
        PermissionDenied: PROFILES_DELETE is missing.
        NotFound: there is no such profile for the caller.
        EtagMismatch: it has changed.
        FailedPrecondition: links use it and `force` is not given.
    """
    profile = get(work, which, Permission.PROFILES_DELETE)
    require_etag(etag, profile.revision)
    used = profile.data_sources + profile.connections + profile.customers
    if used and not force:
        raise FailedPrecondition(Reason.PROFILE_IN_USE, f"{used} links use the profile", metadata={"links": str(used)})
    return remove(work, profile)


def remove(work: Work, profile: Kept) -> Deleted:
    """Deletes a profile whatever uses it, as part of something that was authorized."""
    released = links.release(work, profile.id)
    revocation_id = revocations.begin(work, profile.id, profile.organization)
    queries.remove(work.tx, profile.id)
    changes = {"links_released": released}
    audit.record(work, "profile.delete", f"profiles/{profile.id}", profile.organization, changes)
    _told(work, profile, ChangeKind.DELETED)
    return Deleted(released, revocation_id)


def remove_of_application(work: Work, number: int) -> int:
    """Deletes the profiles that use an application, of whatever organization, and returns how many there were."""
    profiles = queries.of_application(work.tx, number)
    for profile in profiles:
        remove(work, profile)
    return len(profiles)


def remove_of_owner(work: Work, owner_id: int) -> int:
    """Deletes the profiles that a user owns, and returns how many there were."""
    profiles = queries.of_owner(work.tx, owner_id)
    for profile in profiles:
        remove(work, profile)
    return len(profiles)


def count_of_application(work: Work, number: int) -> int:
    """Returns how many profiles use an application."""
    return queries.count_of_application(work.tx, number)


def count_of_owner(work: Work, owner_id: int) -> int:
    """Returns how many profiles a user owns."""
    return len(queries.of_owner(work.tx, owner_id))


def forget_user(work: Work, user_id: int) -> None:
    """Takes a user who is deleted out of what they created for others."""
    queries.forget_creator(work.tx, user_id)
    links.forget_creator(work, user_id)


def not_found(profile_id: int) -> NotFound:
    """Returns the error that hides a profile, there or not."""
    return NotFound(Reason.PROFILE_NOT_FOUND, f"there is no profile {profile_id}", metadata={"id": str(profile_id)})


def _told(work: Work, profile: AnyProfile, kind: ChangeKind) -> AnyProfile:
    """Writes down for those who watch what has become of a profile, and returns it."""
    change = Change(
        profile_id=profile.id,
        organization=profile.organization,
        owner_id=profile.owner_id,
        creator_id=profile.creator_id,
        kind=kind,
        token_state=profile.token_state,
        revision=profile.revision,
    )
    outbox.record(work.tx, change, work.now)
    return profile


def _stored(work: Work, profile_id: int) -> StoredProfile:
    profile = queries.find(work.tx, profile_id)
    if profile is None:
        raise LookupError(f"profile {profile_id} is gone in the transaction that wrote it")
    return profile


def _check_source(work: Work, application_number: int, organization: int) -> None:
    """Lets a profile use the applications of its organization, and those of the first one, which serve all."""
    if not application_number:
        return
    source = queries.find_source(work.tx, application_number)
    if source is None or source.organization not in (organization, SYSTEM):
        raise application_not_found(
            application_number, Violation("profile.application_number", "there is no such application")
        )
    if source.kind != ApplicationKind.PROVIDER:
        raise FailedPrecondition(
            Reason.WRONG_KIND,
            f"application {application_number} is not a provider registration",
            metadata={"id": str(application_number)},
            violations=(Violation("profile.application_number", "is not a provider registration"),),
        )
