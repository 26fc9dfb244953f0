# SPDX-License-Identifier: Apache-2.0
"""What may be done with webhooks, and by whom.

A webhook is told of every profile of its organization, whoever owns it: to keep one takes PROFILES_ALL there, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from service.access.authorization import Target, authorize
from service.access.permissions import Permission
from service.audit import rules as audit
from service.changes import rules as changes
from service.clock import DAY
from service.crypto.keyring import Where
from service.directory.organizations import place_of_new
from service.directory.scopes import scope_of
from service.errors import InvalidField, NotFound, Reason, Violation
from service.etags import require_etag
from service.listing.listing import PageContext
from service.webhooks import dispatch_queries, queries, signing

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.crypto.keyring import Keyring
    from service.listing.listing import Page, PageQuery
    from service.webhooks.queries import StoredWebhook
    from service.work import Work

PREVIOUS_SECRET_SIGNS: Final = DAY
"""How long the secret before the present one signs, too."""

_REACH: Final = frozenset({Permission.WEBHOOKS_VIEW, Permission.WEBHOOKS_MANAGE})
_PLAIN: Final = ("url", "description", "disabled", "kinds")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller wants a webhook to be.

    Attributes:
        url: Where deliveries go.
        description: What it is for.
        disabled: Whether nothing is delivered.
        kinds: What is delivered, as `WebhookRow.kinds`.
        secret: What signs; of an update, the next one; empty: no other.
    """

    url: str = ""
    description: str = ""
    disabled: bool = False
    kinds: int = 0
    secret: str = ""

    def __repr__(self) -> str:
        return "Draft(***)"


MEMBERS: Final = frozenset(Draft.__dataclass_fields__)
"""Names of everything that can be changed."""


def get(work: Work, webhook_id: int, needed: Permission = Permission.WEBHOOKS_VIEW) -> StoredWebhook:
    """Returns a webhook that the caller may do something with.

    Raises:
        PermissionDenied: the permission is missing.
        NotFound: there is no such webhook for the caller.
    """
    webhook = queries.find(work.tx, webhook_id)
    missing = NotFound(Reason.WEBHOOK_NOT_FOUND, f"there is no webhook {webhook_id}", metadata={"id": str(webhook_id)})
    target = Target(webhook.organization, reached_by=_REACH) if webhook else None
    authorize(work.caller, needed, target, missing)
    if webhook is None:
        raise missing
    if needed is Permission.WEBHOOKS_MANAGE:
        authorize(work.caller, Permission.PROFILES_ALL, target, None)
    return webhook


def page(work: Work, organization_id: str, query: PageQuery) -> Page[StoredWebhook]:
    """Returns a page of the webhooks of organizations where the caller holds WEBHOOKS_VIEW.

    Raises:
        PermissionDenied: WEBHOOKS_VIEW is missing.
        NotFound: there is no such organization for the caller.
        Invalid: the query is not one of this list.
    """
    scope = scope_of(work, organization_id, Permission.WEBHOOKS_VIEW, Permission.WEBHOOKS_VIEW)
    context = PageContext(organization_id, str(work.caller.user_id))
    return queries.WEBHOOKS.page(work.tx, work.keyring, query, scope=scope, context=context)


def create(work: Work, organization_id: str, draft: Draft, objection: Callable[[str], str]) -> StoredWebhook:
    """Makes a webhook, which is told of what happens from now on.

    Args:
        work: The unit of work.
        organization_id: Where it belongs; empty: the caller's own organization.
        draft: What it is to be, with a secret.
        objection: What says why a URL cannot be delivered to.

    Raises:
        PermissionDenied: WEBHOOKS_MANAGE or PROFILES_ALL is missing.
        NotFound: there is no such organization for the caller.
        InvalidField: a member is missing, or cannot be used.
    """
    organization = place_of_new(work, organization_id, Permission.WEBHOOKS_MANAGE)
    authorize(work.caller, Permission.PROFILES_ALL, Target(organization), None)
    _check(draft, objection)
    webhook_id = queries.add(
        work.tx,
        {
            "organization": organization,
            "creator_id": (work.caller.actor or work.caller).user_id,
            **_plain(draft),
            "secret": b"",
            "previous_secret": None,
            "previous_secret_ends": 0,
            "created": work.now,
            "updated": work.now,
            "revision": 1,
        },
    )
    # Sealed values are bound to their row, whose id is known only now.
    queries.change(work.tx, webhook_id, {"secret": _sealed(work.keyring, webhook_id, "secret", draft.secret)})
    dispatch_queries.add(work.tx, webhook_id, changes.newest(work.tx).position)
    stated = audit.stated(_shown(draft)) | {"secret": "set"}
    audit.record(work, "webhook.create", f"webhooks/{webhook_id}", organization, stated)
    return _stored(work, webhook_id)


