# SPDX-License-Identifier: Apache-2.0
"""Takes the tokens that a provider has given for a consent, in place of all that a profile had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.audit import rules as audit
from service.broker import queries
from service.broker.claims import granted_columns, tell
from service.changes.tables import ChangeKind
from service.crypto.keyring import UnsealError, Where
from service.profiles.rules import not_found

if TYPE_CHECKING:
    from service.broker.queries import StoredClient
    from service.broker.registrations import Registration
    from service.broker.token_endpoint import Granted
    from service.crypto.keyring import Keyring
    from service.work import Work


def accept(work: Work, profile_id: int, registration: Registration, granted: Granted, scope: str) -> None:
    """Stores tokens of a consent. Whoever is refreshing the ones before has lost their claim.

    A refresh token from before goes even where none has come: who has consented now need not be who did then, and one
    account's access token must not be followed by another's.

    Args:
        work: The unit of work, of whoever asked for the consent, and who may change the profile.
        profile_id: Id of the profile.
        registration: Our client at the provider.
        granted: What the provider has given.
        scope: The scope that was asked for.

    Raises:
        NotFound: there is no such profile.
    """
    stored = queries.find(work.tx, profile_id)
    if stored is None:
        raise not_found(profile_id)
    spent = _refresh_token(work.keyring, stored)
    columns = granted_columns(work, stored, registration, granted, scope, since=work.now, spent=spent)
    columns["fence"] = stored.fence + 1
    if not granted.refresh_token:
        columns |= {"refresh_token": None, "spent_refresh_digest": None, "token_due": None}
    queries.change(work.tx, profile_id, columns)
    tell(work, stored, ChangeKind.UPDATED, columns)
    changes: dict[str, object] = {"outcome": "granted", "access_token": audit.secret_change(stored.access_token, "new")}
    if granted.refresh_token or stored.refresh_token:
        changes["refresh_token"] = audit.secret_change(stored.refresh_token, granted.refresh_token)
    audit.record(work, "profile.authorize", f"profiles/{profile_id}", stored.organization, changes)


def _refresh_token(keyring: Keyring, stored: StoredClient) -> str:
    """Returns the refresh token that goes, as far as it can be opened: a consent also mends what cannot."""
    if stored.refresh_token is None:
        return ""
    try:
        return keyring.unseal_text(stored.refresh_token, Where("profiles", "refresh_token", stored.id))
    except UnsealError:
        return ""
