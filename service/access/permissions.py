# SPDX-License-Identifier: Apache-2.0
"""The closed list of permissions, and how sets of them are stored."""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable


class Permission(IntEnum):
    """The values of almoner.v1.Permission, where each is described; a test holds the two lists together."""

    ADMINISTRATOR = 1
    MANAGEMENT_API = 2
    ON_BEHALF_OF = 3
    PROFILES_LIST = 10
    PROFILES_GET = 11
    PROFILES_REVEAL = 12
    PROFILES_CREATE = 13
    PROFILES_UPDATE = 14
    PROFILES_DELETE = 15
    PROFILES_ALL = 16
    LINKS_VIEW = 17
    LINKS_MANAGE = 18
    PROFILES_USE = 19
    APPLICATIONS_VIEW = 20
    APPLICATIONS_REVEAL = 21
    APPLICATIONS_MANAGE = 22
    APPLICATIONS_UPDATE = 23
    USERS_VIEW = 30
    USERS_CREATE = 31
    USERS_UPDATE = 32
    USERS_DELETE = 33
    CHANGE_PASSWORD = 34
    OWN_API_TOKENS = 35
    ROLES_VIEW = 40
    ROLES_CREATE = 41
    ROLES_UPDATE = 42
    ROLES_DELETE = 43
    ROLES_BIND = 44
    ORGANIZATIONS_MANAGE = 50
    USE_JDBC = 60
    USE_ODBC = 61
    USE_ODATA = 62
    WEB_UI = 63
    SQL_EDITOR = 64
    REGISTER_EXTERNAL_AUTHENTICATION = 65
    LIMITS = 66
    IP_ALLOW_LIST = 67
    RULES_VIEW = 70
    RULES_MANAGE = 71
    GRANTS_VIEW = 72
    GRANTS_REVOKE = 73
    TOKENS_ISSUE = 74
    TOKENS_INTROSPECT = 75
    TOKEN_POLICY_MANAGE = 76
    JWT_MAPPINGS_VIEW = 77
    JWT_MAPPINGS_MANAGE = 78

    # Enum's own is written in Python, and every decision looks some up in sets.
    __hash__ = int.__hash__
    WEBHOOKS_VIEW = 80
    WEBHOOKS_MANAGE = 81


Permissions: TypeAlias = frozenset[Permission]

NONE: Permissions = frozenset()
ALL: Permissions = frozenset(Permission)


def to_text(permissions: Iterable[Permission]) -> str:
    """Returns the stored form: names in the order of their numbers, separated by spaces."""
    return " ".join(permission.name for permission in sorted(set(permissions)))


@lru_cache(maxsize=4096)
def from_text(text: str) -> Permissions:
    """Reads the stored form back."""
    return frozenset(Permission[name] for name in text.split())
