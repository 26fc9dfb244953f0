# SPDX-License-Identifier: Apache-2.0
"""What may be done with profiles, by whom, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

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
from service.crypto.keyring import Where
from service.directory.scopes import scope_of
from service.errors import FailedPrecondition, InvalidField, NotFound, Reason, Violation
from service.etags import require_etag
from service.listing.listing import PageContext
from service.profiles import links, queries, tokens
from service.profiles.tables import TokenState

if TYPE_CHECKING:
    from collections.abc import Collection

    from service.crypto.keyring import Keyring
    from service.listing.listing import Page, PageQuery
    from service.profiles.queries import Kept, StoredProfile
    from service.work import Work

AnyProfile = TypeVar("AnyProfile", bound="Kept")

SECRETS: Final = ("client_secret", "access_token", "refresh_token", "verification_token")
"""Sealed columns of the table `profiles`."""

PLAIN: Final = ("name", "description", "provider", "application_number", "client_id", "keep_fresh")
"""Members that are stored as they are, and shown in the audit trail."""

EXPIRES: Final = "access_token_expires"
"""The member that says when the access token ends."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants a profile to be. Empty members are unset; a time is epoch microseconds."""

    name: str = ""
    description: str = ""
    provider: str = ""
    application_number: int = 0
    client_id: str = ""
    keep_fresh: bool = False
    client_secret: str = ""
    access_token: str = ""
    refresh_token: str = ""
    verification_token: str = ""
    access_token_expires: int = 0

    def __repr__(self) -> str:
        return f"Draft(name={self.name!r})"


_NO_TOKENS: Final = {
    **tokens.set_by_hand(tokens.Present(access=False, refresh=False), -1),
    "token_expires": 0,
    "token_scope": "",
    "token_type": "",
    "token_refreshed": 0,
    "token_due": None,
}
"""The columns of a profile without tokens."""

