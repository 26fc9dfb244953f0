# SPDX-License-Identifier: Apache-2.0
"""The roles in one organization that client applications may be given by name, and what they allow there.

VMware's, whose clients are given them as scopes (contract vmware, sections 2 and 3). Users are bound to the built-in
roles that have the same permissions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from service.access.permissions import ALL, Permission, Permissions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_P = Permission

MEMBER: Final[Permissions] = frozenset(
    {
        _P.MANAGEMENT_API,
        _P.PROFILES_LIST,
        _P.PROFILES_GET,
        _P.CHANGE_PASSWORD,
        _P.OWN_API_TOKENS,
    }
)
"""Sees what is theirs, and no application."""

DEVELOPER: Final[Permissions] = MEMBER | {
    _P.PROFILES_REVEAL,
    _P.PROFILES_CREATE,
    _P.PROFILES_UPDATE,
    _P.PROFILES_DELETE,
    _P.LINKS_VIEW,
    _P.LINKS_MANAGE,
    _P.APPLICATIONS_VIEW,
    _P.APPLICATIONS_MANAGE,
    _P.APPLICATIONS_UPDATE,
    _P.ROLES_VIEW,
}
"""Keeps applications, and profiles of their own."""

ADMINISTRATOR: Final[Permissions] = ALL - {_P.ADMINISTRATOR, _P.ORGANIZATIONS_MANAGE}
"""Does everything in the organization but what touches it as a whole."""

OWNER: Final[Permissions] = ALL

SUPPORT: Final[Permissions] = MEMBER | {_P.APPLICATIONS_VIEW, _P.USERS_VIEW, _P.ROLES_VIEW}
"""Sees, and changes nothing."""

ROLES: Final[Mapping[str, Permissions]] = {
    "org_owner": OWNER,
    "org_admin": ADMINISTRATOR,
    "developer": DEVELOPER,
    "org_member": MEMBER,
    "msp:provider_admin": OWNER,
    "msp:provider_support_user": SUPPORT,
}
"""What each role allows."""

IN_ORGANIZATION: Final = "org:"
"""Before the name of a role in a scope."""

IN_SERVICE: Final = "service:"
"""Before the name of a service and that of a role there in a scope. Such scopes mean nothing to this server."""

EVERY_ROLE: Final = "*"
"""Stands for every role of a service in what an application allows."""


def role_scope(role: str) -> str:
    """Returns the scope that is a role in an organization."""
    return f"{IN_ORGANIZATION}{role}"


def service_scope(service: str, role: str) -> str:
    """Returns the scope that is a role in a service."""
    return f"{IN_SERVICE}{quote(service, safe='')}:{role}"


def is_role(scope: str) -> bool:
    """Whether a scope is a role, here or in a service, which a client must be given; see `carried`."""
    return scope.startswith((IN_ORGANIZATION, IN_SERVICE))


def every_role_of(scope: str) -> str:
    """Returns the scope that allows every role of the service of a `service_scope`; of another, the scope itself."""
    if not scope.startswith(IN_SERVICE):
        return scope
    return scope[: scope.index(":", len(IN_SERVICE)) + 1] + EVERY_ROLE if scope.count(":") > 1 else scope


def carried(given: Iterable[str], allowed: Collection[str]) -> frozenset[str]:
    """Returns which of the scopes that a client was given in an organization its tokens for it may carry.

    Args:
        given: The scopes of its membership.
        allowed: The scopes that the application allows.
    """
    return frozenset(scope for scope in given if scope in allowed or every_role_of(scope) in allowed)
