# SPDX-License-Identifier: Apache-2.0
"""Venafi's scope grammar (contract section 1): `admin:grantrights,viewlogs;configuration;security`.

    scopes      = scope *( ";" scope )
    scope       = name [ ":" restriction *( "," restriction ) ]

The service keeps sets of scope tokens (RFC 6749 section 3.3). A restriction goes beyond its scope, so the text above is
`admin`, `admin:grantrights`, `admin:viewlogs`, `configuration` and `security`. Order, case and blanks mean nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from gateway.failures import Violation, invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

INVALID_SCOPE: Final = "INVALID_SCOPE"
"""Reason of the gateway's own for a text that is not in the grammar."""

KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "admin": ("delete", "grantrights", "recyclebin", "viewlogs"),
    "agent": ("delete",),
    "applications": ("manage", "reveal"),
    "certificate": ("approve", "delete", "discover", "manage", "revoke"),
    "codesign": ("admin", "approve", "delete", "manage"),
    "codesignclient": (),
    "codesigning": ("csp",),
    "configuration": ("delete", "manage"),
    "profiles": ("delete", "manage", "reveal", "use"),
    "restricted": ("delete", "manage"),
    "security": ("delete", "manage"),
    "ssh": ("approve", "delete", "discover", "manage"),
    "statistics": ("manage", "sensitive"),
    "tokens": ("introspect", "revoke"),
}
"""Scopes that are known with their restrictions: what either page of Venafi's lists, and Almoner's own three."""

_IMPLIED = frozenset({"any", "read"})
"""What every scope includes; it may be written and is left out."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,127}")
_BLANKS = re.compile(r"[ \t\r\n]+")
_LONGEST_ECHO = 64


def parse(text: str) -> frozenset[str]:
    """Returns the scope tokens that a text stands for; none for a blank one.

    Raises:
        ValueError: the text is not in the grammar; the message says where.
    """
    folded = _BLANKS.sub("", text).lower()
    if not folded:
        return frozenset()
    return frozenset().union(*(_tokens(part, folded) for part in folded.split(";")))


def text_of(tokens: Iterable[str]) -> str:
    """Returns the one text of scope tokens: scopes and restrictions in alphabetical order."""
    return _text_of(tuple(tokens))


@lru_cache(maxsize=1024)
def _text_of(tokens: tuple[str, ...]) -> str:
    restrictions: dict[str, set[str]] = {}
    for token in tokens:
        scope, _, restriction = token.partition(":")
        restrictions.setdefault(scope, set()).update({restriction} - {""})
    return ";".join(
        f"{scope}:{','.join(sorted(beyond))}" if beyond else scope for scope, beyond in sorted(restrictions.items())
    )


def read(member: str, text: str) -> list[str]:
    """Returns the scope tokens of a member of a request, in order.

    Raises:
        Failure: INVALID_SCOPE, naming the member.
    """
    try:
        return sorted(parse(text))
    except ValueError as error:
        raise invalid(INVALID_SCOPE, Violation(member, str(error))) from None


def _tokens(part: str, text: str) -> set[str]:
    scope, colon, rest = part.partition(":")
    _require_name("scope", scope, text)
    restrictions = rest.split(",") if colon else []
    for restriction in restrictions:
        _require_name("restriction", restriction, text)
    if scope in _IMPLIED:
        return set()
    return {scope, *(f"{scope}:{restriction}" for restriction in restrictions if restriction not in _IMPLIED)}


def _require_name(what: str, name: str, text: str) -> None:
    if _NAME.fullmatch(name):
        return
    raise ValueError(f"a {what} is missing in {_shown(text)}" if not name else f"{_shown(name)} is no {what}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}…")
