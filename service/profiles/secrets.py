# SPDX-License-Identifier: Apache-2.0
"""The secrets of a profile: each sealed for its own row and column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.audit import rules as audit
from service.crypto.keyring import UnsealError, Where
from service.profiles.drafts import SECRETS

if TYPE_CHECKING:
    from service.crypto.keyring import Keyring
    from service.profiles.drafts import Draft
    from service.profiles.queries import StoredProfile


def sealed(keyring: Keyring, profile_id: int, column: str, value: str) -> bytes | None:
    """Returns a secret as it is stored; an empty one is none."""
    return keyring.seal(value, Where("profiles", column, profile_id)) if value else None


def opened(keyring: Keyring, profile: StoredProfile, column: str) -> str:
    """Returns a secret in clear, empty where there is none."""
    value = getattr(profile, column)
    return keyring.unseal_text(value, Where("profiles", column, profile.id)) if value else ""


def changed(keyring: Keyring, before: StoredProfile, draft: Draft, members: frozenset[str]) -> frozenset[str]:
    """Returns the secrets that are set to something else than they are."""
    named = members.intersection(SECRETS)
    return frozenset(name for name in named if not _is(keyring, before, name, getattr(draft, name)))


def _is(keyring: Keyring, profile: StoredProfile, column: str, value: str) -> bool:
    try:
        return opened(keyring, profile, column) == value
    except UnsealError:
        # One whose key is lost can still be replaced.
        return False


def words(before: StoredProfile, after: dict[str, bytes | None]) -> dict[str, object]:
    """Says what becomes of each secret that is set, for the audit trail. Sealed twice, a secret is not the same bytes."""
    replaced = {name: value for name, value in after.items() if value != getattr(before, name)}
    return {name: audit.secret_change(getattr(before, name), value) for name, value in replaced.items()}