def update(
    work: Work, webhook_id: int, draft: Draft, members: frozenset[str], *, etag: str, objection: Callable[[str], str]
) -> StoredWebhook:
    """Changes the named members of a webhook to what the draft has.

    The secret before a new one signs, too, for as long as PREVIOUS_SECRET_SIGNS. What a webhook has yet to be told of is
    dropped when it is disabled; enabled again it is told of what happens from then on.

    Args:
        work: The unit of work.
        webhook_id: Which webhook.
        draft: The new values.
        members: Which of MEMBERS to take from the draft.
        etag: What the webhook must still be; see `require_etag`.
        objection: What says why a URL cannot be delivered to.

    Raises:
        PermissionDenied: WEBHOOKS_MANAGE or PROFILES_ALL is missing.
        NotFound: there is no such webhook for the caller.
        EtagMismatch: it has changed.
        InvalidField: a member would be missing, or cannot be used.
    """
    before = get(work, webhook_id, Permission.WEBHOOKS_MANAGE)
    require_etag(etag, before.revision)
    old = Draft(before.url, before.description, before.disabled, before.kinds)
    after = replace(old, **{name: getattr(draft, name) for name in members})
    _check(after, objection)
    secrets = _rotated(work, before, after.secret) if after.secret else {}
    values = {**_plain(after), **secrets, "updated": work.now, "revision": before.revision + 1}
    queries.change(work.tx, webhook_id, values)
    if after.disabled and not before.disabled:
        dispatch_queries.drop_deliveries(work.tx, webhook_id)
    if before.disabled and not after.disabled:
        dispatch_queries.restart(work.tx, webhook_id, changes.newest(work.tx).position)
    differences = audit.differences(_shown(old), _shown(after)) | ({"secret": "replaced"} if secrets else {})
    audit.record(work, "webhook.update", f"webhooks/{webhook_id}", before.organization, differences)
    return _stored(work, webhook_id)


def delete(work: Work, webhook_id: int, etag: str) -> None:
    """Deletes a webhook. What it has yet to be told of is dropped.

    Raises:
        PermissionDenied: WEBHOOKS_MANAGE or PROFILES_ALL is missing.
        NotFound: there is no such webhook for the caller.
        EtagMismatch: it has changed.
    """
    webhook = get(work, webhook_id, Permission.WEBHOOKS_MANAGE)
    require_etag(etag, webhook.revision)
    queries.remove(work.tx, webhook_id)
    audit.record(work, "webhook.delete", f"webhooks/{webhook_id}", webhook.organization)


def forget_user(work: Work, user_id: int) -> None:
    """Takes a user who is deleted out of the webhooks that they created, which stay: they are the organization's."""
    queries.forget_creator(work.tx, user_id)


def _check(draft: Draft, objection: Callable[[str], str]) -> None:
    violations = []
    if not draft.url:
        violations.append(Violation("webhook.url", "is required"))
    elif refused := objection(draft.url):
        violations.append(Violation("webhook.url", refused))
    if draft.secret:
        try:
            signing.key_of(draft.secret)
        except ValueError:
            violations.append(Violation("webhook.secret", "is not whsec_ and 24 to 64 bytes in base64"))
    if violations:
        raise InvalidField(*violations)


def _rotated(work: Work, before: StoredWebhook, secret: str) -> dict[str, object]:
    """Returns the columns of a webhook that gets a new secret."""
    previous = work.keyring.unseal_text(before.secret, Where("webhooks", "secret", before.id))
    return {
        "secret": _sealed(work.keyring, before.id, "secret", secret),
        "previous_secret": _sealed(work.keyring, before.id, "previous_secret", previous),
        "previous_secret_ends": work.now + PREVIOUS_SECRET_SIGNS,
    }


def _plain(draft: Draft) -> dict[str, object]:
    return {name: getattr(draft, name) for name in _PLAIN}


def _shown(draft: Draft) -> dict[str, object]:
    """Returns what the audit trail may have. The path and the query of a URL are a secret with some receivers."""
    parts = urlsplit(draft.url)
    return {**_plain(draft), "url": f"{parts.scheme}://{parts.netloc}"}


def _sealed(keyring: Keyring, webhook_id: int, column: str, value: str) -> bytes:
    return keyring.seal(value, Where("webhooks", column, webhook_id))


def _stored(work: Work, webhook_id: int) -> StoredWebhook:
    webhook = queries.find(work.tx, webhook_id)
    if webhook is None:
        raise LookupError(f"webhook {webhook_id} is gone in the transaction that wrote it")
    return webhook