MEMBERS: Final = frozenset((*PLAIN, *SECRETS, EXPIRES))
"""Names of everything that can be changed."""


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
    authorize(work.caller, needed, links.reach_of_profile(profile) if profile else None, not_found(which.id))
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
        _opened(work.keyring, profile, "access_token", profile.access_token),
        _opened(work.keyring, profile, "refresh_token", profile.refresh_token),
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
    _check_draft(draft, has_client_secret=bool(draft.client_secret))
    _check_expiry(draft.access_token_expires, has_access_token=bool(draft.access_token))
    _check_source(work, draft.application_number, caller.organization)
    profile_id = queries.add(
        work.tx,
        {
            "organization": caller.organization,
            "owner_id": caller.user_id,
            "creator_id": (caller.actor or caller).user_id,
            **_plain(draft),
            **_NO_TOKENS,
            "created": work.now,
            "updated": work.now,
            "revision": 1,
        },
    )
    # Sealed values are bound to their row, whose id is known only now.
    sealed = {name: _sealed(work.keyring, profile_id, name, getattr(draft, name)) for name in SECRETS}
    if any(sealed.values()):
        present = tokens.Present(bool(draft.access_token), bool(draft.refresh_token))
        values = {**sealed, **tokens.set_by_hand(present, 0), "token_expires": draft.access_token_expires}
        due = _due(work, profile_id, draft, present, draft.access_token_expires)
        queries.change(work.tx, profile_id, {**values, "token_due": due})
    changes = audit.stated({**_plain(draft), "keep_fresh": draft.keep_fresh or None})
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
        members: Which of MEMBERS to take from the draft.
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
    members = _without_stale_tokens(work.keyring, before, draft, members)
    sealed = {
        name: _sealed(work.keyring, before.id, name, getattr(draft, name)) if name in members else getattr(before, name)
        for name in SECRETS
    }
    after = _merged(before, draft, members)
    if after.application_number:
        sealed["client_secret"] = None
    _check_draft(after, has_client_secret=sealed["client_secret"] is not None)
    if after.application_number != before.application_number:
        _check_source(work, after.application_number, before.organization)
    state = _token_columns(work, before, draft, members, after)
    values = {**_plain(after), **sealed, **state, "updated": work.now, "revision": before.revision + 1}
    queries.change(work.tx, before.id, values)
    shown = _plain(_merged(before, draft, frozenset()))
    audit.record(
        work,
        "profile.update",
        f"profiles/{before.id}",
        before.organization,
        audit.differences(shown, _plain(after)) | _words(before, sealed),
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


def _merged(before: StoredProfile, draft: Draft, members: frozenset[str]) -> Draft:
    """Returns the plain members as they will be, with one source where the change names one."""
    own = not before.application_number
    kept = Draft(
        name=before.name,
        description=before.description,
        provider=before.provider if own else "",
        application_number=before.application_number,
        client_id=before.client_id if own else "",
        keep_fresh=before.keep_fresh,
    )
    merged = replace(kept, **{name: getattr(draft, name) for name in members.intersection(PLAIN)})
    if "application_number" in members and draft.application_number:
        return replace(merged, provider="", client_id="")
    if members & {"client_id", "client_secret"} and "application_number" not in members:
        return replace(merged, application_number=0)
    return merged


def _check_draft(draft: Draft, *, has_client_secret: bool) -> None:
    missing = []
    if not draft.name:
        missing.append("profile.name")
    if draft.application_number:
        if draft.client_id:
            raise InvalidField(Violation("profile.client", "is not allowed beside application_number"))
    elif not draft.client_id and not has_client_secret:
        missing.append("profile.application_number")
    else:
        if not draft.client_id:
            missing.append("profile.client.client_id")
        if not has_client_secret:
            missing.append("profile.client.client_secret")
        if not draft.provider:
            missing.append("profile.provider")
    if missing:
        raise InvalidField(*(Violation(path, "is required") for path in missing))


def _check_expiry(expires: int, *, has_access_token: bool) -> None:
    if expires and not has_access_token:
        raise InvalidField(Violation("profile.access_token_expire_time", "is of no use without an access token"))


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


def _without_stale_tokens(
    keyring: Keyring, before: StoredProfile, draft: Draft, members: frozenset[str]
) -> frozenset[str]:
    """Leaves the tokens out of a change that brings back the refresh token which the present one was got for."""
    if "refresh_token" in members and tokens.is_spent(keyring, before, draft.refresh_token):
        return members - {"refresh_token", "access_token", EXPIRES}
    return members


def _token_columns(
    work: Work, before: StoredProfile, draft: Draft, members: frozenset[str], after: Draft
) -> dict[str, object]:
    """Returns the columns about tokens that a change by hand writes.

    Args:
        work: The unit of work.
        before: The profile before it.
        draft: The new values.
        members: Which of them count.
        after: The plain members after it.
    """
    changed = _changed_secrets(work.keyring, before, draft, members)
    present = tokens.Present(
        bool(draft.access_token) if "access_token" in members else before.access_token is not None,
        bool(draft.refresh_token) if "refresh_token" in members else before.refresh_token is not None,
    )
    expires = 0 if "access_token" in changed else before.token_expires
    if EXPIRES in members and (draft.access_token_expires or "access_token" in changed):
        expires = draft.access_token_expires
        _check_expiry(expires, has_access_token=present.access)
    columns: dict[str, object] = {"token_expires": expires}
    if "access_token" in changed:
        columns |= {"token_scope": "", "token_type": "", "token_refreshed": 0}
    if "refresh_token" in changed:
        columns |= tokens.set_by_hand(present, before.fence)
    elif _deserves_another_try(before, after, changed) or ("access_token" in changed and not present.refresh):
        columns |= tokens.tried_anew(present)
    if "token_state" in columns or after.keep_fresh != before.keep_fresh or expires != before.token_expires:
        columns["token_due"] = _due(work, before.id, after, present, expires)
    return columns


def _changed_secrets(keyring: Keyring, before: StoredProfile, draft: Draft, members: frozenset[str]) -> frozenset[str]:
    """Returns the secrets that are set to something else than they are."""
    return frozenset(
        name
        for name in members.intersection(SECRETS)
        if getattr(draft, name) != _opened(keyring, before, name, getattr(before, name))
    )


def _deserves_another_try(before: StoredProfile, after: Draft, changed: frozenset[str]) -> bool:
    """Whether the provider may take the refresh token now, because another client presents it than before.

    A refresh that is under way goes on: what it brings is worth more than a token that it may have spent.
    """
    has_other_client = (
        after.application_number != before.application_number
        or "client_secret" in changed
        or (not after.application_number and after.client_id != before.client_id)
    )
    return has_other_client and before.token_state in (TokenState.FAILING, TokenState.NEEDS_CONSENT)


def _due(work: Work, profile_id: int, draft: Draft, present: tokens.Present, expires: int) -> int | None:
    if not (draft.keep_fresh and present.refresh):
        return None
    return tokens.due_time(profile_id, work.now, expires if present.access else 0)


def _plain(draft: Draft) -> dict[str, object]:
    return {
        "name": draft.name,
        "description": draft.description,
        "provider": "" if draft.application_number else draft.provider,
        "application_number": draft.application_number or None,
        "client_id": draft.client_id,
        "keep_fresh": draft.keep_fresh,
    }


def _words(before: StoredProfile, sealed: dict[str, bytes | None]) -> dict[str, object]:
    """Says what becomes of each secret that changes. Sealed twice, a secret is not the same bytes."""
    changed = {name: value for name, value in sealed.items() if value != getattr(before, name)}
    return {name: audit.secret_change(getattr(before, name), value) for name, value in changed.items()}


def _sealed(keyring: Keyring, profile_id: int, column: str, value: str) -> bytes | None:
    return keyring.seal(value, Where("profiles", column, profile_id)) if value else None


def _opened(keyring: Keyring, profile: StoredProfile, column: str, sealed: bytes | None) -> str:
    return keyring.unseal_text(sealed, Where("profiles", column, profile.id)) if sealed else ""
