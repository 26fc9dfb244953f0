# SPDX-License-Identifier: Apache-2.0
"""Between VMware's three branches of scopes and scope tokens."""

from __future__ import annotations

import string
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.vmware.bodies import AllowedScopes
from gateway.dialects.vmware.scopes import branches_of, role_token, service_token, shown, tokens_of
from gateway.failures import Failure
from service.access import organization_roles

PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F))
NAMES = st.text(PRINTABLE, min_size=1, max_size=20)
ROLES = st.lists(NAMES.filter(lambda name: name != "*"), max_size=4, unique=True)
GENERAL = st.text(string.ascii_letters + string.digits + "._/-", min_size=1, max_size=20)
SERVICES = st.dictionaries(NAMES, st.tuples(st.booleans(), ROLES), max_size=4)


def named(names: list[str]) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def read(allowed: dict[str, Any]) -> list[str]:
    return tokens_of(msgspec.convert(allowed, AllowedScopes))


@given(st.lists(GENERAL, max_size=4, unique=True), ROLES, SERVICES)
def test_what_is_allowed_is_shown_as_it_was_given(
    general: list[str], roles: list[str], services: dict[str, tuple[bool, list[str]]]
) -> None:
    allowed = {
        "generalScopes": general,
        "organizationScopes": {"roles": named(roles)},
        "servicesScopes": [
            {"allRoles": every, "roles": [] if every else named(names), "serviceDefinitionId": service}
            for service, (every, names) in services.items()
        ],
    }

    assert msgspec.to_builtins(shown(read(allowed))) == allowed


@given(st.lists(st.text(PRINTABLE, min_size=1, max_size=20)))
def test_any_tokens_can_be_shown(tokens: list[str]) -> None:
    # Other dialects and gRPC set them, too.
    branches = branches_of(tokens)

    assert len(branches.general) + len(branches.organization) + sum(map(len, branches.services.values())) == len(tokens)
    msgspec.json.encode(shown(tokens))


@pytest.mark.parametrize(
    ("allowed", "tokens"),
    [
        ({}, []),
        ({"generalScopes": None, "organizationScopes": None, "servicesScopes": None}, []),
        ({"generalScopes": ["openid", "openid"]}, ["openid"]),
        ({"organizationScopes": {}}, []),
        ({"organizationScopes": {"roles": None}}, []),
        ({"organizationScopes": {"roles": named(["developer", "string"])}}, ["org:developer", "org:string"]),
        ({"servicesScopes": [{"serviceDefinitionId": "vmc"}]}, ["service:vmc:"]),
        ({"servicesScopes": [{"serviceDefinitionId": "vmc", "allRoles": True}]}, ["service:vmc:*"]),
        ({"servicesScopes": [{"serviceDefinitionId": "vmc", "allRoles": True, "roles": []}]}, ["service:vmc:*"]),
        ({"servicesScopes": [{"serviceDefinitionId": "a/b:c", "roles": named(["x:y"])}]}, ["service:a%2Fb%3Ac:x:y"]),
        (
            {
                "servicesScopes": [
                    {"serviceDefinitionId": "a", "roles": named(["x"])},
                    {"serviceDefinitionId": "a", "roles": named(["x", "y"])},
                ]
            },
            ["service:a:x", "service:a:y"],
        ),
    ],
)
def test_branches_are_tokens(allowed: dict[str, Any], tokens: list[str]) -> None:
    assert read(allowed) == tokens


def test_all_roles_exclude_some() -> None:
    with pytest.raises(Failure) as refused:
        read(
            {
                "servicesScopes": [
                    {"serviceDefinitionId": "a"},
                    {"serviceDefinitionId": "b", "allRoles": True, "roles": named(["x"])},
                ]
            }
        )

    assert [violation.member for violation in refused.value.violations] == ["allowedScopes.servicesScopes[1].roles"]


@given(NAMES, NAMES)
def test_tokens_are_those_of_the_service(service: str, role: str) -> None:
    assert role_token(role) == organization_roles.role_scope(role)
    assert service_token(service, role) == organization_roles.service_scope(service, role)
