# SPDX-License-Identifier: Apache-2.0
"""Which of Venafi's roles a caller has."""

from __future__ import annotations

import pytest

from almoner.v1.directory_pb2 import PERMISSION_ADMINISTRATOR, RoleBinding
from almoner.v1.directory_service_pb2 import WhoAmIResponse
from gateway.dialects.venafi.bodies import ApplicationRole, OwnRole
from gateway.dialects.venafi.roles import (
    ADMIN,
    AUDITOR,
    BUILT_IN,
    GRANT_ADMIN,
    MAINTAINER,
    MIXED,
    NO_ROLE,
    OWNER,
    role_of,
)
from service.directory.bootstrap import BUILT_IN_ROLES

ORGANIZATION = "0c9ae1a2-8b0a-4b8e-9d3f-2f6f6c0f9d11"


def of_application(role: int, application: str) -> RoleBinding:
    return RoleBinding(user_id=1, role_id=BUILT_IN[role], application_id=application)


def everywhere(*roles: int) -> list[RoleBinding]:
    return [RoleBinding(user_id=1, role_id=BUILT_IN[role], organization_id=ORGANIZATION) for role in roles]


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        ((AUDITOR,), AUDITOR),
        ((GRANT_ADMIN,), GRANT_ADMIN),
        ((ADMIN,), ADMIN),
        ((AUDITOR, GRANT_ADMIN), GRANT_ADMIN),
        ((GRANT_ADMIN, ADMIN, AUDITOR), ADMIN),
    ],
)
def test_a_global_role_overrides_those_of_applications(roles: tuple[int, ...], role: int) -> None:
    me = WhoAmIResponse(role_bindings=[of_application(OWNER, "a"), *everywhere(*roles)])

    assert role_of(me) == OwnRole(role=role)


def test_an_administrator_is_an_admin() -> None:
    assert role_of(WhoAmIResponse(permissions=[PERMISSION_ADMINISTRATOR])) == OwnRole(role=ADMIN)


def test_roles_of_applications_are_listed() -> None:
    me = WhoAmIResponse(role_bindings=[of_application(OWNER, "b"), of_application(OWNER, "a")])

    assert role_of(me) == OwnRole([ApplicationRole("a", OWNER), ApplicationRole("b", OWNER)], ["a", "b"], OWNER)


def test_an_owner_here_and_maintainer_there_is_mixed() -> None:
    me = WhoAmIResponse(role_bindings=[of_application(OWNER, "b"), of_application(MAINTAINER, "a")])

    assert role_of(me).role == MIXED


def test_everybody_else_is_a_user() -> None:
    other = RoleBinding(user_id=1, role_id=2, organization_id=ORGANIZATION)

    assert role_of(WhoAmIResponse(role_bindings=[other])) == OwnRole([], [], NO_ROLE)


def test_every_role_is_a_built_in_one() -> None:
    names = {role.id: role.name for role in BUILT_IN_ROLES}

    assert {code: names[role_id] for code, role_id in BUILT_IN.items()} == {
        AUDITOR: "Auditor",
        MAINTAINER: "Application Maintainer",
        OWNER: "Application Owner",
        GRANT_ADMIN: "Grant Administrator",
        ADMIN: "OAuth Administrator",
    }
