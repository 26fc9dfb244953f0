# SPDX-License-Identifier: Apache-2.0
"""Sets of scope tokens (RFC 6749 section 3.3), compared by inclusion and stored sorted, separated by spaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.errors import InvalidField, PermissionDenied, Reason, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_decode_texts = msgspec.json.Decoder(frozenset[str]).decode


def to_stored(scopes: Iterable[str]) -> str:
    """Returns the stored form of the scopes of a grant."""
    return " ".join(sorted(set(scopes)))


def check_wanted(scopes: Sequence[str]) -> None:
    """Refuses scopes that nobody can have: none at all, and tokens with a blank in them.

    Raises:
        InvalidField: see above.
    """
    if not scopes:
        raise InvalidField(Violation("scopes", "at least one is required"))
    for index, scope in enumerate(scopes):
        if scope.split() != [scope]:
            raise InvalidField(Violation(f"scopes[{index}]", "is no scope token: it has a blank in it"))


def require_within(wanted: Iterable[str], *allowed: str) -> None:
    """Refuses scopes that are not in every one of the sets, each of which is JSON, as applications and rules have it.

    Raises:
        PermissionDenied: one is not; it is named.
    """
    lacking = set(wanted).difference(frozenset.intersection(*map(_decode_texts, allowed)))
    if lacking:
        scope = min(lacking)
        raise PermissionDenied(
            Reason.SCOPE_REFUSED,
            f"the scope {scope} is not allowed: the application or the user's access rule lacks it",
            metadata={"scope": scope},
        )
