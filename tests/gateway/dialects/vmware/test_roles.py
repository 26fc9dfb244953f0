# SPDX-License-Identifier: Apache-2.0
"""The two families of roles in an organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.dialects.vmware.roles import FAMILIES, KNOWN, OF_CUSTOMERS, OF_PARTNERS, incompatible_with, require_family
from gateway.failures import Failure
from service.access.organization_roles import ROLES

if TYPE_CHECKING:
    from gateway.dialects.vmware.bodies import Context


def test_the_roles_are_those_of_the_service() -> None:
    assert set(KNOWN) == set(ROLES)
    assert [*OF_CUSTOMERS, *OF_PARTNERS] == list(KNOWN)


def test_partners_roles_have_a_prefix() -> None:
    assert {role for role in KNOWN if role.startswith("msp:")} == set(OF_PARTNERS)
    assert FAMILIES == {"OPERATOR": OF_PARTNERS, "PROVIDER": OF_PARTNERS, "TENANT": OF_CUSTOMERS}


@pytest.mark.parametrize("role", KNOWN)
def test_a_role_is_compatible_with_its_own_family(role: str) -> None:
    assert (role in OF_CUSTOMERS) == (incompatible_with(role) == list(OF_PARTNERS))
    assert role not in incompatible_with(role)


@pytest.mark.parametrize(
    ("context", "refused"),
    [
        (None, []),
        ("TENANT", ["m[2].name"]),
        ("PROVIDER", ["m[0].name", "m[1].name"]),
        ("OPERATOR", ["m[0].name", "m[1].name"]),
    ],
)
def test_a_context_refuses_roles_of_the_other_family(context: Context | None, refused: list[str]) -> None:
    names = ["org_owner", "developer", "msp:provider_admin", "a role that nobody knows"]

    if not refused:
        require_family(context, "m", names)
        return
    with pytest.raises(Failure) as failure:
        require_family(context, "m", names)
    assert [violation.member for violation in failure.value.violations] == refused
