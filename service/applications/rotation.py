# SPDX-License-Identifier: Apache-2.0
"""What may be done with the secrets of client applications: several are valid at a time, so that clients can be told.

To end a secret is to let it expire now. Its row stays for a while: a client application without any row is a public
one, and nobody becomes public by that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.access.caller import Caller
from service.access.permissions import Permission
from service.applications import drafts, memberships, queries, secret_queries
from service.applications.clients import find_client
from service.applications.reading import get, require_client
from service.applications.secrets import client_invalid, digest_of
from service.audit import rules as audit
from service.clock import DAY
from service.crypto.tokens import new_client_secret
from service.directory import service_accounts
from service.errors import FailedPrecondition, NotFound, PermissionDenied, Reason
from service.etags import require_etag

if TYPE_CHECKING:
    from service.applications.queries import PlainApplication, StoredApplication
    from service.applications.secrets import Proof
    from service.applications.tables import ApplicationSecretRow
    from service.work import AnonymousWork, Work

DEFAULT_LIFETIME: Final = 2 * DAY
"""How long secrets go on being valid when a new one is set, where neither application nor caller says."""

MOST_VALID: Final = 50
"""Secrets of an application that are valid at a time at the most."""


class Wish(NamedTuple):
    """A secret to be set.

    Attributes:
        digest: argon2id digest of a chosen one; empty: one is generated.
        previous_lifetime: How long those of before go on being valid, in microseconds, where they do not end sooner;
            None: as the application says.
    """

    digest: str = ""
    previous_lifetime: int | None = None

    def __repr__(self) -> str:
        return f"Wish(previous_lifetime={self.previous_lifetime})"


class NewSecret(NamedTuple):
    """A secret that was just set. `client_secret` is told once, and only if it was generated; else it is empty."""

    id: int
    created: int
    client_secret: str

    def __repr__(self) -> str:
        return f"NewSecret(id={self.id})"


def secrets_of(work: Work, application_id: str) -> list[ApplicationSecretRow]:
    """Returns the valid secrets of a client application, the newest first.

    Raises:
        PermissionDenied: APPLICATIONS_VIEW is missing.
        NotFound: there is no such application for the caller.
        FailedPrecondition: it is no client.
    """
    application = get(work, application_id)
    require_client(application)
    return secret_queries.valid_of(work.tx, application.number, work.now)


def rotate(work: Work, application_id: str, wish: Wish, etag: str) -> NewSecret:
    """Gives a client application a new secret, and lets those of before end.

    Raises:
        PermissionDenied: APPLICATIONS_UPDATE is missing, and APPLICATIONS_MANAGE too; or the client may do what the
            caller may not.
        NotFound: there is no such application for the caller.
        FailedPrecondition: it is no client, or has MOST_VALID secrets.
        EtagMismatch: it has changed.
    """
    application = _changeable(work, application_id, etag)
    memberships.require_all_of(work, application, drafts.draft_of(application).allowed_scopes)
    new = _set(work, application, wish)
    _touch(work, application)
    return new


def rotate_own(work: AnonymousWork, proof: Proof, wish: Wish) -> NewSecret:
    """Gives a client application a new secret on its own word, and lets those of before end.

    Raises:
        Unauthenticated: the secret that the client has shown was ended meanwhile.
        PermissionDenied: only the owner may.
        FailedPrecondition: it has MOST_VALID secrets.
    """
    client = find_client(work.tx, proof.client.id)
    # Whoever has ended it meanwhile, because others know it too, must not find that they have another one.
    if client is None or all(
        secret.id != proof.secret_id for secret in secret_queries.valid_of(work.tx, client.number, work.now)
    ):
        raise client_invalid()
    if client.owner_only_secret_rotation:
        raise PermissionDenied(Reason.SECRET_ROTATION_REFUSED, "only the owner of the application changes its secret")
    account, name = service_accounts.find(work.tx, client.number), service_accounts.name_of(client.number)
    by_client = work.by(Caller(account, name, client.organization, ()))
    new = _set(by_client, client, wish)
    _touch(by_client, client)
    return new


def replace(work: Work, application: PlainApplication, digest: str) -> None:
    """Gives a client application a chosen secret that is its only one: a part of a change of the application."""
    _set(work, application, Wish(digest, 0))


def revoke(work: Work, application_id: str, secret_id: int, etag: str) -> None:
    """Ends one secret of a client application.

    Raises:
        PermissionDenied: APPLICATIONS_UPDATE is missing, and APPLICATIONS_MANAGE too.
        NotFound: there is no such application for the caller, or it has no such valid secret.
        FailedPrecondition: it is no client.
        EtagMismatch: it has changed.
    """
    application = _changeable(work, application_id, etag)
    valid = secret_queries.valid_of(work.tx, application.number, work.now)
    if all(secret.id != secret_id for secret in valid):
        raise NotFound(
            Reason.SECRET_NOT_FOUND,
            f"application {application_id} has no valid secret {secret_id}",
            metadata={"id": str(secret_id)},
        )
    secret_queries.shorten_one(work.tx, application.number, secret_id, work.now)
    _touch(work, application)
    _record(work, "application.revoke_secret", application, {"secret_id": secret_id})


def end_rotation(work: Work, application_id: str, etag: str) -> ApplicationSecretRow | None:
    """Ends all valid secrets of a client application but the newest, which it returns; None: there is none.

    Raises:
        PermissionDenied: APPLICATIONS_UPDATE is missing, and APPLICATIONS_MANAGE too.
        NotFound: there is no such application for the caller.
        FailedPrecondition: it is no client.
        EtagMismatch: it has changed.
    """
    application = _changeable(work, application_id, etag)
    valid = secret_queries.valid_of(work.tx, application.number, work.now)
    if len(valid) > 1:
        newest, *others = valid
        secret_queries.shorten_others(work.tx, application.number, newest.id, work.now)
        _touch(work, application)
        changes = {"secret_id": newest.id, "ended_secrets": [secret.id for secret in others]}
        _record(work, "application.end_rotation", application, changes)
    return valid[0] if valid else None


def add(work: Work, number: int, digest: str) -> NewSecret:
    """Adds a secret to a client application, whose others stay as they are.

    Args:
        work: The unit of work.
        number: Number of the application.
        digest: argon2id digest of a chosen one; empty: one is generated.
    """
    value = "" if digest else new_client_secret()
    secret_id = secret_queries.add(
        work.tx,
        {
            "application_number": number,
            "generated": not digest,
            "digest": digest or digest_of(work.keyring, value),
            "created": work.now,
            "expires": 0,
            "last_used": 0,
        },
    )
    return NewSecret(secret_id, work.now, value)


def _changeable(work: Work, application_id: str, etag: str) -> StoredApplication:
    application = get(work, application_id, Permission.APPLICATIONS_UPDATE, instead=Permission.APPLICATIONS_MANAGE)
    require_client(application)
    require_etag(etag, application.revision)
    return application


def _set(work: Work, application: PlainApplication, wish: Wish) -> NewSecret:
    lifetime = _lifetime_of(application, wish)
    number, ends = application.number, work.now + lifetime
    before = secret_queries.valid_of(work.tx, number, work.now)
    if lifetime and len(before) >= MOST_VALID:
        raise FailedPrecondition(
            Reason.SECRET_LIMIT,
            f"the application has {MOST_VALID} valid secrets, which is the limit",
            metadata={"limit": str(MOST_VALID)},
        )
    secret_queries.shorten(work.tx, number, ends)
    new = add(work, number, wish.digest)
    changes: dict[str, object] = {"secret_id": new.id, "secret": "chosen" if wish.digest else "generated"}
    if before:
        changes |= {"previous_secrets": [secret.id for secret in before], "previous_expire_by": ends}
    _record(work, "application.rotate_secret", application, changes)
    return new


def _lifetime_of(application: PlainApplication, wish: Wish) -> int:
    for stated in (wish.previous_lifetime, application.secret_rotation_lifetime):
        if stated is not None:
            return stated
    return DEFAULT_LIFETIME


def _touch(work: Work, application: PlainApplication) -> None:
    """Makes a new revision of an application whose secrets change: who holds an etag of before did not know of it."""
    queries.change(work.tx, application.number, {"updated": work.now, "revision": application.revision + 1})


def _record(work: Work, action: str, application: PlainApplication, changes: dict[str, object]) -> None:
    audit.record(work, action, f"applications/{application.number}", application.organization, changes)
