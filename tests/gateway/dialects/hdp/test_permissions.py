# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from almoner.v1 import directory_pb2 as pb
from almoner.v1.directory_pb2 import PERMISSION_PROFILES_GET, Permission
from gateway.dialects.hdp.permissions import BY_NUMBER, PERMISSIONS, PermissionNumber, numbers_of, permissions_of

NUMBERS = get_args(PermissionNumber)
UNHEARD_OF = {
    pb.PERMISSION_PROFILES_USE,
    pb.PERMISSION_APPLICATIONS_UPDATE,
    pb.PERMISSION_ROLES_BIND,
    pb.PERMISSION_RULES_VIEW,
    pb.PERMISSION_RULES_MANAGE,
    pb.PERMISSION_GRANTS_VIEW,
    pb.PERMISSION_GRANTS_REVOKE,
    pb.PERMISSION_TOKENS_ISSUE,
    pb.PERMISSION_TOKENS_INTROSPECT,
    pb.PERMISSION_TOKEN_POLICY_MANAGE,
    pb.PERMISSION_JWT_MAPPINGS_VIEW,
    pb.PERMISSION_JWT_MAPPINGS_MANAGE,
    pb.PERMISSION_WEBHOOKS_VIEW,
    pb.PERMISSION_WEBHOOKS_MANAGE,
}
"""What an authorization server does, or a broker of tokens: HDP is neither."""


def test_the_numbers_are_the_documented_ones() -> None:
    assert sorted(NUMBERS) == [*range(1, 22), *range(25, 30)]
    assert set(BY_NUMBER) == set(NUMBERS)


def test_every_permission_that_hdp_has_a_word_for_has_exactly_one_number() -> None:
    allowed = [permission for known in PERMISSIONS for permission in known.allows]

    assert sorted(allowed) == sorted(number for number in Permission.values() if number and number not in UNHEARD_OF)


@given(st.sets(st.sampled_from(NUMBERS)))
def test_numbers_survive_the_way_there_and_back(numbers: set[int]) -> None:
    assert numbers_of(permissions_of(numbers)) == sorted(numbers)


def test_a_number_is_shown_only_if_all_of_it_is_held() -> None:
    assert numbers_of([PERMISSION_PROFILES_GET]) == []
