# SPDX-License-Identifier: Apache-2.0
"""What a provider is to revoke because its profile is deleted: written down with the deletion, and tried for a day.

Each try counts itself, and puts the next one off, in a transaction before it calls the provider. So processes share the
work, and one that dies leaves nothing to clear up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.applications.tables import ClientAuthentication
from service.audit import rules as audit
from service.broker import registrations
from service.clock import DAY, HOUR, SECOND
from service.consent import revocation_queries as queries
from service.consent.revocation_endpoint import Revocation, RevocationRequest
from service.crypto.keyring import UnsealError, Where
from service.crypto.tokens import new_uuid

if TYPE_CHECKING:
    from service.consent.revocation_endpoint import Outcome
    from service.consent.tables import RevocationRow
    from service.crypto.keyring import Keyring
    from service.storage.store import Tx
    from service.work import Work

FIRST_PAUSE: Final = 30 * SECOND
"""Until the second try; every further one doubles it."""

LONGEST_PAUSE: Final = HOUR

TRIED_FOR: Final = DAY
"""How long a provider is asked before it is given up."""

EXPIRED: Final = "expired"
"""What failed where a provider could not be had in all that time, or kept putting it off."""

UNREADABLE: Final = "unreadable"
"""What failed where the key that had sealed a token is lost."""

_KINDS: Final = ("refresh_token", "access_token")
"""Members of a profile in the order in which they are worth revoking: a refresh token takes the rest with it."""


def begin(work: Work, profile_id: int, organization: int) -> str:
    """Writes down that the grant of a profile that is about to be deleted is to be revoked.

    Args:
        work: The unit of work that deletes it.
        profile_id: Id of the profile.
        organization: Number of its organization.

    Returns:
        Id of the revocation, whose first try its caller makes once this is committed; empty where there is no token that
        can be read, or the provider has no such endpoint.
    """
    try:
        return _begin(work, profile_id, organization)
    except UnsealError:
        # Sealed by a key that is lost. The profile has to go all the same.
        return ""


def _begin(work: Work, profile_id: int, organization: int) -> str:
    registration = registrations.find(work.tx, work.keyring, profile_id)
    stored = queries.tokens_of(work.tx, profile_id)
    if registration is None or not registration.revocation_uri or stored is None:
        return ""
    sealed = {"refresh_token": stored.refresh_token, "access_token": stored.access_token}
    kind = next((kind for kind in _KINDS if sealed[kind]), "")
    token = sealed.get(kind)
    if token is None:
        return ""
    revocation_id = new_uuid()
    secret, keyring = registration.client_secret, work.keyring
    queries.add(
        work.tx,
        {
            "id": revocation_id,
            "profile_id": profile_id,
            "organization": organization,
            "revocation_uri": registration.revocation_uri,
            "client_id": registration.client_id,
            "client_secret": keyring.seal(secret, _place("client_secret", revocation_id)) if secret else None,
            "client_authentication": registration.authentication.value,
            "token": keyring.seal(
                keyring.unseal_text(token, Where("profiles", kind, profile_id)), _place("token", revocation_id)
            ),
            "token_type_hint": kind,
            "attempts": 1,
            "next_try": work.now + FIRST_PAUSE,
            "first_try": work.now,
        },
    )
    return revocation_id


def due(tx: Tx, now: int, most: int) -> list[str]:
    """Returns the ids of revocations that are to be tried again."""
    return queries.due(tx, now, most)


def first_request(tx: Tx, keyring: Keyring, revocation_id: str) -> RevocationRequest | None:
    """Returns what the first try of a revocation asks for; None where it is done already."""
    stored = queries.find(tx, revocation_id)
    return None if stored is None else _request(keyring, stored)


def next_request(work: Work, revocation_id: str) -> RevocationRequest | None:
    """Begins another try of a revocation, and returns what it asks for.

    Returns None where somebody else has begun it, or the revocation is done or, from now on, given up.
    """
    stored = queries.find(work.tx, revocation_id)
    if stored is None or stored.next_try > work.now:
        return None
    if work.now - stored.first_try >= TRIED_FOR:
        _end(work, stored, "gave_up", EXPIRED)
        return None
    pause = min(FIRST_PAUSE << min(stored.attempts, 16), LONGEST_PAUSE)
    queries.change(work.tx, stored.id, {"attempts": stored.attempts + 1, "next_try": work.now + pause})
    try:
        return _request(work.keyring, stored)
    except UnsealError:
        _end(work, stored, "gave_up", UNREADABLE)
        return None


def settle(work: Work, revocation_id: str, outcome: Outcome) -> None:
    """Writes what became of a try."""
    stored = queries.find(work.tx, revocation_id)
    if stored is None:
        return
    match outcome.revocation:
        case Revocation.DONE:
            _end(work, stored, "revoked")
        case Revocation.REFUSED:
            _end(work, stored, "refused", outcome.failure)
        case Revocation.PENDING:
            next_try = max(stored.next_try, work.now + outcome.retry_after)
            queries.change(work.tx, stored.id, {"next_try": next_try})


def _end(work: Work, stored: RevocationRow, outcome: str, failure: str = "") -> None:
    if queries.remove(work.tx, stored.id):
        changes = {"outcome": outcome} | ({"failure": failure} if failure else {})
        audit.record(work, "profile.revoke", f"profiles/{stored.profile_id}", stored.organization, changes)


def _request(keyring: Keyring, stored: RevocationRow) -> RevocationRequest:
    secret = stored.client_secret
    return RevocationRequest(
        profile_id=stored.profile_id,
        revocation_uri=stored.revocation_uri,
        client_id=stored.client_id,
        client_secret=keyring.unseal_text(secret, _place("client_secret", stored.id)) if secret else "",
        authentication=ClientAuthentication(stored.client_authentication),
        token=keyring.unseal_text(stored.token, _place("token", stored.id)),
        token_type_hint=stored.token_type_hint,
    )


def _place(column: str, revocation_id: str) -> Where:
    return Where("revocations", column, revocation_id)
