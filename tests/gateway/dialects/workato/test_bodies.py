# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.dialects.workato.bodies import ConnectionBody, ConnectionChange, CustomProfileBody, WorkatoProfile

DATA = {"client_id": "new_client_id", "client_secret": "new_client_secret", "token": "only-for-slack"}
PROFILE = {"name": "My new OAuth profile", "provider": "hubspot", "data": DATA}


def test_a_profile_is_told_by_nine_members() -> None:
    assert WorkatoProfile.__struct_fields__ == (
        "id",
        "user_id",
        "name",
        "provider",
        "data",
        "shared_accounts_count",
        "oem_customers_count",
        "created_at",
        "updated_at",
    )


def test_the_documented_request_is_read() -> None:
    body = msgspec.convert(PROFILE, CustomProfileBody)

    assert (body.provider, body.data.token) == ("hubspot", "only-for-slack")


@pytest.mark.parametrize("member", ["client_id", "client_secret"])
def test_client_credentials_are_required(member: str) -> None:
    data = {key: value for key, value in DATA.items() if key != member}

    with pytest.raises(msgspec.ValidationError, match=member):
        msgspec.convert({**PROFILE, "data": data}, CustomProfileBody)


@pytest.mark.parametrize("member", ["name", "provider", "data"])
def test_a_profile_has_three_required_members(member: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=member):
        msgspec.convert({key: value for key, value in PROFILE.items() if key != member}, CustomProfileBody)


@pytest.mark.parametrize(
    ("body", "profile"),
    [({}, msgspec.UNSET), ({"custom_oauth_profile_id": None}, None), ({"custom_oauth_profile_id": 3}, 3)],
)
def test_a_change_tells_leaving_from_unbinding(body: dict[str, Any], profile: object) -> None:
    assert msgspec.convert(body, ConnectionChange).custom_oauth_profile_id == profile


def test_the_input_of_a_connection_may_be_anything() -> None:
    msgspec.convert({"name": "c", "provider": "hubspot", "input": {"deep": [{"er": 1}]}}, ConnectionBody)
