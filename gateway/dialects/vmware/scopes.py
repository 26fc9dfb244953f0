# SPDX-License-Identifier: Apache-2.0
"""Between VMware's scopes in three branches (contract section 4) and the service's scope tokens.

general scope               itself
role in the organization    org:ROLE
role in a service           service:SERVICE:ROLE, the service percent-encoded
all roles in a service      service:SERVICE:*
a service without roles     service:SERVICE:
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, unquote

from gateway.decoding import INVALID_BODY
from gateway.dialects.vmware.bodies import ShownRole, ShownRolesInOrganization, ShownRolesInService, ShownScopes
from gateway.failures import Violation, invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gateway.dialects.vmware.bodies import AllowedScopes, RolesInService

IN_ORGANIZATION: Final = "org:"
IN_SERVICE: Final = "service:"
EVERY_ROLE: Final = "*"
NO_ROLE: Final = ""


class Branches(NamedTuple):
    """Scope tokens by what they are, each branch in the order of the tokens.

    Attributes:
        general: General scopes.
        organization: Names of roles in the organization.
        services: Names of roles, EVERY_ROLE and NO_ROLE among them, by service.
    """

    general: Sequence[str]
    organization: Sequence[str]
    services: Mapping[str, Sequence[str]]


def role_token(role: str) -> str:
    """Returns the token of a role in the organization."""
    return f"{IN_ORGANIZATION}{role}"


def service_token(service: str, role: str) -> str:
    """Returns the token of a role in a service."""
    return f"{IN_SERVICE}{quote(service, safe='')}:{role}"


def tokens_of(allowed: AllowedScopes) -> list[str]:
    """Returns the tokens of what an app may carry, each once.

    Raises:
        Failure: INVALID_BODY, roles of a service are named although all of them are asked for.
    """
    in_organization = allowed.organization_scopes
    tokens = [
        *(allowed.general_scopes or ()),
        *(role_token(role.name) for role in (in_organization and in_organization.roles) or ()),
    ]
    for position, service in enumerate(allowed.services_scopes or ()):
        tokens.extend(_tokens_of_service(service, f"allowedScopes.servicesScopes[{position}]"))
    return list(dict.fromkeys(tokens))


def branches_of(tokens: Iterable[str]) -> Branches:
    """Returns tokens sorted into their branches."""
    general: list[str] = []
    organization: list[str] = []
    services: dict[str, list[str]] = {}
    for token in tokens:
        if token.startswith(IN_ORGANIZATION):
            organization.append(token.removeprefix(IN_ORGANIZATION))
        elif token.startswith(IN_SERVICE):
            service, _, role = token.removeprefix(IN_SERVICE).partition(":")
            services.setdefault(unquote(service), []).append(role)
        else:
            general.append(token)
    return Branches(general, organization, services)


def shown(tokens: Iterable[str]) -> ShownScopes:
    """Returns what an app may carry as replies say it."""
    branches = branches_of(tokens)
    return ShownScopes(
        general_scopes=list(branches.general),
        organization_scopes=ShownRolesInOrganization(shown_roles(branches.organization)),
        services_scopes=[_shown_service(service, roles) for service, roles in branches.services.items()],
    )


def shown_roles(names: Iterable[str]) -> list[ShownRole]:
    """Returns roles as replies say them."""
    return [ShownRole(name) for name in names if name != NO_ROLE]


def _tokens_of_service(service: RolesInService, member: str) -> Iterator[str]:
    names = [role.name for role in service.roles or ()]
    if service.all_roles:
        if names:
            raise invalid(INVALID_BODY, Violation(f"{member}.roles", "must be empty if all roles is true"))
        names = [EVERY_ROLE]
    return (service_token(service.service_definition_id, name) for name in names or [NO_ROLE])


def _shown_service(service: str, roles: Sequence[str]) -> ShownRolesInService:
    every = EVERY_ROLE in roles
    return ShownRolesInService(
        all_roles=every, roles=[] if every else shown_roles(roles), service_definition_id=service
    )
