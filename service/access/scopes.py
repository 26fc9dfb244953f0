# SPDX-License-Identifier: Apache-2.0
"""What the scopes of an access token allow, and callers who are limited to it.

A scope is a token of RFC 6749 section 3.3. `a:b` goes beyond `a`, and is asked for beside it: scopes are compared as
sets, and nothing here reads into their names. A scope never gives what its user does not hold.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from service.access import organization_roles
from service.access.caller import SERVER, SYSTEM, Held, PlaceKind
from service.access.permissions import ALL, NONE, Permission, Permissions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.access.caller import Caller

_P = Permission

_FOR_PLATFORMS: Final = {
    "agent": ("delete",),
    "certificate": ("approve", "delete", "discover", "manage", "revoke"),
    "codesign": ("admin", "approve", "delete", "manage"),
    "codesignclient": (),
    "codesigning": ("csp",),
    "configuration": ("delete", "manage"),
    "restricted": ("delete", "manage"),
    "security": ("delete", "manage"),
    "ssh": ("approve", "delete", "discover", "manage"),
    "statistics": ("manage", "sensitive"),
}
"""Scopes of Venafi's platform with their restrictions (contract venafi, section 1): tokens carry them, for others."""

SCOPES: Final[Mapping[str, Permissions]] = {
    "admin": ALL,
    **dict.fromkeys(("admin:delete", "admin:grantrights", "admin:recyclebin", "admin:viewlogs"), NONE),
    "profiles": frozenset(
        {_P.MANAGEMENT_API, _P.PROFILES_LIST, _P.PROFILES_GET, _P.PROFILES_ALL, _P.LINKS_VIEW},
    ),
    "profiles:use": frozenset({_P.PROFILES_USE}),
    "profiles:reveal": frozenset({_P.PROFILES_REVEAL}),
    "profiles:manage": frozenset({_P.PROFILES_CREATE, _P.PROFILES_UPDATE, _P.LINKS_MANAGE}),
    "profiles:delete": frozenset({_P.PROFILES_DELETE}),
    "applications": frozenset({_P.MANAGEMENT_API, _P.APPLICATIONS_VIEW}),
    "applications:reveal": frozenset({_P.APPLICATIONS_REVEAL}),
    "applications:manage": frozenset({_P.APPLICATIONS_MANAGE, _P.APPLICATIONS_UPDATE}),
    "tokens": frozenset({_P.RULES_VIEW, _P.GRANTS_VIEW}),
    "tokens:introspect": frozenset({_P.TOKENS_INTROSPECT}),
    "tokens:revoke": frozenset({_P.GRANTS_REVOKE}),
    **dict.fromkeys(_FOR_PLATFORMS, NONE),
    **{f"{scope}:{beyond}": NONE for scope, restrictions in _FOR_PLATFORMS.items() for beyond in restrictions},
}
"""What each scope allows. Passwords, API tokens, roles and access rules take `admin`."""

KNOWN_SCOPES: Final = tuple(sorted(SCOPES))
"""Every scope that means something to this server, or to a platform that takes its tokens, and is no role."""

_ROLES: Final = {
    organization_roles.role_scope(role): permissions for role, permissions in organization_roles.ROLES.items()
}


@lru_cache(maxsize=4096)
def allowed_by(scopes: frozenset[str]) -> Permissions:
    """Returns what scopes allow together. Unknown ones allow nothing here."""
    return NONE.union(*(SCOPES.get(scope) or _ROLES.get(scope, NONE) for scope in scopes))


def limited(caller: Caller, scopes: frozenset[str] | None) -> Caller:
    """Returns a caller who holds, wherever they hold something, only what the scopes allow.

    Args:
        caller: A user with all they hold.
        scopes: The scopes of their access token; None: no limit.
    """
    if scopes is None:
        return caller
    allowed = allowed_by(scopes)
    held = tuple(_limited(entry, allowed) for entry in caller.held_in)
    return replace(caller, held_in=tuple(entry for entry in held if entry.permissions), scopes=scopes)


def _limited(held: Held, allowed: Permissions) -> Held:
    place, permissions = held
    if Permission.ADMINISTRATOR not in permissions or Permission.ADMINISTRATOR in allowed:
        return Held(place, permissions & allowed)
    # An administrator holds everything there; one of the first organization does so everywhere.
    everywhere = place.kind == PlaceKind.ORGANIZATION and place.number == SYSTEM
    return Held(SERVER if everywhere else place, allowed)
