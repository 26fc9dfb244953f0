# SPDX-License-Identifier: Apache-2.0
"""What may be done with applications, by whom, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from service.access.authorization import Target, authorize
from service.access.permissions import Permission
from service.applications import drafts, memberships, queries, rotation
from service.applications.reading import get, require_client, wrong_kind
from service.applications.tables import ApplicationKind
from service.applications.targets import KNOWN_TO, application_target
from service.audit import rules as audit
from service.broker import claims as broker
from service.crypto.keyring import Where
from service.crypto.tokens import new_uuid
from service.directory import service_accounts
from service.directory.scopes import number_of, organization_not_found
from service.errors import AlreadyExists, FailedPrecondition, InvalidField, Reason, Violation
from service.etags import require_etag
from service.profiles import rules as profiles

if TYPE_CHECKING:
    from service.applications.drafts import Draft
    from service.applications.queries import StoredApplication
    from service.work import Work


@dataclass(frozen=True, slots=True)
class FirstSecret:
    """The secret that a new client application gets: a generated one, unless either member says otherwise.

    Attributes:
        digest: argon2id digest of one that the caller chose.
        public: Whether it gets none (RFC 6749 section 2.1).
    """

    digest: str = ""
    public: bool = False

    def __repr__(self) -> str:
        return f"FirstSecret(public={self.public})"


class Created(NamedTuple):
    """A new application, and the secret that was generated for it; empty where none was."""

    application: StoredApplication
    client_secret: str

    def __repr__(self) -> str:
        return f"Created(application={self.application.number})"


def reveal(work: Work, application: StoredApplication) -> str:
    """Returns the client secret of a provider registration, or the empty string where there is none.

    Records that the caller has seen it: belongs into a write.

    Raises:
        PermissionDenied: APPLICATIONS_REVEAL is missing.
    """
    authorize(work.caller, Permission.APPLICATIONS_REVEAL, application_target(application), None)
    audit.record(work, "application.reveal", f"applications/{application.number}", application.organization)
    if application.client_secret is None:
        return ""
    return work.keyring.unseal_text(application.client_secret, _where(application.number))


def create(work: Work, organization_id: str, application_id: str, draft: Draft, secret: FirstSecret) -> Created:
    """Registers an application that the caller owns.

    Args:
        work: The unit of work.
        organization_id: Where it belongs; empty: the caller's own organization.
        application_id: The id that the caller chose; empty: a new UUID.
        draft: What it is to be.
        secret: The secret of a client application.

    Raises:
        PermissionDenied: APPLICATIONS_MANAGE is missing.
        NotFound: there is no such organization for the caller.
        InvalidField: a required member is missing, or one does not fit the kind.
        AlreadyExists: the id is taken.
    """
    caller = work.caller
    organization = number_of(work, organization_id) if organization_id else caller.organization
    # An organization exists for whoever belongs to it or holds anything in it.
    place = Target(organization, (caller.user_id,), KNOWN_TO) if organization else None
    authorize(caller, Permission.APPLICATIONS_MANAGE, place, organization_not_found(organization_id))
    drafts.check(draft)
    _check_secret(draft, secret)
    if application_id and queries.is_taken(work.tx, application_id):
        raise AlreadyExists(
            Reason.ALREADY_EXISTS,
            f"the id {application_id} is taken",
            metadata={"id": application_id},
            violations=(Violation("application.id", "is taken"),),
        )
    number = queries.add(
        work.tx,
        {
            "id": application_id or new_uuid(),
            "organization": organization,
            "owner_id": caller.user_id,
            **drafts.stored(draft),
            "created": work.now,
            "updated": work.now,
            "revision": 1,
        },
    )
    changes = audit.differences({}, drafts.stated(draft))
    generated = ""
    if draft.kind == ApplicationKind.CLIENT and not secret.public:
        generated = rotation.add(work, number, secret.digest).client_secret
        changes["secret"] = "generated" if generated else "chosen"
    if draft.client_secret:
        # A sealed value is bound to its row, whose number is known only now.
        queries.change(work.tx, number, {drafts.SECRET: _sealed(work, number, draft)})
        changes[drafts.SECRET] = "set"
    audit.record(work, "application.create", f"applications/{number}", organization, changes)
    return Created(_stored(work, number), generated)


def update(
    work: Work, key: str | int, draft: Draft, members: frozenset[str], etag: str, *, secret_digest: str = ""
) -> StoredApplication:
    """Changes the named members of an application to what the draft has.

    Args:
        work: The unit of work.
        key: Id or number of the application.
        draft: The new values.
        members: Which of `drafts.MEMBERS` to take from the draft; all of them: those of the application's kind.
        etag: What the application must still be; see `require_etag`.
        secret_digest: argon2id digest of the secret that is to be the only one of a client application; empty: those
            that it has stay.

    Raises:
        PermissionDenied: APPLICATIONS_UPDATE is missing, and APPLICATIONS_MANAGE too; or a client application would be
            worth more to the caller than what they hold.
        NotFound: there is no such application for the caller.
        EtagMismatch: it has changed.
        FailedPrecondition: a member, or the secret, belongs to the other kind.
        InvalidField: a required member would be missing.
    """
    before = get(work, key, Permission.APPLICATIONS_UPDATE, instead=Permission.APPLICATIONS_MANAGE)
    require_etag(etag, before.revision)
    members = _fitting(before, draft, members)
    old = drafts.draft_of(before)
    after = replace(old, **{name: getattr(draft, name) for name in members - {drafts.SECRET}})
    drafts.check(after)
    if secret_digest:
        require_client(before)
    if secret_digest or not set(after.allowed_scopes) <= set(old.allowed_scopes):
        memberships.require_all_of(work, before, after.allowed_scopes)
    values = {**drafts.stored(after), "updated": work.now, "revision": before.revision + 1}
    changes = audit.differences(drafts.shown(old), drafts.shown(after))
    if drafts.SECRET in members:
        sealed = values[drafts.SECRET] = _sealed(work, before.number, draft)
        if sealed != before.client_secret:
            changes[drafts.SECRET] = audit.secret_change(before.client_secret, sealed)
    queries.change(work.tx, before.number, values)
    audit.record(work, "application.update", f"applications/{before.number}", before.organization, changes)
    if secret_digest:
        rotation.replace(work, before, secret_digest)
    if changes and before.kind == ApplicationKind.PROVIDER:
        broker.retry_of_application(work, before.number)
    return _stored(work, before.number)


def delete(work: Work, key: str | int, etag: str, *, cascade: bool) -> int:
    """Deletes an application with its secrets, its access rules and grants, and the role bindings on it.

    Returns:
        How many profiles were deleted with it.

    Raises:
        PermissionDenied: APPLICATIONS_MANAGE is missing.
        NotFound: there is no such application for the caller.
        EtagMismatch: it has changed.
        FailedPrecondition: profiles use it and `cascade` is not given.
    """
    application = get(work, key, Permission.APPLICATIONS_MANAGE)
    require_etag(etag, application.revision)
    number = application.number
    used = profiles.count_of_application(work, number) + service_accounts.count_of_profiles(work, number)
    if used and not cascade:
        raise FailedPrecondition(
            Reason.APPLICATION_IN_USE, f"{used} profiles use the application", metadata={"profiles": str(used)}
        )
    profiles.remove_of_application(work, number)
    if account := service_accounts.find(work.tx, number):
        queries.forget_owner(work.tx, account)
        service_accounts.remove(work, account)
    unbound = queries.unbind(work.tx, number)
    of_client = queries.count_of_client(work.tx, number) if application.kind == ApplicationKind.CLIENT else {}
    queries.remove(work.tx, number)
    changes = {"profiles_deleted": used, "role_bindings_deleted": unbound, **of_client}
    audit.record(work, "application.delete", f"applications/{number}", application.organization, changes)
    return used


def forget_owner(work: Work, user_id: int) -> None:
    """Takes a user who is deleted out of the applications that they own."""
    queries.forget_owner(work.tx, user_id)


def _check_secret(draft: Draft, secret: FirstSecret) -> None:
    if draft.kind == ApplicationKind.PROVIDER:
        if secret.digest:
            raise InvalidField(Violation("client_secret", "is for a client application only"))
        if secret.public:
            raise InvalidField(Violation("public", "is for a client application only"))
    elif secret.public and secret.digest:
        raise InvalidField(Violation("client_secret", "is not allowed for a public client"))


def _fitting(application: StoredApplication, draft: Draft, members: frozenset[str]) -> frozenset[str]:
    """Returns the members to change without those of the other kind, which only a change of everything may name."""
    kind = ApplicationKind(application.kind)
    fitting = members & (drafts.SHARED | drafts.OF_KIND[kind])
    everything = members == drafts.MEMBERS and draft.kind in (0, kind)
    if fitting != members and not everything:
        raise wrong_kind(application)
    return fitting


def _stored(work: Work, number: int) -> StoredApplication:
    application = queries.find(work.tx, number)
    if application is None:
        raise LookupError(f"application {number} is gone in the transaction that wrote it")
    return application


def _sealed(work: Work, number: int, draft: Draft) -> bytes | None:
    return work.keyring.seal(draft.client_secret, _where(number)) if draft.client_secret else None


def _where(number: int) -> Where:
    return Where("applications", drafts.SECRET, number)
