# SPDX-License-Identifier: Apache-2.0
"""Whom users exist for."""

from __future__ import annotations

from typing import Final

from service.access.authorization import Target
from service.access.permissions import Permission

_KNOWN_TO: Final = frozenset({Permission.USERS_VIEW, Permission.USERS_UPDATE, Permission.USERS_DELETE})


def user_target(user_id: int, organization: int) -> Target:
    """Returns whom a user exists for: themselves, and whoever does anything with users of their organization."""
    return Target(organization, (user_id,), _KNOWN_TO)
