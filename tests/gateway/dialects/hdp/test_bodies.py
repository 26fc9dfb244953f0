# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.dialects.hdp.bodies import (
    ApplicationBody,
    ProfileBody,
    ProfileListElement,
    RoleBody,
    TenantBody,
    UserBody,
    UserChange,
)

PROFILE = {
    "name": "User_1",
    "oauthAppId": 17,
    "description": "OAuth profile 1",
    "accessToken": "111c334445e55",
    "refreshToken": "222d88899966fa",
}
APPLICATION = {
    "name": "TenantA OAuth app",
    "dataStore": 54,
    "tenantId": 303,
    "description": "TenantA OAuth application object",
    "clientId": "asdfjasdljfasdkjf",
    "clientSecret": "1912308409123890",
    "authorizeURI": "https://accounts.google.com/o/oauth2/v2/auth",
    "tokenURI": "https://www.googleapis.com/oauth2/v3/token",
    "scope": "full_offline_access, test_repo",
}
USER = {
    "userName": "SQLUser",
    "tenantId": 56,
    "statusInfo": {"status": 1, "accountLocked": False},
    "passwordInfo": {"password": "Secret#1", "passwordStatus": 1, "passwordExpiration": None},
    "permissions": {"roles": [88]},
}
ROLE = {"name": "r", "tenantId": 56, "description": "d", "permissions": [5, 6, 7], "users": []}
TENANT = {"name": "t", "description": "d", "parentTenant": 1, "status": 1, "importedRoles": [2]}


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        (PROFILE, ProfileBody),
        (APPLICATION, ApplicationBody),
        (USER, UserBody),
        (USER, UserChange),
        (ROLE, RoleBody),
        (TENANT, TenantBody),
    ],
)
def test_documented_requests_are_read(sample: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    msgspec.convert(sample, kind)


@pytest.mark.parametrize("member", ["name", "oauthAppId", "refreshToken"])
def test_a_profile_has_three_required_members(member: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=member):
        msgspec.convert({key: value for key, value in PROFILE.items() if key != member}, ProfileBody)


@pytest.mark.parametrize("member", ["description", "accessToken"])
def test_a_profiles_optional_members_may_be_left_out_or_null(member: str) -> None:
    msgspec.convert({key: value for key, value in PROFILE.items() if key != member}, ProfileBody)
    msgspec.convert({**PROFILE, member: None}, ProfileBody)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", "User 1"),
        ("name", "User-1"),
        ("name", "Ünal"),
        ("name", ""),
        ("name", "x" * 256),
        ("oauthAppId", "17"),
        ("oauthAppId", 0),
        ("oauthAppId", 2**63),
        ("refreshToken", ""),
        ("refreshToken", "line\nbreak"),
        ("accessToken", "x" * 16385),
        ("description", "nul\x00"),
    ],
)
def test_a_profile_keeps_the_rules_of_its_members(member: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError, match=member):
        msgspec.convert({**PROFILE, member: value}, ProfileBody)


@pytest.mark.parametrize("number", [0, 22, 24, 30])
def test_unknown_permission_numbers_are_refused(number: int) -> None:
    with pytest.raises(msgspec.ValidationError, match=str(number)):
        msgspec.convert({**ROLE, "permissions": [number]}, RoleBody)


def test_ids_in_the_list_of_profiles_are_strings() -> None:
    element = ProfileListElement("33", "n", "d", "a", "t", "s")

    assert msgspec.to_builtins(element) == {
        "id": "33",
        "name": "n",
        "description": "d",
        "authorizeURI": "a",
        "tokenURI": "t",
        "scope": "s",
    }
