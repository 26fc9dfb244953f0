# SPDX-License-Identifier: Apache-2.0
"""The roles in an organization, in two families (contract sections 1 and 2): customers', and partners'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from gateway.decoding import INVALID_BODY
from gateway.dialects.vmware.bodies import KnownRole
from gateway.failures import Violation, invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.dialects.vmware.bodies import Acting, ActingInside, Context

KNOWN: Final[tuple[str, ...]] = get_args(KnownRole)

OF_CUSTOMERS: Final[Mapping[str, str]] = {
    "org_owner": "Organization Owner",
    "org_admin": "Organization Administrator",
    "developer": "Developer",
    "org_member": "Organization Member",
}
OF_PARTNERS: Final[Mapping[str, str]] = {
    "msp:provider_admin": "Provider Administrator",
    "msp:provider_support_user": "Support User",
}
"""Names for people, by role."""

FAMILIES: Final[Mapping[Context, Mapping[str, str]]] = {
    "OPERATOR": OF_PARTNERS,
    "PROVIDER": OF_PARTNERS,
    "TENANT": OF_CUSTOMERS,
}


def context_of(query: Acting | ActingInside | None) -> Context | None:
    """Returns in which family of roles the caller acts; None: in any."""
    return None if query is None else query.context


def roles_of(context: Context | None) -> Mapping[str, str]:
    """Returns the roles of a family; None: all."""
    return {**OF_CUSTOMERS, **OF_PARTNERS} if context is None else FAMILIES[context]


def incompatible_with(role: str) -> list[str]:
    """Returns the roles of the families that a role is not of."""
    return list(OF_PARTNERS if role in OF_CUSTOMERS else OF_CUSTOMERS)


def require_family(context: Context | None, member: str, names: Iterable[str]) -> None:
    """Refuses known roles of another family than the caller acts in.

    Args:
        context: In which family the caller acts; None: in any.
        member: Member of the body that has the roles.
        names: Their names.

    Raises:
        Failure: INVALID_BODY, naming the roles.
    """
    family = roles_of(context)
    foreign = [position for position, name in enumerate(names) if name in KNOWN and name not in family]
    if foreign:
        description = f"is no role of the context {context}"
        raise invalid(INVALID_BODY, *(Violation(f"{member}[{position}].name", description) for position in foreign))
